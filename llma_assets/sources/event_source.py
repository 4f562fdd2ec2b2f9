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


_TIMESTAMP = pa.timestamp("us", tz="UTC")

ITEMS = pa.schema(
    [
        ("level", pa.string()),
        ("item_id", pa.string()),
        ("trace_id", pa.string()),
        ("generation_id", pa.string()),
        ("trace_timestamp", _TIMESTAMP),
        ("last_event_at", _TIMESTAMP),
        ("last_date", pa.date32()),
        ("event_count", pa.int64()),
        ("content_hash", pa.string()),
        ("item_cost_usd", pa.float64()),
        ("item_latency_s", pa.float64()),
        ("item_sum_generation_latency_s", pa.float64()),
        ("item_input_tokens", pa.int64()),
        ("item_output_tokens", pa.int64()),
        ("item_error_count", pa.int64()),
        ("item_generation_count", pa.int64()),
        ("item_models", pa.list_(pa.string())),
        ("item_user", pa.string()),
    ]
)
