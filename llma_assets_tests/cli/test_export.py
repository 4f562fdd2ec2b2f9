"""`llma export` and `llma clusters FILE`: the rows, where a file may go, and that nothing is written elsewhere."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from llma_assets.cli.app import app
from llma_assets.cli.clusters import clusters
from llma_assets.cli.export import export
from llma_assets.cli.project import Project
from llma_assets.errors import InputRejected
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.queries.export.out_file import checked_out, out_file
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
from llma_assets.team_day import TeamDay
from llma_assets_tests import ROOT
from llma_assets_tests.cli.test_search import write_vectors
from llma_assets_tests.stages.pipeline import LOG, match_clusters, measure
from llma_assets_tests.stages.planted import items, plant

LLMA = str(Path(sys.executable).parent / "llma")
DAY = TeamDay("acme", date(2026, 3, 9))
LATER = TeamDay("acme", date(2026, 3, 10))
TOPICS = items("flight", 0, 9, 0) | items("refund", 0, 7, 1) | items("odd", 0, 2, -1)


def planted(lake: Lake, day: TeamDay, cluster_of: dict[str, int], **changes: Any) -> str:
    run = plant(lake, day, cluster_of, {0: 0, 1: 0, 2: 1}, **changes)
    match_clusters(lake, day)
    measure(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    EmitEvents(lake, LOG).run(day)
    return str(run["clustering_run_id"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A lake with one clustering run, and the run's id."""
    home = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMA_HOME", str(home))
        run_id = planted(Lake(str(home)), DAY, TOPICS)
        # The views' empty schema files are written when they are first asked.
        assert Project().rows("SELECT count(*) AS n FROM runs") == [{"n": 1}]
    return home, run_id


@pytest.fixture
def run(made: tuple[Path, str], lake: Lake) -> str:
    """The run's id; the lake is a copy."""
    shutil.copytree(made[0], lake.root)
    return made[1]


def exported(**options: Any) -> list[dict[str, Any]]:
    """The rows of an export, from Parquet."""
    export(out="rows.parquet", form="parquet", force=True, **options)
    rows: list[dict[str, Any]] = parquet.read_table("rows.parquet").to_pylist()
    return rows


def test_a_run_is_exported_cluster_by_cluster(lake: Lake, run: str) -> None:
    rows = exported(run=run)
    assert {row["item_id"]: row["cluster_id"] for row in rows} == TOPICS
    assert [row["cluster_id"] for row in rows] == [0] * 9 + [1] * 7 + [-1] * 2
    assert [row["rank"] for row in rows[:9]] == list(range(9))
    labels = {row["cluster_id"]: row for row in lake.read("cluster_labels", DAY).to_pylist()}
    for row in rows:
        label = labels[row["cluster_id"]]
        assert (row["cluster_title"], row["cluster_size"]) == (label["title"], label["size"])
        assert (row["theme_id"], row["theme_title"]) == (label["theme_id"], label["theme_title"])
        assert row["lineage_id"] == (None if row["cluster_id"] < 0 else f"{run}/{row['cluster_id']}")
    assert rows[0]["title"] == "Question about flight delivery"
    assert rows[0]["summary"] == "The user asks about the flight of order 000."
    assert [row["item_id"] for row in exported(run=run, cluster=-1)] == ["odd-000", "odd-001"]


def test_a_period_is_exported_with_the_newest_run_of_each_item(lake: Lake, run: str) -> None:
    window = DAY.start - timedelta(days=1)
    later = planted(lake, LATER, items("seat", 0, 3, 2))
    # The later window holds items of the day before as well.
    (row,) = lake.read("cluster_assignments", LATER).to_pylist()
    (before,) = lake.read("cluster_assignments", DAY).to_pylist()
    moved = [item | {"cluster_id": 2} for item in before["items"] if item["item_id"].startswith("flight")]
    row |= {"items": row["items"] + moved, "window_start": window}
    lake.write(
        "cluster_assignments", LATER, pa.Table.from_pylist([row], CLUSTER_ASSIGNMENTS.schema), row["content_hash"]
    )
    rows = exported(team="acme", first="2026-03-09", to="2026-03-10")
    assert sorted(row["item_id"] for row in rows) == sorted([*TOPICS, "seat-000", "seat-001", "seat-002"])
    places = {row["item_id"]: (row["clustering_run_id"], row["cluster_id"]) for row in rows}
    assert places["flight-000"] == (later, 2)
    assert places["refund-000"] == (run, 1)
    assert places["seat-000"] == (later, 2)
    assert len(exported(team="acme", first="2026-03-10")) == 3
    assert exported(team="acme", first="2026-03-09", level="generation") == []


