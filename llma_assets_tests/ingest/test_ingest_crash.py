"""F1, F4, F8: killed at each point, on a full disk, and twice at once."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from llma_assets.errors import InputRejected, PartitionLocked
from llma_assets.ingest import ingest_file
from llma_assets.ingest.run import KILL_POINTS
from llma_assets.lake import Lake
from llma_assets_tests import FIXTURES

REAL = FIXTURES / "ingest_events.jsonl"
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
STORE_POINTS = ("before_write", "after_write", "before_rename", "after_rename")
CHILD = """
import resource, sys
from datetime import datetime
from pathlib import Path
from llma_assets.ingest import Limits, ingest_file
from llma_assets.lake import Lake
lake, path, at, most = sys.argv[1:]
if int(most):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
limits = Limits(buffer_bytes=60_000, row_group_bytes=40_000)
print(ingest_file(Lake(lake), Path(path), "acme", datetime.fromisoformat(at), limits=limits).already_ingested)
"""


# Is in the middle of the ingest, and so holds its lock, until its standard input is closed.
HOLDER = """
import sys
from datetime import datetime
from pathlib import Path
from llma_assets.ingest import ingest_file
from llma_assets.lake import Lake
def wait(*_):
    print("held", flush=True)
    sys.stdin.read()
lake, path, at = sys.argv[1:]
ingest_file(Lake(lake), Path(path), "acme", datetime.fromisoformat(at), on_progress=wait)
"""


def start(lake: Lake, path: Path, kill_at: str = "", most_bytes: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, lake.root, str(path), AT.isoformat(), str(most_bytes)]
    environment = os.environ | ({"LLMA_KILL_AT": kill_at} if kill_at else {})
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def all_files(root: str) -> dict[str, bytes]:
    """Everything under a lake, hidden files too."""
    paths = sorted(path for path in Path(root).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "dirty.jsonl"
    path.write_bytes(REAL.read_bytes() + b"bad\n")
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, dirty: Path) -> dict[str, bytes]:
    lake = Lake(str(tmp_path_factory.mktemp("undisturbed")))
    ingest_file(lake, dirty, "acme", AT)
    return all_files(lake.root)


@pytest.mark.parametrize("point", [*STORE_POINTS, *KILL_POINTS])
def test_killed_and_run_again_is_as_never_killed(
    lake: Lake, dirty: Path, undisturbed: dict[str, bytes], point: str
) -> None:
    earlier = Path(lake.root, "trace_events/team=acme/date=2025-06-02/0123456789abcdef.parquet")
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(b"of another file")
    child = start(lake, dirty, kill_at=point)
    child.communicate(timeout=60)
    assert child.returncode == -9
    left = all_files(lake.root)
    # Whatever is visible is whole, and the ledger row is there only with everything else.
    visible = {path: content for path, content in left.items() if not Path(path).name.startswith(".")}
    del visible["trace_events/team=acme/date=2025-06-02/0123456789abcdef.parquet"]
    visible = {path: content for path, content in visible.items() if not path.startswith(".locks/")}
    assert visible.items() <= undisturbed.items()
    committed = any(path.startswith("ingests/") for path in visible)
    assert committed == (point == "ingest_after_ledger") and (not committed or visible == undisturbed)
    assert ingest_file(lake, dirty, "acme", AT).already_ingested == committed
    after = all_files(lake.root)
    assert after.pop("trace_events/team=acme/date=2025-06-02/0123456789abcdef.parquet") == b"of another file"
    assert {path: content for path, content in after.items() if not path.startswith(".locks/")} == undisturbed


def test_a_rerun_that_is_refused_leaves_nothing_of_the_first_try(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "half.jsonl"
    path.write_bytes(b"\n".join(REAL.read_bytes().splitlines()[:12]) + b"\nbad" * 10)
    child = start(lake, path, kill_at="ingest_between_files")
    child.communicate(timeout=60)
    assert child.returncode == -9 and lake.days("trace_events", "acme")
    with pytest.raises(InputRejected):
        ingest_file(lake, path, "acme", AT, max_bad_share=0.1)
    assert all_files(lake.root) == {}


def test_under_an_earlier_clock_no_later_day_stays(lake: Lake) -> None:
    child = start(lake, REAL, kill_at="ingest_before_ledger")
    child.communicate(timeout=60)
    assert len(lake.days("trace_events", "acme")) == 9
    report = ingest_file(lake, REAL, "acme", AT - timedelta(days=365))
    assert [day.day for day in lake.days("trace_events", "acme")] == list(report.dates) and len(report.dates) == 8


@pytest.mark.parametrize("most_bytes", [1_000, 15_000])
def test_a_full_disk_is_named_and_leaves_nothing(lake: Lake, tmp_path: Path, most_bytes: int) -> None:
    """The smaller limit stops the temporary file, the larger one a day's own file."""
    path = tmp_path / "one_day.jsonl"
    stamp = b'"timestamp":"2025-06-02T00:00:00Z"'
    path.write_bytes(re.sub(rb'"timestamp": ?"[^"]*"', stamp, REAL.read_bytes()))
    child = start(lake, path, most_bytes=most_bytes)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "cannot write" in error.splitlines()[-1] and lake.root in error.splitlines()[-1]
    assert all_files(lake.root) == {}
    assert ingest_file(lake, path, "acme", AT).rows_kept == 37


def test_two_processes_with_one_file(lake: Lake, dirty: Path, undisturbed: dict[str, bytes]) -> None:
    children = [start(lake, dirty) for _ in range(2)]
    answers = [child.communicate(timeout=60)[0].strip() for child in children]
    assert sorted(answers) == ["False", "True"]
    assert all_files(lake.root) == undisturbed


@pytest.fixture
def holder(lake: Lake, dirty: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has begun to ingest the same file."""
    command = [sys.executable, "-c", HOLDER, lake.root, str(dirty), AT.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_waits_longer_than_the_lake_does(
    lake: Lake,
    dirty: Path,
    undisturbed: dict[str, bytes],
    holder: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lake that waits for nobody: whoever asks a second time does so by the ingest's own patience."""

    def let_go(_: float) -> None:
        holder.communicate(timeout=60)

    monkeypatch.setattr("llma_assets.lake.locks.time", SimpleNamespace(monotonic=time.monotonic, sleep=let_go))
    assert ingest_file(Lake(lake.root, lock_timeout_s=0.0), dirty, "acme", AT).already_ingested
    assert all_files(lake.root) == undisturbed


@pytest.mark.usefixtures("holder")
def test_a_second_process_gives_up_in_the_end(lake: Lake, dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llma_assets.ingest.run.LOCK_TIMEOUT_S", 0.2)
    with pytest.raises(PartitionLocked, match=r"another process \(waited 0\.2 s\)"):
        ingest_file(Lake(lake.root, lock_timeout_s=0.0), dirty, "acme", AT)


def test_files_and_lake_are_the_same_whatever_the_hash_seed_and_zone(
    tmp_path: Path, dirty: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, zone in (("1", "Asia/Kathmandu"), ("2", "America/St_Johns")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("TZ", zone)
        lake = Lake(str(tmp_path / seed))
        assert start(lake, dirty).wait(60) == 0
        assert all_files(lake.root) == undisturbed


@pytest.mark.parametrize("point", KILL_POINTS)
def test_an_interrupt_leaves_all_or_nothing(
    lake: Lake, dirty: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    from llma_assets.ingest import run

    def interrupt(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "kill_point", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ingest_file(lake, dirty, "acme", AT)
    assert all_files(lake.root) == (undisturbed if point == "ingest_after_ledger" else {})
