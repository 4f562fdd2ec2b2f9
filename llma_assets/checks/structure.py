"""The asset check that says when clusters look wrong: a warning with the figures, never a stop.

Team data may really have one topic. A person should then see that it was noticed, and what was tried.
"""

from collections.abc import Sequence

import dagster as dg

from llma_assets.findings.structure import structure_findings
from llma_assets.lake import Lake
from llma_assets.partitions import team_day_of, team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import Settings, load_settings
from llma_assets.team_day import TeamDay

_COLUMNS = [
    "clustering_run_id",
    "items_analyzed",
    "clusters",
    "noise_share",
    "largest_share",
    "diversity",
    "silhouette",
    "stability",
    "guard_path",
    "ladder",
]


def quality_result(lake: Lake, team_days: Sequence[TeamDay], settings: Settings) -> dg.AssetCheckResult:
    """Warn of clustering runs that miss a limit of the settings, and give the figures of all."""
    runs = [run for day in team_days for run in lake.read("cluster_assignments", day, _COLUMNS).to_pylist()]
    figures, wrong = [], []
    for run in runs:
        if not run["items_analyzed"]:
            continue
        found = list(structure_findings(run, settings))
        wrong += [f"{run['clustering_run_id']}: {what}" for what in found]
        figures.append(
            {name: run[name] for name in _COLUMNS if name != "clusters"}
            | {"clusters": len(run["clusters"]), "findings": found}
        )
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(wrong) or None,
        metadata={"clustering_runs": len(figures), "figures": dg.MetadataValue.json(figures)},
    )


@dg.asset_check(
    asset="cluster_assignments",
    name="has_structure",
    partitions_def=team_days_partitions,
    description="Warns of a clustering with too few clusters, one that holds nearly all items, much noise, or clusters "
    "that half of the items would not have.",
)
def has_structure(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """The check, for every partition of its run."""
    keys = context.op_execution_context.partition_keys
    return quality_result(lake.open(), [team_day_of(key) for key in keys], load_settings())
