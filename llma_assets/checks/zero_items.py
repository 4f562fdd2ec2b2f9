"""Asset checks. The rule that nothing empty goes on is a plain function; Dagster only asks it.

A run over one partition is stopped by a partition without items. A run over a range is stopped only
if every partition of it is empty; else the empty ones are named as a warning, and the assets
downstream pass over them by themselves.
"""

from collections.abc import Sequence

import dagster as dg
import pyarrow.compute as pc

from llma_assets.assets.cluster_assignments import cluster_assignments
from llma_assets.assets.cluster_events import cluster_events
from llma_assets.assets.cluster_labels import cluster_labels
from llma_assets.assets.cluster_lineage import cluster_lineage
from llma_assets.assets.cluster_metrics import cluster_metrics
from llma_assets.assets.cluster_report import cluster_report
from llma_assets.assets.embeddings import embeddings
from llma_assets.assets.trace_summaries import trace_summaries
from llma_assets.lake import Lake
from llma_assets.partitions import team_day_of, team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import ItemStatus

# Which rows of a table count as items that may be shown or sent.
_STATUS_THAT_COUNTS = {"trace_summaries": ItemStatus.SUMMARIZED, "embeddings": ItemStatus.EMBEDDED}


def count_items(lake: Lake, table: str, team_day: TeamDay) -> int:
    """Items that a partition holds: summarized, embedded, clustered, matched, named, measured or emitted ones.

    Raises:
        PartitionMissing: the partition was never written.
    """
    if table in _STATUS_THAT_COUNTS:
        statuses = lake.read(table, team_day, ["status"])["status"]
        return int(pc.sum(pc.equal(statuses, str(_STATUS_THAT_COUNTS[table]))).as_py() or 0)
    if table == "cluster_assignments":
        return int(pc.sum(lake.read(table, team_day, ["items_analyzed"])["items_analyzed"]).as_py() or 0)
    return lake.read(table, team_day, ["date"]).num_rows


def zero_item_result(lake: Lake, table: str, team_days: Sequence[TeamDay]) -> dg.AssetCheckResult:
    """Fail on partitions of `table` without items: as an error if all are, as a warning if some are."""
    counts = {team_day: count_items(lake, table, team_day) for team_day in team_days}
    rejected = [str(team_day) for team_day, count in counts.items() if count == 0]
    severity = dg.AssetCheckSeverity.ERROR if len(rejected) == len(counts) else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=not rejected,
        severity=severity,
        description=f"{len(rejected)} of {len(counts)} partitions of {table} have no items" if rejected else None,
        metadata={"items": sum(counts.values()), "rejected": dg.MetadataValue.json(rejected)},
    )


def _zero_item_check(asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    table = asset.key.path[-1]

    @dg.asset_check(
        asset=asset,
        name="has_items",
        blocking=True,
        partitions_def=team_days_partitions,
        description=f"A partition of {table} without items stops the run before anything is emitted.",
    )
    def has_items(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        keys = context.op_execution_context.partition_keys
        return zero_item_result(lake.open(), table, [team_day_of(key) for key in keys])

    return has_items


zero_item_checks = [
    _zero_item_check(asset)
    for asset in (
        trace_summaries,
        embeddings,
        cluster_assignments,
        cluster_lineage,
        cluster_labels,
        cluster_metrics,
        cluster_events,
        cluster_report,
    )
]
