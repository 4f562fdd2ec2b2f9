"""Asset checks that say what somebody should look at: warnings with the figures, never a stop.

What `cluster_alerts` found fails one check for each kind of finding. `covers_items` and `no_drift` give their figures
on every day.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from llma_assets.findings.finding import Kind
from llma_assets.lake import Lake
from llma_assets.partitions import team_day_of, team_days_partitions
from llma_assets.presentation.markdown import markdown_table
from llma_assets.readers.cluster_names import alerts_of
from llma_assets.readers.coverage import window_coverage
from llma_assets.readers.run_facts import drift_of
from llma_assets.readers.run_rows import runs_with_items
from llma_assets.resources.clock import Clock
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import Settings, load_settings
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.team_day import TeamDay

# The check of each kind that fails where `cluster_alerts` holds a finding of it.
CHECKS = {
    Kind.NEW_CLUSTER: ("no_new_cluster", "Warns of a new cluster of LLMA_ALERT_NEW_ITEMS items or more."),
    Kind.GROWTH: ("no_growth", "Warns of a cluster that grew LLMA_ALERT_GROWTH times over the days before."),
    Kind.ERRORS: ("no_error_cluster", "Warns of a cluster with LLMA_ALERT_ERROR_RATE of its items failed."),
    Kind.GAP: ("no_gap", "Warns of a day with nothing to show where the days before have."),
}


def _days(context: dg.AssetCheckExecutionContext) -> list[TeamDay]:
    return [team_day_of(key) for key in context.op_execution_context.partition_keys]


def findings_result(lake: Lake, kind: Kind, team_days: Sequence[TeamDay], min_users: int = 0) -> dg.AssetCheckResult:
    """Warn of the findings of one kind; `min_users` is the minimum of distinct users."""
    rows = [row for row in alerts_of(lake, team_days, min_users) if row["kind"] == kind]
    table = markdown_table(
        ["day", "level", "finding", "since"],
        [[row["date"], row["level"], row["text"], row["since"]] for row in rows],
    )
    shown: dict[str, Any] = {"findings": len(rows)}
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        # Titles are in the table alone, where what they hold is made inert.
        description=f"{len(rows)} found" if rows else None,
        metadata=shown | ({"found": dg.MetadataValue.md(table)} if rows else {}),
    )


def coverage_result(
    lake: Lake, source: TraceEventSource, team_days: Sequence[TeamDay], settings: Settings, clock: Clock
) -> dg.AssetCheckResult:
    """Warn of windows in which less of the items is accounted for than the setting asks for, with counts by outcome."""
    found = [(day, row) for day in team_days for row in window_coverage(lake, source, day, clock.now())]
    short = [(day, row) for day, row in found if row.share is not None and row.share < settings.min_coverage]
    shares = [row.share for _, row in found if row.share is not None]
    figures = [
        {"day": str(day), "level": row.level, "eligible": row.eligible, "missing": row.missing, "share": row.share}
        | {"outcomes": dict(row.outcomes)}
        for day, row in found
    ]
    told = (f"{day} {row.level}: {row.missing} of {row.eligible} items are missing" for day, row in short)
    return dg.AssetCheckResult(
        passed=not short,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or None,
        metadata={
            "items": sum(row.eligible for _, row in found),
            "missing": sum(row.missing for _, row in found),
            "lowest_share": min(shares, default=1.0),
            "figures": dg.MetadataValue.json(figures),
        },
    )


def drift_result(lake: Lake, team_days: Sequence[TeamDay], settings: Settings) -> dg.AssetCheckResult:
    """Warn of runs that are far from the run before."""
    runs = [run for day in team_days for run in runs_with_items(lake.read("cluster_assignments", day))]
    found = {run["clustering_run_id"]: drift_of(lake, run) for run in runs}
    known = {run_id: drift for run_id, drift in found.items() if drift is not None}
    far = {run_id: drift for run_id, drift in known.items() if drift.js_distance > settings.max_drift}
    columns = ["js_distance", "born_share", "died_share", "mean_shift"]
    figures = {run_id: {name: getattr(drift, name) for name in columns} for run_id, drift in known.items()}
    told = (
        f"{run_id}: {drift.js_distance:.2f}, at most {settings.max_drift:.2f} expected" for run_id, drift in far.items()
    )
    return dg.AssetCheckResult(
        passed=not far,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or None,
        metadata={
            "compared": len(known),
            "largest_distance": max((drift.js_distance for drift in known.values()), default=0.0),
            "figures": dg.MetadataValue.json(figures),
        },
    )


@dg.asset_check(
    asset="cluster_assignments",
    name="covers_items",
    partitions_def=team_days_partitions,
    description="Warns where less than LLMA_MIN_COVERAGE of the window's items is clustered, noise, or left out for a "
    "reason of their own; what failed, was not paid for or is in no table is missing.",
)
def covers_items(
    context: dg.AssetCheckExecutionContext,
    lake: LakeResource,
    event_source: EventSourceResource,
    clock: Clock,
) -> dg.AssetCheckResult:
    """The check, for every partition of its run."""
    return coverage_result(lake.open(), event_source.open(), _days(context), load_settings(), clock)


@dg.asset_check(
    asset="cluster_lineage",
    name="no_drift",
    partitions_def=team_days_partitions,
    description="Warns where the clusters are farther than LLMA_MAX_DRIFT from those of the run before.",
)
def no_drift(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """The check, for every partition of its run."""
    return drift_result(lake.open(), _days(context), load_settings())


def _finding_check(kind: Kind) -> dg.AssetChecksDefinition:
    name, description = CHECKS[kind]

    @dg.asset_check(asset="cluster_alerts", name=name, partitions_def=team_days_partitions, description=description)
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        return findings_result(lake.open(), kind, _days(context), load_settings().min_users_per_cluster)

    return check


alert_checks = [covers_items, no_drift, *(_finding_check(kind) for kind in CHECKS)]
