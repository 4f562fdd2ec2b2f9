"""Ingesting a file, end to end: real events in every format, bad rows, duplicates, hostile names."""

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llma_assets.errors import InputRejected, PartitionCorrupt
from llma_assets.ingest import IngestReport, Limits, QuarantineReason, ingest_file
from llma_assets.lake import Lake
from llma_assets.tables.ingest import INGESTS, QUARANTINE, TRACE_EVENTS
from llma_assets.team_day import TeamDay
from llma_assets_tests import FIXTURES

REAL = FIXTURES / "ingest_events.jsonl"
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
Snapshot = Callable[[], dict[str, bytes]]


def real() -> list[dict[str, Any]]:
    return [json.loads(line) for line in REAL.read_bytes().splitlines()]


def rows_in(lake: Lake, team: str = "acme", table: str = "trace_events") -> list[dict[str, Any]]:
    if table == "trace_events":
        paths = [path for day in lake.days(table, team) for path in lake.files(table, day)]
    else:
        paths = lake.team_files(table, team)
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def as_lines(events: list[Any]) -> bytes:
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


def as_parquet(path: Path) -> None:
    rows = [event | {"properties": orjson.dumps(event["properties"]).decode()} for event in real()]
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_real_events_are_kept_whole(lake: Lake) -> None:
    report = ingest_file(lake, REAL, "acme", AT)
    events = real()
    days = Counter(date.fromisoformat(event["timestamp"][:10]) for event in events)
    assert (report.rows_read, report.rows_kept, report.rows_quarantined, report.values_nulled) == (37, 37, 0, 0)
    assert report.dates == tuple(sorted(days)) and report.rows_by_date == dict(days)
    assert not report.already_ingested and report.source_file == "ingest_events.jsonl"
    rows = {row["uuid"]: row for row in rows_in(lake)}
    for event in events:
        row, given = rows[event["uuid"]], event["properties"]
        assert orjson.loads(row["properties"]) == given
        assert row["event"] == event["event"] and row["distinct_id"] == event["distinct_id"]
        assert row["timestamp"] == datetime.fromisoformat(event["timestamp"])
        assert row["date"] == row["timestamp"].date() and row["team_id"] == "acme" and row["ingested_at"] == AT
        assert row["trace_id"] == given["$ai_trace_id"] and row["model"] == given.get("$ai_model")
        assert row["latency_s"] == given.get("$ai_latency") and row["cost_usd"] == given.get("$ai_total_cost_usd")
        assert row["input_tokens"] == given.get("$ai_input_tokens")
    assert any(row["latency_s"] for row in rows.values()) and any(row["input_tokens"] for row in rows.values())
    (ledger,) = rows_in(lake, table="ingests")
    assert ledger["rows_kept"] == 37 and ledger["bytes"] == REAL.stat().st_size
    assert tuple(ledger["dates"]) == report.dates
    assert ledger["sha256"].startswith(report.ingest_id) and len(report.ingest_id) == 16


def test_files_have_the_declared_schema_and_file_order(lake: Lake, ingest: Callable[..., IngestReport]) -> None:
    ingest([event | {"timestamp": "2026-01-01T00:00:00Z"} for event in real()] + [{"event": "x"}])
    (day,) = lake.days("trace_events", "acme")
    (path,) = lake.files("trace_events", day)
    assert pq.read_schema(path).remove_metadata().equals(TRACE_EVENTS.schema)
    assert pq.read_schema(lake.team_files("quarantine", "acme")[0]).remove_metadata().equals(QUARANTINE.schema)
    assert pq.read_schema(lake.team_files("ingests", "acme")[0]).remove_metadata().equals(INGESTS.schema)
    assert [row["uuid"] for row in rows_in(lake)] == [event["uuid"] for event in real()]
    counted = duckdb.connect().execute("SELECT count(DISTINCT trace_id) FROM read_parquet($1)", [path])
    assert counted.fetchone() == (len({event["properties"]["$ai_trace_id"] for event in real()}),)


