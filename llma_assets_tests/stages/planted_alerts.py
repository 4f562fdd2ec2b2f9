"""Findings as a test says them, in the table that the sensor reads."""

from datetime import date

from llma_assets.findings.finding import Finding, Kind
from llma_assets.lake import Lake
from llma_assets.stages.cluster_alerts import row_of
from llma_assets.tables.cluster_alerts import CLUSTER_ALERTS
from llma_assets.team_day import TeamDay

DAY = date(2026, 1, 9)


def finding(subject: str, day: date = DAY, since: date | None = None, team: str = "acme") -> Finding:
    """A cluster that fails."""
    title = "Refunds"
    return Finding(
        Kind.ERRORS, team, day, subject, since or day, f"Cluster “{title}”: 8 of 30 items have errors", "trace", "r", 0,
        subject, title, {"size": 30},
    )  # fmt: skip


def write(lake: Lake, *found: Finding, day: date = DAY, team: str = "acme") -> None:
    """The findings of a day."""
    lake.write("cluster_alerts", TeamDay(team, day), CLUSTER_ALERTS.arrow([row_of(f) for f in found]))
