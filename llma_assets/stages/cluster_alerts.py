"""cluster_alerts: what somebody should be told of a (team, day)'s clusters."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from llma_assets.findings.cluster_rules import AlertLimits, cluster_findings
from llma_assets.findings.coverage import coverage_findings
from llma_assets.findings.drift import drift_findings
from llma_assets.findings.finding import Finding, Kind
from llma_assets.findings.gaps import gap_finding, gap_start
from llma_assets.lake import Lake
from llma_assets.readers.coverage import window_coverage
from llma_assets.readers.run_facts import drift_of, run_facts
from llma_assets.readers.run_rows import runs_with_items
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import Settings
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.tables.cluster_alerts import CLUSTER_ALERTS, ClusterAlertRow
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.team_day import TeamDay

TABLE = "cluster_alerts"
STAGE = Stage(
    CLUSTER_ALERTS,
    Job.CLUSTER,
    reads={"cluster_labels": Days.SAME, "cluster_metrics": Days.SAME},
    versions=("2",),
    may_be_empty=True,
)
# A finding that was not there on so many days is another one when it comes back, and is told again.
WELL_AFTER_DAYS = 3
# These have a first day of their own; for others it is that of the first finding of a row of them.
_DATED = (Kind.NEW_CLUSTER, Kind.GAP)


@dataclass(frozen=True, slots=True)
class FindAlerts:
    """Everything that finding one day's alerts needs; `now` only tells which items are still being sent."""

    lake: Lake
    source: TraceEventSource
    settings: Settings
    now: datetime
    log: logging.Logger

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report.

        Raises:
            PartitionMissing: the day's clusters, labels or lineage were never written, or are of other clusters.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            version = self.lake.source_version("cluster_assignments", team_day) or ""
            runs = runs_with_items(self.lake.read("cluster_assignments", team_day))
            found = sorted(
                self._findings(team_day, runs), key=lambda finding: (finding.kind, finding.level or "", finding.subject)
            )
            least = self.settings.min_users_per_cluster or None
            rows = [row_of(finding) | {"min_users": least} for finding in self._dated(team_day, found)]
            table = CLUSTER_ALERTS.arrow(rows)
            written = self.lake.write(TABLE, team_day, table, version)
        counts = Counter(str(finding.kind) for finding in found)
        self.log.info("%s: %s", team_day, ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "no findings")
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=sum(len(run["clusters"]) for run in runs),
            items=len(rows),
            counts=dict(counts),
            figures={f"findings_{kind}": counts[kind] for kind in Kind}
            | {"duration_s": round(time.monotonic() - started, 3)},
            preview=table.select(["kind", "level", "text", "since"]),
        )

    def _findings(self, team_day: TeamDay, runs: Sequence[ClusteringRunRow]) -> Iterator[Finding]:
        limits, min_users = limits_of(self.settings), self.settings.min_users_per_cluster
        for run, facts in zip(runs, run_facts(self.lake, team_day, runs, min_users), strict=True):
            yield from cluster_findings(facts, limits)
            yield from drift_findings(drift_of(self.lake, run), self.settings.max_drift, facts)
        for coverage in window_coverage(self.lake, self.source, team_day, self.now):
            yield from coverage_findings(coverage, self.settings.min_coverage, team_day.team, team_day.day)
        yield from self._gaps(team_day)

    def _gaps(self, team_day: TeamDay) -> Iterator[Finding]:
        """Gaps that end in the window before the day itself, each once."""
        shown = ShownDays(self.lake, team_day.team, self.settings)
        last = None
        for back in range(1, self.settings.window_days):
            day = team_day.day - timedelta(days=back)
            if shown(day):
                last = None
                continue
            last = last or day
            if gap_start(day, shown) == day:
                yield gap_finding(team_day.team, team_day.day, day, last, shown.items(last))

    def _dated(self, team_day: TeamDay, found: Sequence[Finding]) -> list[Finding]:
        """The findings with the first day of their episodes, as the days before know them."""
        known: dict[tuple[str, str], date] = {}
        for back in range(1, WELL_AFTER_DAYS * self.settings.interval_days + 1):
            day = TeamDay(team_day.team, team_day.day - timedelta(days=back))
            for row in self.lake.read_days(TABLE, [day], ["kind", "subject", "since"]).to_pylist():
                known.setdefault((row["kind"], row["subject"]), row["since"])
        return [
            finding
            if finding.kind in _DATED
            else replace(finding, since=known.get((str(finding.kind), finding.subject), finding.since))
            for finding in found
        ]


@dataclass(frozen=True, slots=True)
class ShownDays:
    """Tells of each day of a team whether it has items, and clusters of them were emitted."""

    lake: Lake
    team: str
    settings: Settings

    def __call__(self, day: date) -> bool:
        if not self.items(day):
            return False
        # Where only every other day is clustered, the days between show nothing by design.
        return self.settings.interval_days > 1 or self._rows("cluster_events", day) > 0

    def items(self, day: date) -> int:
        """Items of the day that were looked at, whatever became of them."""
        return self._rows("trace_summaries", day)

    def _rows(self, table: str, day: date) -> int:
        rows: int = self.lake.read_days(table, [TeamDay(self.team, day)], ["date"]).num_rows
        return rows


def gap_today(lake: Lake, team: str, settings: Settings, now: datetime) -> Finding | None:
    """A gap that lasts: while a team has nothing, no run of its own finds that out."""
    day = (now - timedelta(hours=settings.alert_gap_hours)).date() - timedelta(days=1)
    shown = ShownDays(lake, team, settings)
    first = gap_start(day, shown)
    return None if first is None else gap_finding(team, day, first, day, shown.items(day))


def limits_of(settings: Settings) -> AlertLimits:
    """The limits that the settings name."""
    return AlertLimits(
        new_items=settings.alert_new_items,
        growth=settings.alert_growth,
        error_rate=settings.alert_error_rate,
        min_items=settings.alert_min_items,
        recent_days=settings.interval_days,
    )


def row_of(finding: Finding) -> ClusterAlertRow:
    """The row of a finding in the table `cluster_alerts`."""
    return {
        "team_id": finding.team,
        "date": finding.day,
        "alert_id": finding.alert_id,
        "kind": str(finding.kind),
        "subject": finding.subject,
        "since": finding.since,
        "level": finding.level,
        "clustering_run_id": finding.clustering_run_id,
        "cluster_id": finding.cluster_id,
        "lineage_id": finding.lineage_id,
        "title": finding.title,
        "text": finding.text,
        "figures": json.dumps(finding.figures, sort_keys=True),
        "min_users": None,
    }
