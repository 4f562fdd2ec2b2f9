"""A table is the type of its rows: the Arrow schema follows from it."""

from datetime import date, datetime
from typing import TypedDict

import pyarrow as pa

from llma_assets.tables import TABLES, Layout
from llma_assets.tables.columns import Float32, Int32, Timestamp
from llma_assets.tables.table import schema_of
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES


class Part(TypedDict):
    name: str
    share: float | None


class Whole(TypedDict):
    day: date
    at: Timestamp
    count: Int32
    total: int | None
    flag: bool
    vector: list[Float32]
    parts: list[Part]
    first: Part | None


def test_the_schema_of_a_type() -> None:
    part = pa.struct([pa.field("name", pa.string(), nullable=False), pa.field("share", pa.float64())])
    expected = [
        ("day", pa.date32(), False),
        ("at", pa.timestamp("us", tz="UTC"), False),
        ("count", pa.int32(), False),
        ("total", pa.int64(), True),
        ("flag", pa.bool_(), False),
        ("vector", pa.list_(pa.float32()), False),
        ("parts", pa.list_(part), False),
        ("first", part, True),
    ]
    assert schema_of(Whole) == pa.schema([pa.field(*one[:2], nullable=one[2]) for one in expected])


def test_rows_and_arrow_are_each_other() -> None:
    row = TRACE_SUMMARIES.blank() | {
        "team_id": "acme",
        "date": date(2026, 1, 2),
        "level": "trace",
        "item_id": "t1",
        "trace_id": "t1",
        "trace_timestamp": datetime.fromisoformat("2026-01-02T03:04:05+00:00"),
        "status": "summarized",
        "summary_bullets": [{"text": "a", "line_refs": "L1"}],
    }
    table = TRACE_SUMMARIES.arrow([row])
    assert table.schema == TRACE_SUMMARIES.schema
    assert TRACE_SUMMARIES.rows(table) == [row]


def test_every_file_of_the_folder_is_a_table_and_every_partition_says_whose_it_is() -> None:
    assert {"trace_events", "quarantine", "ingests", "trace_summaries", "cluster_report", "llm_calls"} <= set(TABLES)
    for table in TABLES.values():
        assert table.schema.field("team_id").nullable is False
        if table.layout == Layout.PARTITION:
            assert table.names[:2] == ["team_id", "date"], table.name
