"""`llma report`: finds the day, makes the page when it must, writes nowhere but where it may, opens it."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from llma_assets.cli.app import app
from llma_assets.errors import InputRejected, PartitionMissing
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
from llma_assets.team_day import TeamDay
from llma_assets_tests.explorer.page_reader import ReadPage
from llma_assets_tests.stages.pipeline import LOG, match_clusters
from llma_assets_tests.stages.planted import items, plant, run_row

LLMA = str(Path(sys.executable).parent / "llma")
DAY = TeamDay("acme", date(2026, 3, 9))


def llma(*arguments: str) -> Result:
    """The command in this process, without a browser to open."""
    return CliRunner().invoke(app, ["report", *arguments])


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def planted(lake: Lake) -> Lake:
    """Two days with clusters, and one without."""
    for back in (0, 1):
        day = TeamDay("acme", DAY.day - timedelta(days=back))
        plant(lake, day, items("flight", 0, 9, 0) | items("refund", 0, 7, 1))
        match_clusters(lake, day)
        LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    empty = TeamDay("acme", DAY.day + timedelta(days=1))
    table = pa.Table.from_pylist([run_row(empty, {})], CLUSTER_ASSIGNMENTS.schema)
    lake.write("cluster_assignments", empty, table)
    return lake


def test_the_newest_page_is_made_once_and_again_when_something_changed(
    planted: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(planted.path("cluster_report", DAY, "report.html"))
    first = json.loads(llma("--team", "acme", "--json").stdout)
    assert (first["date"], first["path"], first["is_new"]) == ("2026-03-09", str(path), True)
    assert first["bytes"] == path.stat().st_size
    again = json.loads(llma("--team", "acme", "--json").stdout)
    assert again == first | {"is_new": False}
    monkeypatch.setenv("LLMA_REPORT_CONTENT", "none")
    other = json.loads(llma("--team", "acme", "--json").stdout)
    assert other["is_new"] and other["content"] == "none"
    path.unlink()
    assert json.loads(llma("--team", "acme", "--json").stdout)["is_new"]


def test_a_named_day_is_written_where_it_is_asked_for(planted: Lake, tmp_path: Path) -> None:
    target = tmp_path / "page of a day.html"
    done = llma("--team", "acme", "--date", "2026-03-08", "--out", str(target))
    assert (done.exit_code, done.stdout.strip()) == (0, str(target))
    assert ReadPage(target.read_bytes()).report["date"] == "2026-03-08"
    before = target.read_bytes()
    other = ("--team", "acme", "--date", "2026-03-09", "--out", str(target))
    refused = llma(*other).exception
    assert isinstance(refused, InputRejected) and "--force" in str(refused)
    assert target.read_bytes() == before
    assert llma(*other, "--force").exit_code == 0
    assert target.read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--team", "nobody"], ["--team", "nobody", "no clusters", "acme"]),
        (["--team", "../x"], ["team", "A-Z a-z 0-9"]),
        (["--team", "acme", "--date", "2026-03-01"], ["--date", "2026-03-01", "2026-03-09, 2026-03-08"]),
        (["--team", "acme", "--date", "2026-03-10"], ["--date", "2026-03-10", "no clusters", "no_items"]),
        (["--team", "acme", "--date", "soon"], ["--date", "soon", "2026-01-31"]),
        (["--team", "acme", "--level", "span"], ["--level", "span", "generation"]),
        (["--team", "acme", "--out", "."], ["--out", "folder"]),
        (["--team", "acme", "--out", "new/"], ["--out", "folder"]),
        (["--team", "acme", "--out", "no/such/folder.html"], ["--out", "no/such", "is no folder"]),
        (["--team", "acme", "--out", "/dev/null"], ["--out", "/dev/null", "device"]),
        (["--team", "acme", "--out", " "], ["--out", "name a file"]),
    ],
)
def test_what_cannot_be_shown_or_written_is_one_clear_error(
    planted: Lake, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    """S16: nothing is written beside what was asked for."""
    before = sorted(path for path in tmp_path.rglob("*") if planted.root not in str(path))
    error = llma(*arguments).exception
    assert isinstance(error, InputRejected)
    for word in words:
        assert word in str(error)
    assert sorted(path for path in tmp_path.rglob("*") if planted.root not in str(path)) == before


def test_nothing_is_written_over_the_lake(planted: Lake) -> None:
    """S16: a table is whatever files lie in its folder."""
    path = Path(planted.path("cluster_labels", DAY))
    before = path.read_bytes()
    for out in (path, path.parent / "page.html", Path(planted.root, "page.html")):
        error = llma("--team", "acme", "--out", str(out)).exception
        assert isinstance(error, InputRejected) and "inside the lake" in str(error)
    assert path.read_bytes() == before and not list(Path(planted.root).rglob("page.html"))


def test_a_link_and_what_it_leads_to_are_left(planted: Lake, tmp_path: Path) -> None:
    """S16."""
    precious, link = tmp_path / "precious.txt", tmp_path / "link.html"
    precious.write_text("keep me")
    link.symlink_to(precious)
    for more in ([], ["--force"]):
        error = llma("--team", "acme", "--out", str(link), *more).exception
        assert isinstance(error, InputRejected) and "is a link" in str(error)
    assert precious.read_text() == "keep me"
    assert link.is_symlink()
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("wanted", [True, False])
def test_the_browser_is_given_the_page_where_one_is(planted: Lake, tmp_path: Path, wanted: bool) -> None:
    opened = tmp_path / "opened.txt"
    browser = tmp_path / "browser.sh"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > "{opened}"\n')
    browser.chmod(0o755)
    arguments = ["--level", "generation"] if wanted else ["--no-open"]
    environment = os.environ | {"BROWSER": f"{browser} %s"}
    command = [LLMA, "report", "--team", "acme", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = Path(planted.path("cluster_report", DAY, "report.html"))
    assert done.stdout.strip() == str(path)
    assert opened.exists() == wanted
    if wanted:
        assert opened.read_text() == path.as_uri() + "#level=generation"


def test_names_of_other_clusters_are_not_shown(planted: Lake) -> None:
    plant(planted, DAY, items("flight", 0, 5, 0))
    error = llma("--team", "acme").exception
    assert isinstance(error, PartitionMissing) and "run cluster_labels first" in str(error)
