"""Partitions are replaced whole, read with checksums, and locked for one writer."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from llma_assets.errors import InputRejected, PartitionCorrupt, PartitionLocked, PartitionMissing
from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import CHUNK_ROWS, Checkpoint
from llma_assets.tables import TABLES
from llma_assets.tables.embeddings import EMBEDDINGS
from llma_assets.team_day import TeamDay
from llma_assets_tests import ROOT

DAY = TeamDay("acme", date(2026, 1, 2))


def rows(*item_ids: str) -> pa.Table:
    one = {
        "team_id": "acme", "date": DAY.day, "level": "trace", "trace_timestamp": DAY.start, "status": "embedded",
        "reason": None, "model": "m", "dim": 2, "content_hash": "h", "embedding": [0.6, 0.8], "generation_id": None,
    }  # fmt: skip
    return pa.Table.from_pylist([one | {"item_id": i, "trace_id": i} for i in item_ids], EMBEDDINGS.schema)


@pytest.mark.parametrize("url", ["{tmp}/lake", "memory://lake-{tmp}"])
def test_a_partition_is_replaced_and_its_version_kept(url: str, tmp_path: Path) -> None:
    lake = Lake(url.format(tmp=tmp_path))
    lake.write("embeddings", DAY, rows("a", "b"), "v1")
    first = lake.write("embeddings", DAY, rows("c"), "v2")
    assert lake.read("embeddings", DAY)["item_id"].to_pylist() == ["c"]
    assert lake.source_version("embeddings", DAY) == "v2"
    assert lake.write("embeddings", DAY, rows("c"), "v2").sha256 == first.sha256
    assert (lake.teams("embeddings"), lake.days("embeddings", "acme")) == (["acme"], [DAY])


def test_an_empty_partition_is_a_file_and_a_missing_one_an_error(lake: Lake) -> None:
    with pytest.raises(PartitionMissing, match=r"embeddings 2026-01-02\|acme"):
        lake.read("embeddings", DAY)
    lake.write("embeddings", DAY, rows())
    assert lake.read("embeddings", DAY).num_rows == 0
    assert lake.read_days("embeddings", DAY.window(3), ["item_id"]).num_rows == 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (rows("a").drop_columns(["dim"]), "missing .*dim"),
        (rows("a").append_column("x", pa.array([1])), "unknown .*x"),
        (rows("a").set_column(9, "model", pa.array([None], pa.string())), "'model' with null"),
        (rows("a").set_column(0, "team_id", pa.array([["nested"]])), "do not fit"),
    ],
)
def test_rows_that_do_not_fit_the_schema_are_refused_and_change_nothing(
    lake: Lake, broken: pa.Table, message: str
) -> None:
    lake.write("embeddings", DAY, rows("kept"))
    with pytest.raises(InputRejected, match=message):
        lake.write("embeddings", DAY, broken)
    assert lake.read("embeddings", DAY)["item_id"].to_pylist() == ["kept"]


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_file_is_named_and_never_read(lake: Lake, damage: str) -> None:
    path = Path(lake.write("embeddings", DAY, rows(*"abcdefgh")).path)
    content = bytearray(path.read_bytes())
    # F6: one damaged byte in the data pages, or a lost tail.
    content = content[:-8] if damage == "cut" else content
    if damage == "flip":
        content[content.index(b"acme") if b"acme" in content else 40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(PartitionCorrupt, match=r"part\.parquet"):
        lake.read("embeddings", DAY)


def test_a_newer_schema_version_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llma_assets.lake.store.SCHEMA_VERSION", 99)
    lake.write("embeddings", DAY, rows("a"))
    monkeypatch.undo()
    with pytest.raises(PartitionCorrupt, match="newer"):
        Lake(lake.url).read("embeddings", DAY)


def test_columns_that_a_file_was_written_without_are_null(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """F36: a table that got columns since, one of them within a list."""
    part = pa.struct([pa.field("text", pa.string(), nullable=False)])
    old = pa.schema(
        [EMBEDDINGS.schema.field("team_id"), EMBEDDINGS.schema.field("date"), pa.field("parts", pa.list_(part))]
    )
    new_part = pa.struct([*part, pa.field("rank", pa.int64())])
    new = pa.schema([*old.remove(2), pa.field("parts", pa.list_(new_part)), pa.field("note", pa.string())])
    row = {"team_id": "acme", "date": DAY.day, "parts": [{"text": "a"}]}
    monkeypatch.setitem(TABLES, "embeddings", SimpleNamespace(schema=old))
    lake.write("embeddings", DAY, pa.Table.from_pylist([row], old))
    monkeypatch.setitem(TABLES, "embeddings", SimpleNamespace(schema=new))
    found = lake.read("embeddings", DAY)
    assert found.schema.equals(new)
    assert found.to_pylist() == [row | {"parts": [{"text": "a", "rank": None}], "note": None}]
    assert lake.read("embeddings", DAY, ["note", "team_id"]).to_pylist() == [{"note": None, "team_id": "acme"}]
    assert lake.read_days("embeddings", DAY.window(2), ["note"])["note"].to_pylist() == [None]
    monkeypatch.setitem(
        TABLES, "embeddings", SimpleNamespace(schema=pa.schema([*new, pa.field("must", pa.int64(), nullable=False)]))
    )
    with pytest.raises(PartitionCorrupt, match="before it had a column 'must'"):
        lake.read("embeddings", DAY)


def test_the_file_that_says_what_a_table_looks_like_follows_the_table(lake: Lake) -> None:
    path = f"{lake.root}/embeddings/schema.parquet"
    lake.write_schema(path, EMBEDDINGS.schema.remove(3))
    before = Path(path).stat().st_ino
    lake.write_schema(path, EMBEDDINGS.schema.remove(3))
    assert Path(path).stat().st_ino == before
    lake.write_schema(path, EMBEDDINGS.schema)
    with lake.open_parquet(path) as file:
        assert file.schema_arrow.equals(EMBEDDINGS.schema)


WRITER = """
import sys, pyarrow as pa
from datetime import date
sys.path.append({root!r})
from llma_assets_tests.lake.test_store import DAY, rows
from llma_assets.lake import Lake
lake = Lake({url!r})
with lake.lock("embeddings", DAY):
    lake.write("embeddings", DAY, rows("new"), "v2")
