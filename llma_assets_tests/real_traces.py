"""Small pieces of the real traces that the demo ships, and tables for tests."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# After every day of the demo's traces, so that all of them are finished.
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def demo_events(team: str, traces: int, day: str | None = None) -> list[dict[str, Any]]:
    """Events of the first `traces` traces of a demo team, by trace id; of one day if given."""
    table = pq.read_table(str(files("llma_assets.demo") / "data" / f"{team}.parquet"))
    events = [row | {"properties": json.loads(row["properties"])} for row in table.to_pylist()]
    first: dict[str, str] = {}
    for event in events:
        trace_id = event["properties"]["$ai_trace_id"]
        first[trace_id] = min(first.get(trace_id, event["timestamp"]), event["timestamp"])
    chosen = sorted(trace_id for trace_id, start in first.items() if day is None or start.startswith(day))[:traces]
    return [event for event in events if event["properties"]["$ai_trace_id"] in set(chosen)]


def table_of(schema: pa.Schema, **columns: list[Any]) -> pa.Table:
    """A table of `schema`; columns that are not given are null."""
    rows = len(next(iter(columns.values())))
    return pa.table({name: columns.get(name, [None] * rows) for name in schema.names}, schema=schema)
