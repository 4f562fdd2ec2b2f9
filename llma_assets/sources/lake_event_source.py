"""Events that were ingested into the lake, asked through DuckDB."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from llma_assets.clustering_jobs import ClusteringJob
from llma_assets.clustering_jobs.filter_sql import condition
from llma_assets.errors import PartitionCorrupt
from llma_assets.lake import Lake
from llma_assets.lake.connection import connect
from llma_assets.settings import Settings
from llma_assets.sources.event_source import ITEMS, DayStats, TraceEventSource
from llma_assets.sql import sql
from llma_assets.team_day import TeamDay
from llma_assets.traces.event import Event
from llma_assets.vocabulary import CUSTOMER_EVENTS, Level


class LakeEventSource(TraceEventSource):
    """Events that were ingested into `trace_events` of `lake`; `connect` opens DuckDB connections that can read it."""

    def __init__(self, lake: Lake, connect: Callable[[], AbstractContextManager[Any]]):
        self._lake, self._connect = lake, connect

    def teams(self) -> list[str]:
        return self._lake.teams("trace_events")

    def fingerprint(self, team: str) -> str:
        # A file is written once under a name that comes from its content, so names say enough.
        return "|".join(_files(self._lake, self._lake.days("trace_events", team)))

    def day_stats(self, team: str, quiet_since: datetime, levels: Sequence[Level]) -> list[DayStats]:
        with self._items(team, levels) as connection:
            if connection is None:
                return []
            rows = connection.execute(sql("day_stats"), {"quiet_since": quiet_since}).fetchall()
        return [DayStats(*row) for row in rows]

    def day_items(self, team_day: TeamDay, levels: Sequence[Level]) -> pa.Table:
        with self._items(team_day.team, levels) as connection:
            if connection is None:
                return ITEMS.empty_table()
            rows = connection.sql(sql("day_items"), params={"day": team_day.day}).to_arrow_table()
            return rows.select(ITEMS.names).cast(ITEMS)

    def traces(self, team_day: TeamDay, trace_ids: Sequence[str], last_day: date) -> Iterator[list[Event]]:
        import orjson

        span = [
            TeamDay(team_day.team, team_day.day + timedelta(days=n)) for n in range((last_day - team_day.day).days + 1)
        ]
        files = _files(self._lake, span)
        if not files or not trace_ids:
            return
        parameters = {
            "all_files": _files(self._lake, self._lake.days("trace_events", team_day.team)),
            "files": files,
            "trace_ids": list(trace_ids),
            "customer_events": list(CUSTOMER_EVENTS),
        }
        with self._connect() as connection, _named_errors(team_day.team):
            reader = connection.sql(sql("trace_texts"), params=parameters).to_arrow_reader(1_000)
            trace: list[Event] = []
            for batch in reader:
                for row in batch.to_pylist():
                    if trace and trace[-1].trace_id != row["trace_id"]:
                        yield trace
                        trace = []
                    trace.append(Event(**row | {"properties": orjson.loads(row["properties"])}))
            if trace:
                yield trace

    def job_items(self, team_days: Sequence[TeamDay], jobs: Sequence[ClusteringJob]) -> list[frozenset[str]]:
        found: list[set[str]] = [set() for _ in jobs]
        if not team_days or not jobs:
            return [frozenset() for _ in jobs]
        team = team_days[0].team
        days = {"first": team_days[0].day, "last": team_days[-1].day}
        with self._items(team, sorted({job.level for job in jobs})) as connection:
            if connection is not None:
                files = _files(self._lake, self._lake.days("trace_events", team))
                parameters = days | {"files": files, "customer_events": list(CUSTOMER_EVENTS)}
                connection.execute(f"CREATE TEMP TABLE wanted AS {sql('job_events')}", parameters)
                dates = connection.execute("SELECT DISTINCT date FROM wanted").fetchall()
                files = _files(self._lake, sorted(TeamDay(team, day) for (day,) in dates))
                if files:
                    for number, item_id in connection.execute(*_matching(jobs, files, days)).fetchall():
                        found[number].add(item_id)
        return [frozenset(ids) for ids in found]

    @contextmanager
    def _items(self, team: str, levels: Sequence[Level]) -> Iterator[Any]:
        """A connection on which the relation `items` is defined; None if the team has no events."""
        files = _files(self._lake, self._lake.days("trace_events", team))
        if not files:
            yield None
            return
        parameters = {
            "files": files,
            "customer_events": list(CUSTOMER_EVENTS),
            "levels": [str(level) for level in levels],
        }
        with self._connect() as connection, _named_errors(team):
            connection.execute(f"CREATE TEMP TABLE items AS {sql('items')}", parameters)
            yield connection


def _matching(jobs: Sequence[ClusteringJob], files: list[str], days: dict[str, date]) -> tuple[str, dict[str, object]]:
    """The statement that gives job number and item id of each match, and its parameters. What is not fixed in it are
    the numbers of the jobs and the fragments of `condition`."""
    parameters: dict[str, object] = {"files": files, **days}
    flags, parts = [], []
    for number, job in enumerate(jobs):
        flags.append(f"{condition(job.filters, f'job{number}', parameters)} AS job{number}")
        item_id = "trace_id" if job.level == Level.TRACE else "uuid"
        parameters[f"level{number}"] = str(job.level)
        parts.append(
            f"SELECT DISTINCT {number} AS job, {item_id} AS item_id FROM hits WHERE job{number} AND {item_id} IN "
            f"(SELECT item_id FROM items WHERE level = $level{number} AND date BETWEEN $first AND $last)"
        )
    hits = (
        f"SELECT trace_id, uuid, {', '.join(flags)} FROM read_parquet($files, file_row_number = true) "
        "SEMI JOIN wanted USING (uuid, date, ingest_id, file_row_number)"
    )
    return f"WITH hits AS MATERIALIZED ({hits}) {' UNION ALL '.join(parts)}", parameters


def _files(lake: Lake, team_days: Sequence[TeamDay]) -> list[str]:
    """The files of some days of one team, of ingests that were completed, as DuckDB names them.

    A file is named after its ingest, and the ingest's ledger row is written last: without it, a
    killed ingest would show half of what it brings.
    """
    completed = {
        path.rsplit("/", 1)[-1] for team in {day.team for day in team_days} for path in lake.team_files("ingests", team)
    }
    files = (path for day in team_days for path in lake.files("trace_events", day))
    return [lake.scheme + path for path in files if path.rsplit("/", 1)[-1] in completed]


@contextmanager
def _named_errors(team: str) -> Iterator[None]:
    """A file that DuckDB cannot read is told as the team's broken partition."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise PartitionCorrupt(f"trace_events of team {team}: {error}") from error


def lake_event_source(settings: Settings, lake: Lake | None = None) -> LakeEventSource:
    """The source of events of the settings' lake, for whoever is no Dagster run."""
    lake = lake or Lake(settings.lake)
    return LakeEventSource(lake, partial(connect, lake, settings))