"""


@pytest.mark.parametrize(
    ("point", "expected"),
    [("before_write", "old"), ("after_write", "old"), ("before_rename", "old"), ("after_rename", "new")],
)
def test_a_killed_writer_leaves_the_old_partition_or_the_new(lake: Lake, point: str, expected: str) -> None:
    """F1: killed at each write point; a later writer sweeps what was left."""
    lake.write("embeddings", DAY, rows("old"), "v1")
    script = WRITER.format(root=str(ROOT), url=lake.url)
    killed = subprocess.run([sys.executable, "-c", script], env=os.environ | {"LLMA_KILL_AT": point}, check=False)
    assert killed.returncode == -9
    assert lake.read("embeddings", DAY)["item_id"].to_pylist() == [expected]
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    assert lake.read("embeddings", DAY)["item_id"].to_pylist() == ["new"]
    assert [p.name for p in Path(lake.folder("embeddings", DAY)).iterdir()] == ["part.parquet"]


def test_a_second_writer_is_told_and_a_dead_one_is_forgotten(lake: Lake) -> None:
    """F8 and F10: the lock of a live process holds, that of a killed one does not."""
    hold = (
        "import sys, time\nfrom datetime import date\nfrom llma_assets.lake import Lake\n"
        "from llma_assets.team_day import TeamDay\n"
        f"with Lake({lake.url!r}).lock('embeddings', TeamDay('acme', date(2026, 1, 2))):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        impatient = Lake(lake.url, lock_timeout_s=0.3)
        with pytest.raises(PartitionLocked, match="another process"), impatient.lock("embeddings", DAY):
            pass
        holder.kill()
        holder.wait()
    with impatient.lock("embeddings", DAY):
        lake.write("embeddings", DAY, rows("a"))


def test_paths_stay_inside_the_lake(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="leaves the lake"):
        lake.write_bytes(f"{lake.root}/../outside", b"x")
    Path(lake.root).mkdir(parents=True)
    Path(lake.root, "link").symlink_to(tmp_path)
    with pytest.raises(InputRejected, match="leaves the lake"):
        lake.write_bytes(f"{lake.root}/link/outside", b"x")
    assert not (tmp_path / "outside").exists()


def test_a_full_disk_is_named_and_leaves_the_old_partition(lake: Lake) -> None:
    """F4: a write that the system cuts short."""
    lake.write("embeddings", DAY, rows("old"))
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    ) + WRITER.format(root=str(ROOT), url=lake.url)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "part.parquet" in done.stderr
    assert lake.read("embeddings", DAY)["item_id"].to_pylist() == ["old"]
    assert [p.name for p in Path(lake.folder("embeddings", DAY)).iterdir()] == ["part.parquet"]


def _point(item: str) -> dict[str, Any]:
    return rows(item).to_pylist()[0]


def test_a_checkpoint_keeps_rows_until_it_is_cleared(lake: Lake) -> None:
    with Checkpoint(lake, "embeddings", DAY, EMBEDDINGS.schema) as first:
        first.append([_point("a")])
        first.append([_point("b")])
        assert first.read()["item_id"].to_pylist() == ["a", "b"], "readable while it is open"
    with Checkpoint(lake, "embeddings", DAY, EMBEDDINGS.schema) as second:
        second.append([_point("c")])
        assert second.read()["item_id"].to_pylist() == ["a", "b", "c"], "oldest first"
        assert Checkpoint(lake, "embeddings", DAY, pa.schema([("other", pa.string())])).read().num_rows == 0
        second.clear()
        assert second.read().num_rows == 0
        second.append([_point("d")])
        assert second.read()["item_id"].to_pylist() == ["d"]


def test_a_journal_that_was_cut_off_keeps_what_is_whole(lake: Lake) -> None:
    with Checkpoint(lake, "embeddings", DAY, EMBEDDINGS.schema) as checkpoint:
        for number in range(20):
            checkpoint.append([_point(f"i{number:02d}")])
        (journal,) = Path(lake.root, ".checkpoints").rglob("*.arrows")
        content = journal.read_bytes()
        kept = []
        for length in range(0, len(content), 97):
            journal.write_bytes(content[:length])
            found = checkpoint.read()["item_id"].to_pylist()
            assert found == [f"i{number:02d}" for number in range(len(found))]
            kept.append(len(found))
    assert kept == sorted(kept) and kept[0] == 0 and kept[-1] >= 19


def test_on_an_object_store_a_checkpoint_is_made_of_chunks() -> None:
    lake = Lake("memory://checkpoints")
    with Checkpoint(lake, "embeddings", DAY, EMBEDDINGS.schema) as checkpoint:
        for number in range(CHUNK_ROWS + 1):
            checkpoint.append([_point(f"i{number:02d}")])
        assert checkpoint.read().num_rows == CHUNK_ROWS
    assert checkpoint.read().num_rows == CHUNK_ROWS + 1, "leaving keeps what still waits"
    checkpoint.clear()
    assert checkpoint.read().num_rows == 0


def test_every_table_has_an_empty_form() -> None:
    for schema in (table.schema for table in TABLES.values()):
        assert schema.empty_table().schema == schema