def docs(language: str) -> list[str]:
    """The blocks of the page in a language."""
    page = ROOT / "docs" / "search-and-export.md"
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)


def test_every_command_and_the_reader_of_the_docs_work(lake: Lake, run: str) -> None:
    write_vectors(lake, DAY, list(TOPICS), levels=("trace", "generation"))
    lines = [line for block in docs("sh") for line in block.splitlines()]
    assert len(lines) == 10
    for line in lines:
        program, *arguments = shlex.split(line)
        done = CliRunner().invoke(app, arguments)
        assert (program, done.exit_code) == ("llma", 0), f"{line}\n{done.output}\n{done.exception!r}"
        assert done.output.strip(), line
    (reader,) = docs("python")
    names: dict[str, Any] = {}
    exec(reader, names)
    assert names["rows"] == exported(run=run)


def test_csv_and_json_lines_hold_the_same_rows(run: str) -> None:
    rows = exported(run=run)
    export(out="rows.csv", form="csv", run=run)
    with open("rows.csv", encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["item_id"] for row in read] == [row["item_id"] for row in rows]
    assert [int(row["cluster_id"]) for row in read] == [row["cluster_id"] for row in rows]
    export(out="rows.jsonl", form="jsonl", run=run)
    lines = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    assert [line["summary"] for line in lines] == [row["summary"] for row in rows]


@pytest.mark.parametrize(
    "form", ["parquet", *(pytest.param(one, marks=pytest.mark.slow) for one in ("csv", "jsonl", "json"))]
)
def test_standard_output_gets_the_same_bytes(run: str, form: str) -> None:
    export(out="file", form=form, run=run, force=True)
    command = [LLMA, "export", "--run", run, "--format", form, "--out", "-"]
    done = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert done.stdout == Path("file").read_bytes()


def test_a_document_shows_what_the_lake_shows(run: str, capsys: Any) -> None:
    export(out="run.json", form="json", run=run)
    capsys.readouterr()
    clusters(run)
    shown = capsys.readouterr().out
    clusters("run.json")
    assert capsys.readouterr().out == shown
    assert "Question about flight delivery" in shown
    clusters(run, as_json=True)
    assert json.loads(capsys.readouterr().out) == json.loads(Path("run.json").read_text())


def test_events_of_the_lake_show_the_same_clusters(lake: Lake, run: str, capsys: Any) -> None:
    rows = lake.read("cluster_events", DAY).to_pylist()
    Path("events.jsonl").write_text(
        "".join(json.dumps({"event": row["event"], "properties": row["properties"]}) + "\n" for row in rows)
    )
    clusters(run)
    shown = capsys.readouterr().out.splitlines()
    clusters("events.jsonl")
    told = capsys.readouterr().out.splitlines()
    # An event names its items by id.
    titles = {row["item_id"]: row["title"] for row in exported(run=run)}
    by_title = [line.replace(item := line.split("  ")[-1], titles.get(item, item)) for line in told]
    assert shown == by_title


