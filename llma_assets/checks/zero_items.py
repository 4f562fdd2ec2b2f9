"""Asset checks. The rule that nothing empty goes on is a plain function; Dagster only asks it.

A run over one partition is stopped by a partition without items. A run over a range is stopped only
if every partition of it is empty; else the empty ones are named as a warning, and the assets
downstream pass over them by themselves.
"""

from collections.abc import Sequence

import dagster as dg

from llma_assets.lake import Lake
from llma_assets.partitions import team_day_of, team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.stages.declaration import Stage, count_items, in_order
from llma_assets.team_day import TeamDay


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


def _zero_item_check(stage: Stage) -> dg.AssetChecksDefinition:
    table = stage.table.name

    @dg.asset_check(
        asset=table,
        name="has_items",
        blocking=True,
        partitions_def=team_days_partitions,
        description=f"A partition of {table} without items stops the run before anything is emitted.",
    )
    def has_items(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        keys = context.op_execution_context.partition_keys
        return zero_item_result(lake.open(), table, [team_day_of(key) for key in keys])

    return has_items


zero_item_checks = [_zero_item_check(stage) for stage in in_order() if not stage.may_be_empty]
