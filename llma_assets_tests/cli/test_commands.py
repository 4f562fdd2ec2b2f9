"""Commands on wrong input and on days with nothing to show: an error names field, value and range."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from llma_assets.assets.cluster_assignments import ClusterConfig
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import CLUSTERING_METHODS, ClusteringMethod
from llma_assets_tests.cli.in_process import llma
from llma_assets_tests.stages.pipeline import LOG, match_clusters
from llma_assets_tests.stages.planted import items, plant

LLMA = str(Path(sys.executable).parent / "llma")
AT = datetime(2026, 3, 9, 10, tzinfo=UTC)


def write_events(path: Path, count: int, text: str | None = "How can I change the billing address of order") -> Path:
    lines = [
        {
            "uuid": f"u{n}",
            "event": "$ai_generation",
            "distinct_id": "p",
            "timestamp": (AT + timedelta(seconds=n)).isoformat(),
            "properties": {"$ai_trace_id": f"t{n}", "$ai_input": f"{text} {n}?" if text else None},
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--team", "nobody", "--date", "2026-03-09"], ["--team", "nobody", "no events"]),
        (["run", "--team", "a b", "--date", "2026-03-09"], ["team", "a b", "A-Z a-z 0-9"]),
        (["run", "--team", "acme", "--date", "yesterday"], ["--date", "yesterday", "2026-01-31"]),
        (["run", "--team", "acme", "--date", "2019-01-01"], ["--date", "2019-01-01", "2025-01-01"]),
        (["run", "--team", "acme", "--date", "2026-03-09", "--to", "2026-03-01"], ["--to", "before --date"]),
        (
            ["run", "--team", "acme", "--date", "2026-03-09", "--method", "dbscan"],
            ["dbscan", "hdbscan, kmeans, umap"],
        ),
        (["ingest", "no-such-file.jsonl", "--team", "acme"], ["no-such-file.jsonl"]),
        (["status", "--team", "nobody"], ["--team", "nobody", "no events", "llma ingest"]),
        (["runs", "--team", "nobody"], ["--team", "nobody", "no events", "llma ingest"]),
        (["alerts", "--team", "nobody"], ["--team", "nobody", "no events", "llma ingest"]),
        (["export", "--run", "no_such_run", "--out", "run.csv"], ["--run", "no_such_run", "llma runs"]),
        (["clusters", "no_such_run"], ["RUN", "no_such_run", "llma runs"]),
        (["trace", "no-such-trace"], ["ID", "no-such-trace"]),
        (["sql", "DROP VIEW events"], ["query", "SELECT"]),
        (["sql", "SELECT * FROM read_csv('/etc/passwd')"], ["query", "Cannot access"]),
        (["sql", "SELECT nothing FROM nowhere"], ["query", "nowhere"]),
    ],
)
def test_wrong_input_is_one_clear_error(arguments: list[str], words: list[str]) -> None:
    done = llma(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("method", CLUSTERING_METHODS)
def test_run_takes_every_method_that_the_setting_takes(method: ClusteringMethod) -> None:
    assert load_settings(cluster_method=method).cluster_method == method
    # Mypy takes the fields of Dagster's config for required.
    assert ClusterConfig(method=method).method == method  # type: ignore[call-arg]
    done = llma("run", "--team", "nobody", "--date", "2026-03-09", "--method", method)
    assert "--method" not in done.stderr
    assert "no events" in done.stderr


def test_a_wrong_setting_is_named_before_anything_is_done() -> None:
    done = llma("status", LLMA_MAX_SAMPLES="5")
    assert done.returncode == 2
    assert "LLMA_MAX_SAMPLES" in done.stderr


def test_an_empty_lake_says_what_to_type() -> None:
    for command in ("teams", "status", "runs"):
        done = llma(command)
        assert done.returncode == 0, done.stderr
        assert "type: llma" in done.stdout
        assert llma(command, "--json").stdout.strip() == "[]"


def test_doctor_names_a_missing_model_and_what_to_type(tmp_path: Path) -> None:
    done = llma("doctor", "--json", LLMA_EMBEDDER="minilm", LLMA_MODEL_DIR=str(tmp_path))
    assert done.returncode == 1
    (model,) = [row for row in json.loads(done.stdout) if row["check"] == "embedder"]
    assert not model["ok"]
    assert str(tmp_path) in model["detail"]
    key = llma("doctor", LLMA_LABELER="openai")
    assert key.returncode == 1
    assert "OPENAI_API_KEY" in key.stdout


@pytest.mark.parametrize(
    ("count", "text", "reason"),
    [
        (12, "a question about parking", "too_few_items (12 of 20)"),
        pytest.param(25, None, "content_expired", marks=pytest.mark.slow),
    ],
)
def test_a_team_with_nothing_to_show_is_told_why(tmp_path: Path, count: int, text: str | None, reason: str) -> None:
    """A team of 12 traces, a team whose every trace lost its text: status says why, nothing is emitted."""
    assert llma("ingest", str(write_events(tmp_path / "e.jsonl", count, text)), "--team", "acme").returncode == 0
    done = llma("run", "--team", "acme", "--date", "2026-03-09", "--method", "umap", "--json")
    assert done.returncode == 3, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert {run["state"] for run in answer["runs"]} <= {"ok", "nothing"}
    (status,) = json.loads(llma("status", "--json").stdout)
    assert status["status"] == "nothing"
    assert reason in status["reason"]
    assert status["emitted"] == 0
    events = json.loads(llma("sql", "SELECT count(*) AS n FROM cluster_events", "--json").stdout)
    assert events == [{"n": 0}]


def test_ingesting_twice_changes_nothing_and_bad_rows_are_counted(tmp_path: Path) -> None:
    path = write_events(tmp_path / "e.jsonl", 30)
    path.write_text(path.read_text() + "not json\n")
    first = llma("ingest", str(path), "--team", "acme")
    assert "30 events" in first.stdout
    assert "1 rows quarantined" in first.stdout
    assert "nothing changed" in llma("ingest", str(path), "--team", "acme").stdout
    (bad,) = json.loads(llma("sql", "SELECT line_number, reason FROM quarantine", "--json").stdout)
    assert bad == {"line_number": 31, "reason": "invalid_json"}
    (team,) = json.loads(llma("teams", "--json").stdout)
    assert (team["team_id"], team["events"]) == ("acme", 30)


def test_the_views_file_answers_plain_duckdb_while_it_is_rebuilt(tmp_path: Path) -> None:
    import duckdb

    assert llma("ingest", str(write_events(tmp_path / "e.jsonl", 5)), "--team", "acme").returncode == 0
    views = Path(os.environ["LLMA_HOME"], "llma.duckdb")
    with duckdb.connect(str(views)) as held:
        assert held.execute("SELECT count(*) FROM events").fetchone() == (5,)
        assert llma("ingest", str(write_events(tmp_path / "f.jsonl", 6)), "--team", "other").returncode == 0
        assert held.execute("SELECT count(*) FROM events").fetchone() == (11,)
    views.unlink()
    assert llma("ingest", str(tmp_path / "f.jsonl"), "--team", "other").returncode == 0
    assert views.exists()


def test_terminal_control_in_a_trace_is_not_printed(tmp_path: Path) -> None:
    """S23: a trace may hold escape sequences; the terminal gets none."""
    path = write_events(tmp_path / "e.jsonl", 1, "\x1b[31mred\x1b[0m \u202eevil\u202c question about colours of")
    assert llma("ingest", str(path), "--team", "acme").returncode == 0
    done = llma("trace", "t0")
    assert done.returncode == 0
    assert "question about colours" in done.stdout
    assert "\x1b[31m" not in done.stdout
    assert "\u202e" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 2])
def test_ctrl_c_stops_a_run_at_once_and_the_same_command_goes_on(tmp_path: Path, lines: int) -> None:
    """F3: interrupted in the first and in the second job; nothing is left pending in Dagster."""
    for n in range(3):
        path = write_events(tmp_path / f"e{n}.jsonl", 30)
        moved = (AT - timedelta(days=n)).date().isoformat()
        text = path.read_text().replace("2026-03-09", moved)
        path.write_text(text.replace('"u', f'"u{n}-').replace('"t', f'"t{n}-').replace(f'"t{n}-imestamp', '"timestamp'))
        assert llma("ingest", str(path), "--team", "acme").returncode == 0
    command = [LLMA, "run", "--team", "acme", "--date", "2026-03-09"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for _ in range(lines):
            assert "summarize_traces" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        rest, message = running.stdout.read(), running.stderr.read()
    assert running.returncode == 130, rest + message
    assert "stopped; what was finished is kept" in message
    assert "cluster_traces" not in rest
    home = Path(os.environ["LLMA_HOME"], ".dagster")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert all(run.is_finished for run in instance.get_runs())
    again = llma("run", "--team", "acme", "--date", "2026-03-09")
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LLMA_MIN_ITEMS_BY_TEAM": "{"}, ["min_items_by_team", "JSON"]),
        ({"LLMA_LAKE_URL": "foo://x/y"}, ["LLMA_LAKE_URL", "foo"]),
        ({"LLMA_HOME": "/etc/passwd"}, ["/etc/passwd"]),
    ],
)
def test_a_place_that_cannot_be_is_one_clear_error(environment: dict[str, str], words: list[str]) -> None:
    done = llma("teams", **environment)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_home_that_dagster_cannot_read_is_refused(tmp_path: Path) -> None:
    path = write_events(tmp_path / "e.jsonl", 3)
    done = llma("ingest", str(path), "--team", "acme", LLMA_HOME=str(tmp_path / "a[b]"))
    assert done.returncode == 2
    assert "* ? [" in done.stderr


def test_a_narrow_terminal_shows_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    from llma_assets.cli import output

    monkeypatch.setattr(output, "console", Console(width=80, record=True, file=open(os.devnull, "w")))  # noqa: SIM115
    row = {"team": "acme", "run": "acme_generation_20260310_000000", "why": "too_few_items (12 of 20), not_sampled 409"}
    output.print_rows([row | {f"count_{n}": n for n in range(9)}], False)
    shown = " ".join(output.console.export_text().split())
    for value in row.values():
        assert value in shown


def test_values_without_a_json_form_are_printed_all_the_same() -> None:
    done = llma(
        "sql", "SELECT '\\xAA'::BLOB AS b, INTERVAL 1 DAY AS i, 'nan'::DOUBLE AS n, {'k': chr(27)} AS s", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["n"] is None
    assert "\x1b" not in done.stdout
    assert "\x1b" not in llma("sql", "SELECT {'k': chr(27) || '[31m'} AS s").stdout


@pytest.mark.parametrize("theme_of", [{0: 0, 1: 1, 2: 0}, {0: 0, 1: 1, 2: 2}, None], ids=["two", "each", "none"])
def test_clusters_are_listed_under_their_themes(lake: Lake, theme_of: dict[int, int] | None) -> None:
    day = TeamDay("acme", AT.date())
    topics = items("flight", 0, 9, 0) | items("refund", 0, 7, 1) | items("seat", 0, 5, 2) | items("odd", 0, 2, -1)
    run = plant(lake, day, topics, theme_of)["clustering_run_id"]
    match_clusters(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    labels = {row["cluster_id"]: row for row in lake.read("cluster_labels", day).to_pylist()}
    shown = llma("clusters", run).stdout.splitlines()
    headed = [line for line in shown if line.startswith(("[", "theme ")) or line == labels[0]["theme_title"]]
    lines = {label: f"[{label}]  {row['title']}" for label, row in labels.items()} | {
        -1: "[-1]  (NOISE/OUTLIERS)  Outliers"
    }
    if theme_of == {0: 0, 1: 1, 2: 0}:
        assert "3 clusters in 2 themes, 2 items are noise" in shown
        assert headed == [
            labels[0]["theme_title"], "theme 0: 2 clusters, 14 items, 61%", lines[0], lines[2],
            "theme 1: 1 cluster, 7 items, 30%", lines[1], lines[-1],
        ]  # fmt: skip
    else:
        assert headed == [lines[one] for one in (0, 1, 2, -1)], "no headings where they say nothing"
    told = json.loads(llma("clusters", run, "--json").stdout)
    assert [cluster["cluster_id"] for cluster in told["clusters"]] == [0, 1, 2, -1], "largest first"
    assert [cluster["theme_id"] for cluster in told["clusters"]] == [(theme_of or {}).get(n) for n in (0, 1, 2, -1)]
    sizes = [theme["clusters"] for theme in told["themes"]]
    assert sizes == ([] if theme_of is None else [2, 1] if theme_of[2] == 0 else [1, 1, 1])
