"""Parquet exports in the shapes that warehouses write, and hostile ones."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llma_assets.errors import InputRejected
from llma_assets.ingest import parquet_source
from llma_assets.ingest.limits import DEFAULT_LIMITS, Limits
from llma_assets.ingest.parquet_source import ParquetRow, parquet_rows

FIVE = datetime(2025, 6, 1, 5, tzinfo=UTC)
PROPERTIES = {"$ai_trace_id": "t", "$ai_input": [{"role": "user", "content": "é"}]}


def packed(table: pa.Table, **options: Any) -> io.BytesIO:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    sink.seek(0)
    return sink


def rows_of(table: pa.Table, limits: Limits = DEFAULT_LIMITS, **options: Any) -> list[ParquetRow]:
    return list(parquet_rows(packed(table, **options), limits, lambda done: None))


def table_of(properties: pa.Array, **columns: Any) -> pa.Table:
    rows = len(properties)
    base = {name: pa.array([name] * rows) for name in ("uuid", "event", "distinct_id", "timestamp")}
    return pa.table(base | columns | {"properties": properties, "team_id": pa.array([7] * rows)})


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_properties_as_text(kind: pa.DataType) -> None:
    text = json.dumps(PROPERTIES, ensure_ascii=False)
    first, second = rows_of(table_of(pa.array([text, None], pa.string()).cast(kind)))
    assert (first.number, first.item["properties"], first.length) == (1, text, len(text.encode()))
    assert "team_id" not in first.item
    assert (second.number, second.item["properties"], second.length) == (2, None, 0)


def test_properties_as_struct_leave_absent_keys_out() -> None:
    array = pa.array([{"$ai_trace_id": "t", "$ai_model": None}, None, {"$ai_trace_id": "u", "$ai_model": "m"}])
    found = [row.item["properties"] for row in rows_of(table_of(array))]
    assert found == [{"$ai_trace_id": "t"}, None, {"$ai_trace_id": "u", "$ai_model": "m"}]


def test_properties_as_map() -> None:
    array = pa.array([[("$ai_trace_id", "t"), ("k", "v")]], pa.map_(pa.string(), pa.string()))
    assert rows_of(table_of(array))[0].item["properties"] == {"$ai_trace_id": "t", "k": "v"}


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([FIVE], pa.timestamp("us", "UTC")), "2025-06-01T05:00:00+00:00"),
        (
            pa.array([FIVE], pa.timestamp("ns", "Asia/Tokyo")),
            "2025-06-01T05:00:00+00:00",
        ),
        (pa.array([1_748_754_000_000], pa.int64()).cast(pa.timestamp("ms")), "2025-06-01T05:00:00"),
        (pa.array([None], pa.timestamp("us")), None),
        (pa.array([2**62], pa.int64()).cast(pa.timestamp("us")), f"{2**62} us"),
        (pa.array([1_748_754_000], pa.int64()), 1_748_754_000),
    ],
)
def test_timestamps_of_every_type(array: pa.Array, texts: object) -> None:
    assert rows_of(table_of(pa.array(["{}"]), timestamp=array))[0].item["timestamp"] == texts


def test_missing_columns_are_named_or_passed_over() -> None:
    with pytest.raises(InputRejected, match="event"):
        rows_of(pa.table({"properties": ["{}"]}))
    with pytest.raises(InputRejected, match="int64 is not JSON text"):
        rows_of(pa.table({"event": ["e"], "properties": [1]}))
    assert rows_of(pa.table({"event": ["e"], "properties": ["{}"]}))[0].item == {"event": "e", "properties": "{}"}
    assert rows_of(table_of(pa.array([], pa.string()))) == []


def test_damaged_files_are_refused() -> None:
    whole = packed(table_of(pa.array(["{}"] * 100))).getvalue()
    for damaged in (whole[:-8], whole[: len(whole) // 2], b"PAR1" + whole[200:], whole[:4] + b"\xff" * 60 + whole[64:]):
        with pytest.raises(InputRejected, match="damaged"):
            list(parquet_rows(io.BytesIO(damaged), DEFAULT_LIMITS, lambda done: None))


def test_one_huge_value_repeated_a_million_times_is_not_unfolded() -> None:
    """A dictionary makes a small file of it; read 1,024 rows at once it would take 1 GB."""
    huge = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), pa.array(["x" * (1 << 20)]))
    content = packed(table_of(huge), compression="zstd")
    assert len(content.getvalue()) < 1 << 20
    before = pa.total_allocated_bytes()
    peak = 0
    for row in parquet_rows(content, DEFAULT_LIMITS, lambda done: None):
        peak = max(peak, pa.total_allocated_bytes() - before)
        if row.number == 40:
            break
    assert 1 << 20 < peak < 128 << 20
    content.seek(0)
    with pytest.raises(InputRejected, match="unpacks to more than"):
        list(parquet_rows(content, Limits(max_decompressed_bytes=20 << 20), lambda done: None))
    content.seek(0)
    with pytest.raises(InputRejected, match="bomb"):
        list(parquet_rows(content, Limits(ratio_free_bytes=20 << 20), lambda done: None))


def test_plain_pages_that_declare_a_bomb_are_refused_before_reading() -> None:
    table = table_of(pa.array(["x" * (1 << 20)] * 8))
    with pytest.raises(InputRejected, match="bomb"):
        rows_of(table, Limits(ratio_free_bytes=1 << 20), compression="zstd", use_dictionary=False)


def test_rows_come_in_order_over_row_groups_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_source, "_MOST_BATCH_ROWS", 7)
    texts = [f'{{"n":{n}}}' for n in range(50)]
    done: list[int] = []
    rows = list(parquet_rows(packed(table_of(pa.array(texts)), row_group_size=20), DEFAULT_LIMITS, done.append))
    assert [row.item["properties"] for row in rows] == texts
    assert [row.number for row in rows] == list(range(1, 51))
    assert done == sorted(done) and done[-1] > 0
