"""The two jobs, as the reference has two coordinators: summarize the day, cluster the window."""

import dagster as dg

# Seconds, enforced by Dagster's run monitoring. A run that is killed goes on from its checkpoint.
SUMMARIZE_MAX_RUNTIME_S = 2 * 60 * 60
CLUSTER_MAX_RUNTIME_S = 30 * 60

summarize_traces = dg.define_asset_job(
    "summarize_traces",
    selection=dg.AssetSelection.assets("trace_summaries", "embeddings"),
    description="Summarize and embed the items of one (team, day).",
    tags={"dagster/max_runtime": str(SUMMARIZE_MAX_RUNTIME_S)},
)

cluster_traces = dg.define_asset_job(
    "cluster_traces",
    selection=dg.AssetSelection.assets(
        "cluster_assignments",
        "cluster_lineage",
        "cluster_labels",
        "cluster_metrics",
        "cluster_events",
        "cluster_report",
        "cluster_alerts",
    ),
    description="Cluster, match with the run before, name, measure, emit and show the window of one (team, day), and "
    "find what somebody should be told.",
    tags={"dagster/max_runtime": str(CLUSTER_MAX_RUNTIME_S)},
)
