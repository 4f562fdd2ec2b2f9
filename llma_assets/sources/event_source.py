"""What a source of trace events is. The lake's own table is one; a live database is another.

A source answers four questions, each bounded: which days of a team hold what, which items a day
has with their metrics, which of them the filters of a clustering job match, and the events of a few
named traces. Text is only read for the last, and what filters name for the one before.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from llma_assets.clustering_jobs import ClusteringJob
from llma_assets.tables.columns import ItemColumns, Timestamp
from llma_assets.tables.table import schema_of
from llma_assets.team_day import TeamDay
from llma_assets.traces.event import Event
from llma_assets.vocabulary import Level


@dataclass(frozen=True, slots=True)
class DayStats:
    """What one day of a team holds.

    Attributes:
        traces, generations: items whose first event lies in the day.
        finished: items of both levels that were silent long enough.
        source_version: changes exactly when the finished items change; empty if there is none.
    """

    day: date
    traces: int
    generations: int
    finished: int
    source_version: str


class SourceItem(ItemColumns):
    """An item of a day with what its own events say of it."""

    last_event_at: Timestamp
    last_date: date
    event_count: int
    content_hash: str
    item_cost_usd: float | None
    item_latency_s: float | None
    item_sum_generation_latency_s: float | None
    item_input_tokens: int | None
    item_output_tokens: int | None
    item_error_count: int | None
    item_generation_count: int | None
    item_models: list[str] | None
    item_user: str | None


ITEMS = schema_of(SourceItem)


class TraceEventSource(ABC):
    """Interface of a source of trace events."""

    @abstractmethod
    def teams(self) -> list[str]:
        """Teams that may have events, sorted."""

    @abstractmethod
    def fingerprint(self, team: str) -> str:
        """A cheap value that changes whenever events of `team` may have changed."""

    @abstractmethod
    def day_stats(self, team: str, quiet_since: datetime, levels: Sequence[Level]) -> list[DayStats]:
        """Days of `team` that hold at least one item, oldest first."""

    @abstractmethod
    def day_items(self, team_day: TeamDay, levels: Sequence[Level]) -> pa.Table:
        """Items of one day with their metrics: the columns of `sql/items.sql`, ordered by level and id."""

    @abstractmethod
    def job_items(self, team_days: Sequence[TeamDay], jobs: Sequence[ClusteringJob]) -> list[frozenset[str]]:
        """For each job, the ids of those items of some days of one team that satisfy its filters: a trace by one
        customer event of it that satisfies all of them, a generation by itself."""

    @abstractmethod
    def traces(self, team_day: TeamDay, trace_ids: Sequence[str], last_day: date) -> Iterator[list[Event]]:
        """The events of each named trace, oldest first; a trace's events lie in [day, last_day]."""
