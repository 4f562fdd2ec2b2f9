"""A file written in row groups is visible whole or not at all, and a lock outlives no process."""

import hashlib
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llma_assets.errors import InputRejected, PartitionLocked
from llma_assets.lake import Lake
from llma_assets.lake.locks import file_lock
from llma_assets.lake.writer import TableWriter
from llma_assets.tables.ingest import QUARANTINE


def rows(count: int, reason: str = "bad") -> pa.Table:
    fixed = {"team_id": "t", "ingest_id": "i", "source_file": "f", "detail": "", "raw": "x" * 50}
    return pa.Table.from_pylist(
        [fixed | {"line_number": n, "reason": reason} for n in range(count)], schema=QUARANTINE.schema
    )


def path_in(lake: Lake) -> str:
    return f"{lake.root}/quarantine/team=t/i.parquet"


@pytest.mark.parametrize("url", [None, "memory://writer-test/lake"])
def test_row_groups_become_one_file(lake: Lake, url: str | None) -> None:
    lake = Lake(url) if url else lake
    with TableWriter(lake, "quarantine", path_in(lake), text_columns=("raw",)) as writer:
        writer.write(rows(3))
        writer.write(rows(5))
        written = writer.commit()
    content = lake.fs.cat_file(path_in(lake))
    assert (written.rows, written.size_bytes) == (8, len(content))
    assert written.sha256 == hashlib.sha256(content).hexdigest()
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    assert file.read().replace_schema_metadata(None).equals(pa.concat_tables([rows(3), rows(5)]))
    assert file.metadata.num_row_groups == 2
    raw = file.metadata.row_group(0).column(QUARANTINE.schema.get_field_index("raw"))
    assert not raw.has_dictionary_page and file.metadata.row_group(0).column(0).has_dictionary_page


def test_nothing_is_visible_before_commit_and_nothing_left_without(lake: Lake) -> None:
    folder = Path(path_in(lake)).parent
    with TableWriter(lake, "quarantine", path_in(lake)) as writer:
        writer.write(rows(3))
        assert lake.team_files("quarantine", "t") == [] and len(list(folder.iterdir())) == 1
    assert list(folder.iterdir()) == []


def test_an_error_keeps_what_was_there(lake: Lake) -> None:
    with TableWriter(lake, "quarantine", path_in(lake)) as writer:
        writer.write(rows(3))
        writer.commit()
    before = Path(path_in(lake)).read_bytes()
    with (
        pytest.raises(InputRejected, match="columns missing"),
        TableWriter(lake, "quarantine", path_in(lake)) as writer,
    ):
        writer.write(rows(3).drop_columns(["raw"]))
    assert Path(path_in(lake)).read_bytes() == before
    assert len(list(Path(path_in(lake)).parent.iterdir())) == 1


def test_a_path_outside_the_lake_is_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="leaves the lake"):
        TableWriter(lake, "quarantine", f"{lake.root}/../elsewhere/x.parquet")
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_is_held_by_one_and_leaves_no_file(lake: Lake) -> None:
    with file_lock(lake.root, "one", 1.0):
        with pytest.raises(PartitionLocked, match="one is held"), file_lock(lake.root, "one", 0.0):
            pass
        with file_lock(lake.root, "two", 0.0):
            pass
    assert list(Path(lake.root, ".locks").iterdir()) == []
    with file_lock(lake.root, "one", 0.0):
        pass


def test_many_who_wait_enter_one_by_one(lake: Lake) -> None:
    """The file goes with each holder: nobody may end up with a lock on a name that is gone."""
    inside = most = 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(5):
            with file_lock(lake.root, "busy", 60.0):
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)


@pytest.mark.parametrize("name", ["../x", "a/b", ""])
def test_a_lock_name_is_a_file_name(lake: Lake, name: str) -> None:
    with pytest.raises(InputRejected, match="not a file name"), file_lock(lake.root, name, 0.0):
        pass
