"""What every command needs: the settings, the lake and the views, opened on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from llma_assets.errors import InputRejected
from llma_assets.lake import Lake
from llma_assets.settings import Settings, load_settings
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.team_day import check_team

Rows = list[dict[str, Any]]


class Project:
    """The lake that LLMA_HOME names."""

    def __init__(self) -> None:
        self.settings: Settings = load_settings()
        self.lake = Lake(self.settings.lake)

    def rows(self, text: str, parameters: dict[str, Any] | None = None) -> Rows:
        """The rows of one query over the views."""
        from llma_assets.queries.views import query

        with self.views() as connection:
            table = query(connection, text, parameters)
        return table.to_pylist(maps_as_pydicts="lossy")

    def check_has_events(self, team: str) -> str:
        """The team, if it is one that events were ingested for.

        Raises:
            InputRejected: the name cannot be a team's, or has no events.
        """
        known = self.lake.teams()
        if check_team(team) not in known:
            there = ", ".join(known) or "none yet; type: llma ingest PATH --team TEAM"
            raise InputRejected(f"--team: {team!r} has no events in {self.lake.root} (teams: {there})")
        return team

    def source(self) -> TraceEventSource:
        """Where the events are."""
        from llma_assets.sources.lake_event_source import lake_event_source

        return lake_event_source(self.settings, self.lake)

    @contextmanager
    def views(self) -> Iterator[Any]:
        """A locked-down connection that sees the views."""
        from llma_assets.queries.views import open_views

        with open_views(self.lake, self.settings) as connection:
            yield connection

    def refresh_views_file(self) -> None:
        """Make `llma.duckdb` fit this program, for DuckDB shells."""
        from llma_assets.queries.views import write_views_file

        write_views_file(self.lake, self.settings)


def parse_day(text: str, field: str, settings: Settings) -> date:
    """A UTC day that has a partition.

    Raises:
        InputRejected: not YYYY-MM-DD, before the start date, or after today.
    """
    from llma_assets.resources.clock import Clock

    today = Clock().now().date()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InputRejected(f"{field}: {text!r} is not a date like 2026-01-31") from None
    if not settings.start_date <= day <= today:
        raise InputRejected(
            f"{field}: {day} is not between {settings.start_date} (LLMA_START_DATE) and today, {today} (UTC)"
        )
    return day