@pytest.mark.parametrize("name", ["plain.jsonl", "packed.jsonl.gz", "packed.txt", "plain.gz", "array.json", "crlf"])
def test_every_text_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    content = REAL.read_bytes()
    if name.startswith("packed"):
        content = gzip.compress(content)
    elif name == "array.json":
        content = json.dumps(real(), indent=1).encode()
    elif name == "crlf":
        content = b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n\r\n").rstrip()
    (tmp_path / name).write_bytes(content)
    assert _content(tmp_path / name) == _content(REAL)


def _content(path: Path) -> list[tuple[Any, ...]]:
    lake = Lake(f"lake-of-{path.name}-in-{path.parent.name}")  # the tests' current folder is a temporary one
    ingest_file(lake, path, "acme", AT)
    return sorted((row["uuid"], row["content_hash"], row["properties"], row["cost_usd"]) for row in rows_in(lake))


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    as_parquet(tmp_path / "events.jsonl")  # by content, not by name
    assert _content(tmp_path / "events.jsonl") == _content(REAL)


def test_the_same_file_twice_changes_nothing(lake: Lake, tmp_path: Path, snapshot: Snapshot) -> None:
    dirty = as_lines([*real(), {"event": "$pageview"}, 5])
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).write_bytes(dirty)
    first = ingest_file(lake, tmp_path / "one.jsonl", "acme", AT)
    before = snapshot()
    again = ingest_file(lake, tmp_path / "two.jsonl", "acme", AT + timedelta(days=5))
    assert snapshot() == before
    assert again.already_ingested and again.source_file == "one.jsonl"
    for name in ("ingest_id", "rows_read", "rows_kept", "quarantined_by_reason", "dates", "rows_by_date"):
        assert getattr(again, name) == getattr(first, name)
    other = ingest_file(lake, tmp_path / "one.jsonl", "other", AT)
    assert not other.already_ingested
    assert set(before.items()) <= set(snapshot().items())


def test_a_deleted_damaged_day_is_written_again_as_it_was(lake: Lake, snapshot: Snapshot) -> None:
    report = ingest_file(lake, REAL, "acme", AT)
    before = snapshot()
    path = Path(lake.path("trace_events", TeamDay("acme", report.dates[0]), f"{report.ingest_id}.parquet"))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(PartitionCorrupt, match="delete the file"):
        ingest_file(lake, REAL, "acme", AT + timedelta(days=1))
    path.unlink()
    assert not ingest_file(lake, REAL, "acme", AT + timedelta(days=1)).already_ingested
    assert snapshot() == before


def test_a_second_file_for_a_day_adds_to_it(lake: Lake, ingest: Callable[..., IngestReport]) -> None:
    ingest(real()[:20])
    ingest(real()[20:])
    assert {row["uuid"] for row in rows_in(lake)} == {event["uuid"] for event in real()}


def test_duplicate_deliveries_are_kept_and_counted(ingest: Callable[..., IngestReport], lake: Lake) -> None:
    """F23: rows are what was delivered; equal ones have equal hashes, so that readers can join them."""
    events = [event for event in real() for _ in range(3)]
    assert ingest(events).rows_kept == 111
    hashes: dict[str, set[int]] = {}
    for row in rows_in(lake):
        hashes.setdefault(row["uuid"], set()).add(row["content_hash"])
    assert len(hashes) == 37 and all(len(found) == 1 for found in hashes.values())


def test_bad_rows_are_counted_with_line_and_reason(lake: Lake, tmp_path: Path) -> None:
    lines = REAL.read_bytes().splitlines()
    lines[4:4] = [b"", b"{nope", b"[1]", orjson.dumps(real()[0] | {"timestamp": "9999-01-01"})]
    path = tmp_path / "dirty.jsonl"
    path.write_bytes(b"\n".join(lines) + b'\n{"uuid":"cut off')
    report = ingest_file(lake, path, "acme", AT)
    assert (report.rows_read, report.rows_kept, report.rows_quarantined) == (41, 37, 4)
    assert report.quarantined_by_reason == {"invalid_json": 2, "not_an_object": 1, "timestamp_out_of_range": 1}
    found = [(row["line_number"], row["reason"]) for row in rows_in(lake, table="quarantine")]
    assert found == [(6, "invalid_json"), (7, "not_an_object"), (8, "timestamp_out_of_range"), (42, "invalid_json")]
    raws = [row["raw"] for row in rows_in(lake, table="quarantine")]
    assert raws[0] == "{nope" and raws[3] == '{"uuid":"cut off'


