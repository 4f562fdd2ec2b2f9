"""The asset check that says when clusters look wrong: a warning with the figures, never a stop.

Team data may really have one topic. A person should then see that it was noticed, and what was tried.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from llma_assets.assets.cluster_assignments import cluster_assignments
from llma_assets.clustering.guards import is_degenerate
from llma_assets.lake import Lake
from llma_assets.partitions import team_day_of, team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import Settings, load_settings
from llma_assets.team_day import TeamDay

# Mean cosine distance of two items. Below it all say nearly the same, and one cluster is the truth.
MIN_DIVERSITY = 0.1
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


def findings(run: dict[str, Any], settings: Settings) -> Iterator[str]:
    """What is wrong with one clustering run, each with figure and limit.

    Args:
        run: a row of `cluster_assignments` with items.
    """
    clusters, share = len(run["clusters"]), run["largest_share"] or 0.0
    is_diverse = run["diversity"] is not None and run["diversity"] >= MIN_DIVERSITY
    if is_diverse and is_degenerate(clusters, share, settings.min_clusters, settings.max_cluster_share):
        if clusters < settings.min_clusters:
            yield f"{clusters} clusters, at least {settings.min_clusters} are expected"
        if share >= settings.max_cluster_share:
            yield f"one cluster holds {share:.0%}, less than {settings.max_cluster_share:.0%} is expected"
    if (run["noise_share"] or 0.0) > settings.max_noise_share:
        yield f"{run['noise_share']:.0%} are noise, at most {settings.max_noise_share:.0%} are expected"
    if run["stability"] is not None and run["stability"] < settings.min_stability:
        yield f"stability is {run['stability']:.2f}, at least {settings.min_stability:.2f} is expected"


def quality_result(lake: Lake, team_days: Sequence[TeamDay], settings: Settings) -> dg.AssetCheckResult:
    """Warn of clustering runs that miss a limit of the settings, and give the figures of all."""
    runs = [run for day in team_days for run in lake.read("cluster_assignments", day, _COLUMNS).to_pylist()]
    figures, wrong = [], []
    for run in runs:
        if not run["items_analyzed"]:
            continue
        found = list(findings(run, settings))
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
    asset=cluster_assignments,
    name="has_structure",
    partitions_def=team_days_partitions,
    description="Warns of a clustering with too few clusters, one that holds nearly all items, much noise, or clusters "
    "that half of the items would not have.",
)
def has_structure(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """The check, for every partition of its run."""
    keys = context.op_execution_context.partition_keys
    return quality_result(lake.open(), [team_day_of(key) for key in keys], load_settings())