def test_a_file_of_another_kind_or_size_is_refused(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputRejected, match=r"no file 'nothing\.json'"):
        clusters("nothing.json")
    export(out="rows.jsonl", form="jsonl", run=run)
    with pytest.raises(InputRejected, match="--format json"):
        clusters("rows.jsonl")
    monkeypatch.setattr("llma_assets.cli.clusters.MAX_FILE_BYTES", 100)
    with pytest.raises(InputRejected, match="more than 100 bytes"):
        clusters("rows.jsonl")
    with pytest.raises(InputRejected, match="--run: goes with a file"):
        clusters(run, of_file=run)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"form": "xlsx"}, "--format: 'xlsx'.*csv, parquet, jsonl, json"),
        ({"run": "no_such_run"}, "no_such_run.*llma runs"),
        ({"run": "'; DROP VIEW runs; --"}, "no clustering run"),
        ({"run": "RUN", "cluster": 7}, "--cluster.*no cluster 7.*0, 1"),
        ({"run": "RUN", "cluster": 0, "form": "json"}, "--cluster"),
        ({"run": "RUN", "team": "acme"}, "leave out --team"),
        ({}, "--run or --team with --from"),
        ({"team": "acme"}, "--run or --team with --from"),
        ({"team": "acme", "first": "2026-03-09", "form": "json"}, "--format: json"),
        ({"team": "nobody", "first": "2026-03-09"}, "--team: 'nobody'.*acme"),
        ({"team": "acme' OR 1=1", "first": "2026-03-09"}, "team: "),
        ({"team": "acme", "first": "9 March"}, "--from: '9 March'"),
        ({"team": "acme", "first": "2026-03-09", "level": "day"}, "--level: 'day'"),
    ],
)
def test_wrong_input_is_one_clear_error(run: str, options: dict[str, Any], words: str) -> None:
    options = {name: run if value == "RUN" else value for name, value in options.items()}
    before = everything()
    with pytest.raises(InputRejected, match=words):
        export(out="out", **options)
    assert everything() == before


def everything() -> dict[str, tuple[str, bytes]]:
    """Each path under the test's folder: links by where they lead, files by what they hold."""
    found = {}
    for path in sorted(Path.cwd().rglob("*")):
        kind = "link" if path.is_symlink() else "folder" if path.is_dir() else "file" if path.is_file() else "other"
        content = str(path.readlink()).encode() if kind == "link" else path.read_bytes() if kind == "file" else b""
        found[str(path)] = (kind, content)
    return found


def test_a_path_that_may_not_be_written_is_refused_and_nothing_is_written(run: str, lake: Lake) -> None:
    """S16: links, folders, devices, NUL, the lake itself; the folder is as it was, and so are those links lead to."""
    Path("kept").write_text("kept")
    Path("link").symlink_to("kept")
    Path("dangling").symlink_to("nowhere")
    Path("folder").mkdir()
    Path("inside").symlink_to(lake.root)
    os.mkfifo("pipe")
    before = everything()
    for out, words in {
        "": "no path", "a\0b": "no path", "link": "is a link", "dangling": "is a link", "folder": "is a folder",
        "folder/": "is a folder", ".": "is a folder", "..": "is a folder", "pipe": "a folder or a device",
        "/dev/full": "a folder or a device", "nowhere/rows": "'nowhere' is no folder", "kept/rows": "kept",
        "x" * 300: "cannot be looked at", f"{lake.root}/trace_summaries/x.parquet": "inside the lake",
        "inside/x.parquet": "inside the lake", "folder/../inside/../x\0": "no path",
    }.items():  # fmt: skip
        with pytest.raises(InputRejected, match=words):
            export(out=out, run=run)
        with pytest.raises(InputRejected, match=words):
            checked_out(out, lake, force=True)
    assert everything() == before


def test_a_file_is_replaced_only_when_asked_and_only_as_a_whole(run: str, lake: Lake) -> None:
    Path("kept").write_text("kept")
    with pytest.raises(InputRejected, match="--force replaces it"):
        export(out="kept", run=run)
    target = checked_out("kept", lake, force=True)
    before = everything()
    with pytest.raises(RuntimeError, match="stopped"), out_file(target) as file:
        file.write(b"half")
        raise RuntimeError("stopped")
    assert everything() == before
    export(out="kept", run=run, force=True)
    after = everything()
    assert set(after) == set(before)
    assert {path for path in after if after[path] != before[path]} == {str(target)}


def test_what_waits_beside_is_never_followed(lake: Lake) -> None:
    """Somebody foresees the name of the file beside, and puts a link there."""
    Path("kept").write_text("kept")
    target = checked_out("rows", lake, force=False)
    target.with_name(f".{target.name}.{os.getpid()}.tmp").symlink_to("kept")
    with out_file(target) as file:
        file.write(b"rows")
    assert (Path("kept").read_text(), target.read_bytes()) == ("kept", b"rows")