def test_a_mostly_bad_file_is_refused_whole(lake: Lake, tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_bytes(as_lines([*real()[:10], *[{"event": "$pageview"}] * 9, *[[]] * 3]))
    with pytest.raises(InputRejected, match=r"12 of 22 rows .*9 not_an_ai_event, 3 not_an_object.*max_bad_share"):
        ingest_file(lake, path, "acme", AT)
    assert snapshot() == {} and lake.teams() == [] and lake.teams("quarantine") == []
    assert ingest_file(lake, path, "acme", AT, max_bad_share=1.0).rows_kept == 10
    path.write_bytes(as_lines([*real()[:9], *[{}] * 10]))
    assert ingest_file(lake, path, "acme", AT).rows_quarantined == 10


def test_one_bad_line_in_many_is_no_reason_to_refuse(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    event = {"uuid": "u", "event": "$ai_span", "timestamp": 1_767_225_600, "properties": {"$ai_trace_id": "t"}}
    line = as_lines([event])
    path.write_bytes(line * 30_000 + b"bad\n" + line * 5_000)
    report = ingest_file(lake, path, "acme", AT)
    assert (report.rows_kept, report.quarantined_by_reason) == (35_000, {"invalid_json": 1})
    assert rows_in(lake, table="quarantine")[0]["line_number"] == 30_001


def test_a_row_that_is_too_long_is_quarantined_in_part(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"x" * (3 << 20) + b"\n" + REAL.read_bytes())
    report = ingest_file(lake, path, "acme", AT, limits=Limits(max_row_bytes=2 << 20))
    assert report.rows_kept == 37 and report.quarantined_by_reason == {QuarantineReason.TOO_LONG: 1}
    (row,) = rows_in(lake, table="quarantine")
    assert len(row["raw"]) == 1 << 20 and f"{2 << 20} bytes of the row are left out" in row["detail"]


def test_little_memory_gives_the_same_rows(tmp_path: Path) -> None:
    """Days that interleave, spilled piece by piece, come out whole and in file order."""
    events = [
        event | {"uuid": f"{n}-{event['uuid']}", "timestamp": f"2026-{1 + n % 2:02d}-{1 + i % 28:02d}T00:00:00Z"}
        for n in range(12)
        for i, event in enumerate(real())
    ]
    (tmp_path / "many.jsonl").write_bytes(as_lines(events))
    found = []
    for name, limits in (("small", Limits(buffer_bytes=50_000, row_group_bytes=20_000)), ("large", Limits())):
        lake = Lake(str(tmp_path / name))
        report = ingest_file(lake, tmp_path / "many.jsonl", "acme", AT, limits=limits)
        assert report.rows_kept == 444 and len(report.dates) == 56
        found.append(rows_in(lake))
    assert found[0] == found[1]
    expected = sorted(events, key=lambda event: event["timestamp"])  # stable: file order within a day
    assert [row["uuid"] for row in found[0]] == [event["uuid"] for event in expected]


@pytest.mark.parametrize("team", ["", "../x", "a/b", "a|b", "a\nb", "a\0b", "con", "x" * 65, "å"])
def test_hostile_team_names_are_refused(lake: Lake, team: str) -> None:
    with pytest.raises(InputRejected, match="team"):
        ingest_file(lake, REAL, team, AT)
    assert not Path(lake.root).exists()


def test_teams_that_differ_only_in_case_are_refused(lake: Lake) -> None:
    ingest_file(lake, REAL, "acme", AT)
    with pytest.raises(InputRejected, match="differs only in case"):
        ingest_file(lake, REAL, "Acme", AT)


def test_a_team_without_a_usable_row_keeps_its_name(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"bad\n")
    assert ingest_file(lake, path, "acme", AT).rows_kept == 0
    with pytest.raises(InputRejected, match="'ACME' differs only in case from 'acme'"):
        ingest_file(lake, REAL, "ACME", AT)


@pytest.mark.parametrize("name", ["a'b.jsonl", "..jsonl", "line\nbreak", "\x1b[31mred", "-rf", "é.jsonl", "%2e%2e"])
def test_hostile_file_names_write_nothing_elsewhere(lake: Lake, tmp_path: Path, name: str, snapshot: Snapshot) -> None:
    path = tmp_path / "in" / name
    path.parent.mkdir()
    path.write_bytes(REAL.read_bytes())
    outside = {p for p in tmp_path.rglob("*") if not p.is_relative_to(lake.root)}
    report = ingest_file(lake, path, "acme", AT)
    assert report.source_file == name
    assert {p for p in tmp_path.rglob("*") if not p.is_relative_to(lake.root)} == outside
    assert {p.split("/")[0] for p in snapshot()} == {"trace_events", "ingests"}
    path.write_bytes(b"bad\n" * 30)
    with pytest.raises(InputRejected) as caught:
        ingest_file(lake, path, "acme", AT)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("table", ["trace_events", "ingests", "quarantine"])
def test_a_link_out_of_the_lake_is_not_followed(lake: Lake, tmp_path: Path, table: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    Path(lake.root, table).mkdir(parents=True)
    Path(lake.root, table, "team=acme").symlink_to(outside)
    path = tmp_path / "dirty.jsonl"
    path.write_bytes(REAL.read_bytes() + b"bad\n")
    with pytest.raises(InputRejected, match="leaves the lake"):
        ingest_file(lake, path, "acme", AT)
    assert list(outside.iterdir()) == []


def test_what_is_no_file_is_refused(lake: Lake, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(InputRejected, match="not a regular file"):
            ingest_file(lake, path, "acme", AT)
    with pytest.raises(FileNotFoundError):
        ingest_file(lake, tmp_path / "absent", "acme", AT)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]"])
def test_an_empty_file_is_done_and_holds_nothing(lake: Lake, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty").write_bytes(content)
    report = ingest_file(lake, tmp_path / "empty", "acme", AT)
    assert (report.rows_read, report.dates) == (0, ())
    assert ingest_file(lake, tmp_path / "empty", "acme", AT).already_ingested


def test_a_file_that_grows_while_it_is_read_is_refused(lake: Lake, tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "growing.jsonl"
    path.write_bytes(REAL.read_bytes())

    def grow(done: int, total: int) -> None:
        with open(path, "ab") as file:
            file.write(b"\n")

    with pytest.raises(InputRejected, match="changed while it was read"):
        ingest_file(lake, path, "acme", AT, on_progress=grow)
    assert snapshot() == {}


def test_progress_ends_at_the_size_of_the_file(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(REAL.read_bytes()))
    as_parquet(tmp_path / "e.parquet")
    for path in (REAL, tmp_path / "e.jsonl.gz", tmp_path / "e.parquet"):
        seen: list[tuple[int, int]] = []
        ingest_file(lake, path, path.name.replace(".", "_"), AT, on_progress=lambda *at, seen=seen: seen.append(at))
        size = path.stat().st_size
        assert seen == sorted(seen) and seen[-1] == (size, size)


def test_wrong_arguments_are_named(lake: Lake) -> None:
    with pytest.raises(InputRejected, match="ingested_at"):
        ingest_file(lake, REAL, "acme", AT.replace(tzinfo=None))
    with pytest.raises(InputRejected, match="max_bad_share"):
        ingest_file(lake, REAL, "acme", AT, max_bad_share=2)


def test_a_lake_on_an_object_store(tmp_path: Path) -> None:
    lake = Lake("memory://ingest-test/lake")
    (tmp_path / "dirty.jsonl").write_bytes(REAL.read_bytes() + b"bad\n")
    report = ingest_file(lake, tmp_path / "dirty.jsonl", "acme", AT)
    assert report.rows_kept == 37 and [day.day for day in lake.days("trace_events", "acme")] == list(report.dates)
    again = ingest_file(lake, tmp_path / "dirty.jsonl", "acme", AT)
    assert again.already_ingested and again.rows_by_date == report.rows_by_date
    paths = [path for day in lake.days("trace_events", "acme") for path in lake.files("trace_events", day)]
    assert sum(pq.read_metadata(pa.BufferReader(lake.fs.cat_file(path))).num_rows for path in paths) == 37
