"""What every asset does around its stage: run it for each partition, report it to Dagster."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from llma_assets.errors import WaitingForBatch
from llma_assets.partitions import lineage_mapping, team_day_of, team_days_partitions, window_mapping
from llma_assets.presentation.markdown import preview
from llma_assets.reporting.stage_report import StageReport
from llma_assets.stages.declaration import Days, Stage
from llma_assets.team_day import TeamDay

OWNERS = ["team:llm-analytics"]
GROUP = "llm_analytics"

# One run takes a contiguous range of a team's days; more than this in one run is split by Dagster.
BACKFILL_POLICY = dg.BackfillPolicy.multi_run(max_partitions_per_run=31)

_MAPPINGS = {Days.SAME: None, Days.WINDOW: window_mapping, Days.LINEAGE: lineage_mapping}

# Rows of a table that is shown beside the preview; the UI keeps it with each materialization.
MAX_TABLE_ROWS = 60


def team_day_asset(stage: Stage, **said: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Dagster's asset of a stage, one partition a (team, day); `said` is what only Dagster wants to know."""
    return dg.asset(
        group_name=GROUP,
        owners=OWNERS,
        deps=[dg.AssetDep(name, partition_mapping=_MAPPINGS[days]) for name, days in stage.reads.items()],
        partitions_def=team_days_partitions,
        backfill_policy=BACKFILL_POLICY,
        code_version=stage.code_version,
        **said,
    )


def materialize(
    context: dg.AssetExecutionContext, stage: Callable[[TeamDay], StageReport]
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """Run `stage` for each partition of this run, oldest first, with metadata on each.

    A partition that cannot be read or locked fails the run; an empty one is written, reported with
    its reason, and left to the asset's check. If one waits for its batch, the others are reported, and
    what is downstream is not run: it would be run without that day.
    """
    keys = sorted(context.partition_keys)
    reports: dict[str, StageReport] = {}
    waiting: list[str] = []
    for key in keys:
        try:
            reports[key] = stage(team_day_of(key))
        except WaitingForBatch as wait:
            context.log.info("%s: %s", key, wait)
            waiting.append(key)
        except Exception:
            # Those before it are written: Dagster should know, whatever becomes of the run.
            for done, report in reports.items():
                yield dg.AssetMaterialization(context.asset_key, partition=done, metadata=metadata(report))
            raise
    for key, report in reports.items():
        if report.empty_reason:
            context.log.warning("%s has nothing to show: %s", key, report.empty_reason)
        if waiting:
            yield dg.AssetMaterialization(context.asset_key, partition=key, metadata=metadata(report))
        else:
            context.add_asset_metadata(metadata(report), partition_key=key)
    if waiting:
        return
    if len(keys) == 1:
        # Staleness by content: a rerun that gives the same bytes leaves what is downstream fresh.
        yield dg.MaterializeResult(data_version=dg.DataVersion(reports[keys[0]].written.sha256[:16]))
    else:
        yield dg.MaterializeResult()


def metadata(report: StageReport) -> dict[str, Any]:
    """A report as Dagster metadata; numbers stay numbers, so that the UI plots them over partitions."""
    shown: dict[str, Any] = {}
    if report.empty_reason:
        shown["empty_reason"] = report.empty_reason
    for name, rows in report.tables.items():
        shown[name] = dg.MetadataValue.md(preview(rows, MAX_TABLE_ROWS) if rows.num_rows else "none")
    table = preview(report.preview) if report.preview is not None else ""
    if pictures := [picture for draw in report.pictures if (picture := draw())]:
        encoded = [base64.b64encode(one).decode() for one in pictures]
        maps = [f"![cluster map](data:image/png;base64,{picture})" for picture in encoded]
        shown["map"] = dg.MetadataValue.md("\n\n".join([*maps, table]))
    elif table:
        shown["preview"] = dg.MetadataValue.md(table)
    return shown | {
        "items": report.items,
        "rows_in": report.rows_in,
        "dagster/row_count": report.written.rows,
        "outcomes": dg.MetadataValue.json(report.counts),
        **{name: value for name, value in report.figures.items() if value is not None},
        "size_bytes": report.written.size_bytes,
        "sha256": report.written.sha256,
        "path": dg.MetadataValue.path(report.written.path),
    }
