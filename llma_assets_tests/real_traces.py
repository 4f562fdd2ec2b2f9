"""Small pieces of the real traces that the demo ships, and tables for tests."""

import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# After every day of the demo's traces, so that all of them are finished.
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def demo_events(team: str, traces: int, day: str | None = None) -> list[dict[str, Any]]:
    """Events of the first `traces` traces of a demo team, by trace id; of one day if given."""
    first: dict[str, str] = {}
    for trace_id, row in _rows(team):
        first[trace_id] = min(first.get(trace_id, row["timestamp"]), row["timestamp"])
    chosen = set(sorted(trace_id for trace_id, start in first.items() if day is None or start.startswith(day))[:traces])
    return [row | {"properties": json.loads(row["properties"])} for trace_id, row in _rows(team) if trace_id in chosen]


@cache
def _rows(team: str) -> list[tuple[str, dict[str, Any]]]:
    """Each event's trace and row, in the file's order; a file takes half a second to parse."""
    rows = pq.read_table(str(files("llma_assets.demo") / "data" / f"{team}.parquet")).to_pylist()
    return [(json.loads(row["properties"])["$ai_trace_id"], row) for row in rows]


def table_of(schema: pa.Schema, **columns: list[Any]) -> pa.Table:
    """A table of `schema`; columns that are not given are null."""
    rows = len(next(iter(columns.values())))
    return pa.table({name: columns.get(name, [None] * rows) for name in schema.names}, schema=schema)
