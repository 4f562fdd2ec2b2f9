"""The rows of an export, batch by batch: one an item, with its cluster, figures and summary."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from llma_assets.lake import Lake
from llma_assets.sql import sql
from llma_assets.team_day import TeamDay

# Some 10 MB with their summaries: what an export of any size holds at once, beside what DuckDB may.
BATCH_ROWS = 5_000

_TEXT, _COUNT, _FIGURE = pa.string(), pa.int64(), pa.float64()
COLUMNS = pa.schema(
    [
        ("team_id", _TEXT),
        ("level", _TEXT),
        ("item_id", _TEXT),
        ("trace_id", _TEXT),
        ("generation_id", _TEXT),
        ("trace_timestamp", pa.timestamp("us", tz="UTC")),
        ("status", _TEXT),
        ("reason", _TEXT),
        ("title", _TEXT),
        # Bullets, then notes, a line each.
        ("summary", _TEXT),
        ("clustering_run_id", _TEXT),
        ("run_date", pa.date32()),
        ("cluster_id", pa.int32()),
        ("cluster_title", _TEXT),
        ("cluster_size", _COUNT),
        ("theme_id", pa.int32()),
        ("theme_title", _TEXT),
        ("lineage_id", _TEXT),
        ("rank", _COUNT),
        ("distance_to_centroid", _FIGURE),
        ("is_borderline", pa.bool_()),
        ("cost_usd", _FIGURE),
        ("latency_s", _FIGURE),
        ("input_tokens", _COUNT),
        ("output_tokens", _COUNT),
        ("error_count", _COUNT),
        # Names with commas between them, each once.
        ("models", _TEXT),
        ("tools", _TEXT),
    ]
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExportRows:
    """Reads the rows of exports from the views.

    Attributes:
        connection: one that sees the views.
        with_texts: whether titles, summaries, models and tools of items go along; else they are null.
    """

    connection: Any
    with_texts: bool = True

    def of_run(self, run: Row, cluster_id: int | None = None) -> Iterator[pa.RecordBatch]:
        """Items of a clustering run (a row of the view `runs`), or of one cluster of it; noise last."""
        days = {"first": run["window_start"].date(), "last": run["date"]}
        named = {"team": run["team_id"], "level": run["level"]}
        self.connection.execute(sql("export_clusters"), named | {"first": run["date"], "last": run["date"]})
        asked = {"team": run["team_id"], "day": run["date"], "run": run["clustering_run_id"], "cluster": cluster_id}
        yield from self._batches("export_run", asked | days)

    def of_days(self, lake: Lake, team: str, level: str, first: date, last: date) -> Iterator[pa.RecordBatch]:
        """Items of a team's days, each with its place in the newest clustering run that looked at it."""
        named = {"team": team, "level": level, "first": first, "last": last + timedelta(days=90)}
        self.connection.execute(sql("export_clusters"), named)
        # A day at a time: what is sorted and joined at once does not grow with the period.
        for team_day in _days(lake, team, first, last):
            yield from self._batches("export_day", {"team": team, "level": level, "day": team_day.day})

    def _batches(self, name: str, asked: Row) -> Iterator[pa.RecordBatch]:
        found = self.connection.sql(sql(name), params=asked | {"with_texts": self.with_texts})
        for batch in found.to_arrow_reader(BATCH_ROWS):
            yield batch.select(COLUMNS.names).cast(COLUMNS)


def _days(lake: Lake, team: str, first: date, last: date) -> Sequence[TeamDay]:
    return [day for day in lake.days("trace_summaries", team) if first <= day.day <= last]
