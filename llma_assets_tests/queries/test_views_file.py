"""`llma.duckdb`, which any DuckDB client may open and any of them may leave in disorder."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llma_assets.cli import dev
from llma_assets.cli.project import Project
from llma_assets.lake import Lake
from llma_assets.team_day import TeamDay
from llma_assets_tests.stages.planted import items, plant

DAY = TeamDay("acme", date(2026, 1, 1))
# A shell that is killed before it wrote its log into the file.
KILLED = """
import duckdb, os, sys
shell = duckdb.connect(sys.argv[1])
shell.execute("CREATE VIEW mine AS SELECT 1")
os._exit(9)
"""


@pytest.fixture
def target(lake: Lake) -> Path:
    """A views file beside which a killed shell left its log."""
    plant(lake, DAY, items("flight", 0, 3, 0))
    Project().refresh_views_file()
    path = Path(lake.root, "llma.duckdb")
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert log_of(path).exists()
    return path


def log_of(path: Path) -> Path:
    return path.with_name("llma.duckdb.wal")


def views(path: Path) -> set[str]:
    """Of a client that may write, as a shell is by default, after one that only reads."""
    found = []
    for read_only in (True, False):
        with duckdb.connect(str(path), read_only=read_only) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
            text = "SELECT view_name FROM duckdb_views() WHERE NOT internal"
            found.append({name for (name,) in connection.execute(text).fetchall()})
    assert found[0] == found[1]
    return found[0]


def test_what_a_killed_shell_left_does_not_keep_the_new_file_closed(target: Path) -> None:
    (target.parent / ".views-version").write_text("older")
    Project().refresh_views_file()
    assert "mine" not in views(target)


def test_nor_where_the_file_was_deleted(target: Path) -> None:
    target.unlink()
    Project().refresh_views_file()
    assert "mine" not in views(target)


def test_a_log_of_another_file_is_found_where_nothing_else_changed(target: Path) -> None:
    """A shell that was open while the file was replaced writes its log beside the new one."""
    log = log_of(target).read_bytes()
    log_of(target).unlink()
    target.unlink()
    Project().refresh_views_file()
    log_of(target).write_bytes(log)
    Project().refresh_views_file()
    assert "mine" not in views(target)


def test_a_shell_s_own_views_stay_while_the_file_is_right(target: Path) -> None:
    Project().refresh_views_file()
    assert "mine" in views(target)


def test_a_kill_before_the_new_file_is_there_leaves_one_that_opens(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (target.parent / ".views-version").write_text("older")

    def killed(beside: Path, to: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        Project().refresh_views_file()
    assert "runs" in views(target)


def test_dev_makes_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(lake, DAY, items("flight", 0, 3, 0))
    monkeypatch.setenv("LLMA_REPORT_URL", "https://pages.example")
    monkeypatch.setenv("DAGSTER_HOME", os.environ["LLMA_HOME"])
    started: list[Any] = []
    monkeypatch.setattr(dev.os, "execv", lambda *command: started.append(command))
    dev.dev()
    assert started
    assert "runs" in views(Path(lake.root, "llma.duckdb"))
