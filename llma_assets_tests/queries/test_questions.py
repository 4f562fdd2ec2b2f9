"""Every query of docs/questions.md and docs/views.md answers on the demo's traces, and its arithmetic holds there."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from llma_assets.cli.project import Project
from llma_assets.emission.metrics import LIFTED
from llma_assets.ingest import ingest_file
from llma_assets.lake import Lake
from llma_assets_tests import ROOT
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import run_day

# The days take longer than all questions: once, not once a worker.
pytestmark = pytest.mark.xdist_group("questions")

DOCS = ROOT / "docs"
PAGE = DOCS / "questions.md"
VIEW_QUERIES = re.findall(r"```sql\n(.*?)```", (DOCS / "views.md").read_text("utf-8"), flags=re.S)
HEADINGS = re.findall(r"^##+ (.*)$", PAGE.read_text("utf-8"), flags=re.M)
QUERIES = {
    f"{heading[:40]} ({number})": query
    for heading, text in zip(HEADINGS, re.split(r"^##+ .*$", PAGE.read_text("utf-8"), flags=re.M)[1:], strict=True)
    for number, query in enumerate(re.findall(r"```sql\n(.*?)```", text, flags=re.S), 1)
}
DAYS = [date(2026, 3, 8), date(2026, 3, 9)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The airline's last two days, as much of them as keeps the tests short; the ids are those of the demo."""
    folder = tmp_path_factory.mktemp("questions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMA_HOME", str(folder / "home"))
        patch.setenv("LLMA_EMBEDDER", "lsa")
        lake = Lake(str(folder / "home"))
        for day in DAYS:
            path = folder / f"{day}.jsonl"
            events = demo_events("airline", 30, day.isoformat())
            path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
            ingest_file(lake, path, "airline", NOW)
        run_day(lake, "airline", DAYS[:1])
        run_day(lake, "airline", DAYS[1:])
    return folder / "home"


@pytest.fixture
def project(home: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("LLMA_HOME", str(home))
    return Project()


def test_the_eight_questions_are_there() -> None:
    assert [heading[0] for heading in HEADINGS if heading[0].isdigit()] == list("12345678")
    assert len(QUERIES) >= 16


@pytest.mark.parametrize("name", QUERIES)
def test_a_question_has_an_answer(project: Project, name: str) -> None:
    rows = project.rows(QUERIES[name])
    assert rows
    assert all(any(row[column] is not None for row in rows) for column in rows[0] if column not in NULL_HERE), rows[0]


@pytest.mark.parametrize("number", range(len(VIEW_QUERIES)))
def test_an_example_of_the_views_is_read(project: Project, number: int) -> None:
    """Some have no rows here: nothing is in quarantine, and no model was paid."""
    assert isinstance(project.rows(VIEW_QUERIES[number]), list)


# What these few days have nothing of.
NULL_HERE = {"reason", "error_lift", "earlier_title", "earlier_size", "jaccard", "lift"}


def test_cost_is_tokens_times_price(project: Project) -> None:
    """Of the real airline agents each item has both, so the lifts multiply."""
    (query,) = [query for query in QUERIES.values() if "price_lift" in query]
    rows = project.rows(query)
    assert len(rows) > 2
    for row in rows:
        assert row["cost_lift"] == pytest.approx(row["tokens_lift"] * row["price_lift"], rel=2e-3)


def test_an_error_that_is_written_as_text_counts(project: Project) -> None:
    (query,) = [query for query in QUERIES.values() if "$ai_is_error" in query]
    flags = ["true", '"true"', '"True"', "false", '"false"', "null", "1"]
    events = ", ".join(f"('{{\"$ai_is_error\": {flag}}}')" for flag in flags)
    made = "SELECT *, '$ai_generation' AS event, TIMESTAMPTZ '2026-03-05' AS timestamp"
    (row,) = project.rows(f"WITH events AS ({made} FROM (VALUES {events}) AS one(properties)) {query}")
    assert row["errors"] == 4


def test_the_views_name_every_figure_that_has_a_lift() -> None:
    (named,) = re.findall(r"^`lift` has (.*?);", (DOCS / "views.md").read_text("utf-8"), flags=re.S | re.M)
    assert tuple(re.findall(r"`(\w+)`", named)) == LIFTED


def test_both_levels_answer(project: Project) -> None:
    for name in ("runs", "clusters", "cluster_items", "cluster_metrics", "theme_metrics", "cluster_lineages"):
        levels = project.rows(f"SELECT DISTINCT level FROM {name} ORDER BY level")
        assert levels == [{"level": "generation"}, {"level": "trace"}], name
