"""The two jobs, as the reference has two coordinators: summarize the day, cluster the window."""

import dagster as dg

from llma_assets.stages.declaration import STAGES, Job

# Seconds, enforced by Dagster's run monitoring. A run that is killed goes on from its checkpoint.
SUMMARIZE_MAX_RUNTIME_S = 2 * 60 * 60
CLUSTER_MAX_RUNTIME_S = 30 * 60


def _selection(job: Job) -> dg.AssetSelection:
    """The assets that declare the job as theirs."""
    return dg.AssetSelection.assets(*sorted(name for name, stage in STAGES.items() if stage.job == job))


summarize_traces = dg.define_asset_job(
    str(Job.SUMMARIZE),
    selection=_selection(Job.SUMMARIZE),
    description="Summarize and embed the items of one (team, day).",
    tags={"dagster/max_runtime": str(SUMMARIZE_MAX_RUNTIME_S)},
)

cluster_traces = dg.define_asset_job(
    str(Job.CLUSTER),
    selection=_selection(Job.CLUSTER),
    description="Cluster, match with the run before, name, measure, emit and show the window of one (team, day), and "
    "find what somebody should be told.",
    tags={"dagster/max_runtime": str(CLUSTER_MAX_RUNTIME_S)},
)
