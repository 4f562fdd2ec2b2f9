"""A lake in a notebook: what its answers are, and what it refuses."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import llma_assets as llma
from llma_assets.labeling.minimum_users import CLUSTER_TITLE
from llma_assets.tables import TABLES
from llma_assets_tests.cli.in_process import llma as command

# One worker, one lake.
pytestmark = pytest.mark.xdist_group("api")
RUN = "airline_trace_20260310_000000"


def parquet(home: Path) -> dict[str, bytes]:
    """Every file of the tables, by path."""
    tables = (path for table in TABLES for path in (home / table).rglob("*.parquet"))
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(tables)}


# --- opening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [lambda lake: lake.teams(), lambda lake: lake.search("a", team="acme")])
def test_a_question_makes_no_lake(tmp_path: Path, question: Callable[[llma.OpenLake], Any]) -> None:
    place = tmp_path / "none"
    with pytest.raises(llma.LlmaError, match=f"{place} holds no lake.*llma ingest PATH"):
        llma.open_lake(place)
    with pytest.raises(llma.LlmaError, match="holds no lake"):
        question(llma.open_lake(place, create=True))
    assert not place.exists()


def test_the_settings_say_where_the_lake_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_HOME", str(folder / ".llma"))
    assert llma.open_lake().teams()["team_id"].tolist() == ["airline"]
    monkeypatch.setenv("LLMA_LAKE_URL", str(folder / "elsewhere"))
    with pytest.raises(llma.LlmaError, match="elsewhere holds no lake"):
        llma.open_lake()
    assert repr(llma.open_lake(folder / ".llma")) == f"<lake {folder}/.llma>"
    assert llma.open_lake(f"file://{folder}/.llma").teams()["team_id"].tolist() == ["airline"]


# --- tables and views ------------------------------------------------------------------------------


def test_tables_and_views_are_had_as_arrow_and_pandas(opened: llma.OpenLake) -> None:
    names = opened.names()
    assert {"clusters", "runs", "team_day_status", *TABLES} <= set(names)
    for name in ("clusters", "quarantine"):
        found = opened.table(name)
        assert isinstance(found, pa.Table)
        assert list(opened.frame(name).columns) == found.column_names


def test_rows_are_chosen_by_team_and_day(opened: llma.OpenLake) -> None:
    whole = opened.table("trace_summaries", team="airline")
    days = {date(2026, 3, 8), date(2026, 3, 9)}
    assert set(whole["date"].to_pylist()) == days
    for chosen in ("2026-03-09", date(2026, 3, 9)):
        part = opened.table("trace_summaries", team="airline", first=chosen, last=chosen, columns=["date", "title"])
        assert part.column_names == ["date", "title"]
        assert set(part["date"].to_pylist()) == {date(2026, 3, 9)}
    assert opened.table("trace_summaries", first="2026-03-10").num_rows == 0
    assert set(opened.frame("cluster_items", first="2026-03-09", last="2026-03-09")["run_date"]) == {date(2026, 3, 9)}


def test_sql_binds_its_values(opened: llma.OpenLake) -> None:
    asked = "SELECT count(*) AS n FROM clusters WHERE team_id = $team"
    assert opened.sql(asked, team="airline")["n"][0] > 0
    assert opened.arrow(asked, team="airline' OR true --")["n"].to_pylist() == [0]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda lake: lake.table("cluster"), r"table: 'cluster' is not one of .*clusters, "),
        (lambda lake: lake.table('runs" --'), "is not one of"),
        (lambda lake: lake.table("lake_settings"), "is not one of"),
        (lambda lake: lake.table("runs", columns=["title"]), r"columns: runs has no 'title', only team_id, "),
        (lambda lake: lake.table("runs", team="acme"), r"team: 'acme' is not in .* \(teams: airline\)"),
        (lambda lake: lake.table("runs", first="9 March"), "first: '9 March' is not a date like 2026-01-31"),
        (lambda lake: lake.table("events", last="2026-03-09"), "last: events has no column date"),
        (lambda lake: lake.sql("DROP VIEW runs"), "query: one SELECT"),
        (lambda lake: lake.sql("SELECT * FROM cluster"), "query: Catalog Error"),
        (lambda lake: lake.clusters("airline_trace_20990101_000000"), r"run_id: there is no clustering run 'airline_"),
        (lambda lake: lake.items("x"), "run_id: there is no clustering run 'x'; runs"),
        (lambda lake: lake.days("acme"), "team: 'acme'"),
        (lambda lake: lake.search("a", level="span"), "level: 'span' is not one of trace, generation"),
        (lambda lake: lake.search(" "), "QUERY: ' ' is empty"),
        (lambda lake: lake.run("acme", "2026-03-09"), "team: 'acme'"),
        (lambda lake: lake.run("airline", "2019-01-01"), r"first: 2019-01-01 is not between .*LLMA_START_DATE"),
        (lambda lake: lake.run("airline", "2026-03-09", "2026-03-08"), "last: 2026-03-08 is before first, 2026-03-09"),
        (lambda lake: lake.ingest("nothing.jsonl", team="acme"), "'nothing.jsonl': no such file"),
    ],
)
def test_what_is_wrong_is_named(opened: llma.OpenLake, ask: Callable[[llma.OpenLake], Any], said: str) -> None:
    with pytest.raises(llma.LlmaError, match=said):
        ask(opened)


# --- runs, clusters, items -------------------------------------------------------------------------


def test_runs_clusters_and_items_fit_together(opened: llma.OpenLake) -> None:
    (team,) = opened.teams().to_dict("records")
    assert team["newest_run"] == RUN
    runs = opened.runs("airline").set_index("clustering_run_id")
    clusters, items = opened.clusters(RUN), opened.items(RUN)
    assert clusters["size"].sum() == len(items) == runs.loc[RUN, "items_analyzed"] == 60
    assert items.groupby("cluster_id").size().to_dict() == clusters.set_index("cluster_id")["size"].to_dict()
    assert set(items["cluster_title"]) == set(clusters["title"])
    assert items["title"].notna().all()
    assert clusters["total_cost"].sum() == pytest.approx(items["item_cost_usd"].sum())
    assert opened.days("airline").set_index("date")["status"].to_dict() == {
        date(2026, 3, 8): "waiting",
        date(2026, 3, 9): "shown",
    }


def test_search_gives_the_nearest_items_with_their_clusters(opened: llma.OpenLake) -> None:
    title = opened.items(RUN)["title"][0]
    found = opened.search(title, team="airline", limit=3)
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["similarity"].is_monotonic_decreasing
    assert set(found["clustering_run_id"]) == {RUN}
    with pytest.raises(llma.LlmaError, match="no trace of airline has a vector from 2026-03-10"):
        opened.search(title, team="airline", first="2026-03-10")


def test_what_fewer_users_said_is_not_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names were made without a minimum of users, so under one none is shown, whichever way it is asked for."""
    monkeypatch.setenv("LLMA_MIN_USERS_PER_CLUSTER", "2")
    lake = llma.open_lake(folder / ".llma")
    fixed = {CLUSTER_TITLE, "Outliers"}
    assert set(lake.clusters(RUN)["title"]) <= fixed
    assert set(lake.frame("clusters")["title"]) <= fixed
    assert set(lake.table("cluster_labels")["title"].to_pylist()) <= fixed
    items = lake.items(RUN)
    assert set(items["cluster_title"]) <= fixed
    assert items["title"].isna().all()
    assert items["item_user"].isna().all()
    assert items["item_models"].map(len).eq(0).all()
    assert lake.search("refund", team="airline")["title"].isna().all()


# --- new events and clusters -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_leaves_what_the_command_leaves(
    ingested: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through Dagster and without it: the same files with the same bytes."""
    home = Path(shutil.copytree(ingested / ".llma", tmp_path / "home"))
    monkeypatch.setenv("LLMA_HOME", str(home))
    done = command("run", "--team", "airline", "--date", "2026-03-09")
    assert done.returncode == 0, done.stdout + done.stderr
    assert parquet(folder / ".llma") == parquet(home)


def test_a_day_without_clusters_has_its_reason(ingest: Callable[..., Any], tmp_path: Path) -> None:
    event = {"uuid": "00000000-0000-4000-8000-000000000001", "event": "$ai_generation", "distinct_id": "u"}
    ingest([event | {"timestamp": "2026-03-09T10:00:00Z", "properties": {"$ai_trace_id": "t", "$ai_input": "Hello"}}])
    lake = llma.open_lake(tmp_path / "home")
    runs = lake.run("acme", date(2026, 3, 9))
    assert runs["clustering_run_id"].tolist() == ["acme_trace_20260310_000000", "acme_generation_20260310_000000"]
    assert set(runs["status"]) == {"skipped"}
    assert lake.days("acme")["reason"].tolist() == ["too_few_items (1 of 20)"]
    assert lake.frame("cluster_events").empty
