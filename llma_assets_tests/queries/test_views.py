"""The views: what they count, whose names they show, and that no time zone changes them."""

import logging
import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llma_assets.cli.project import Project
from llma_assets.errors import PartitionMissing
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
from llma_assets.team_day import TeamDay
from llma_assets_tests import ROOT
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.pipeline import LOG, cluster, embed, match_clusters, run_day, summarize
from llma_assets_tests.stages.planted import items, plant

DAY = TeamDay("acme", date(2025, 6, 2))
Ingest = Callable[..., Any]


def test_every_view_is_in_the_docs() -> None:
    docs = (ROOT / "docs" / "views.md").read_text(encoding="utf-8")
    table = "\n".join(line.split(" | ")[0] for line in docs.splitlines() if line.startswith("| `"))
    folder = files("llma_assets.sql") / "views"
    views = [name for path in folder.iterdir() for name in re.findall(r"CREATE VIEW (\w+)", path.read_text("utf-8"))]
    assert len(views) > 8
    assert [name for name in views if f"`{name}`" not in table] == []


def test_names_of_other_clusters_are_neither_shown_nor_emitted(lake: Lake, ingest: Ingest) -> None:
    ingest(demo_events("airline", 40, "2026-03-08"))
    day = TeamDay("acme", date(2026, 3, 8))
    run_day(lake, "acme", [day.day])
    named = Project().rows("SELECT count(*) AS n FROM clusters")[0]["n"]
    assert named > 0
    cluster(lake, day, method="kmeans")
    assert Project().rows("SELECT count(*) AS n FROM clusters") == [{"n": 0}]
    with pytest.raises(PartitionMissing, match="name other clusters"):
        EmitEvents(lake, LOG).run(day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    assert EmitEvents(lake, LOG).run(day).items == 2


def plant_themes(lake: Lake) -> TeamDay:
    """Two clusters in one theme, one alone, some noise; named by keywords."""
    day = TeamDay("acme", date(2026, 1, 1))
    clusters = items("flight", 0, 8, 0) | items("seat", 0, 6, 1) | items("refund", 0, 4, 2) | items("odd", 0, 2, -1)
    plant(lake, day, clusters, {0: 0, 1: 0, 2: 1}, themes=2, theme_stability=0.9, stability=0.8, largest_share=0.4)
    match_clusters(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    return day


def test_a_theme_is_a_row_and_its_clusters_say_which_it_is(lake: Lake) -> None:
    day = plant_themes(lake)
    labels = {row["cluster_id"]: row for row in lake.read("cluster_labels", day).to_pylist()}
    project = Project()
    first, second = project.rows("SELECT * FROM themes ORDER BY theme_id")
    assert (first["theme_id"], first["clusters"], first["items"], first["share"]) == (0, 2, 14, 14 / 20)
    assert (first["title"], first["label_source"]) == (labels[0]["theme_title"], "keywords")
    assert first["top_clusters"] == [labels[0]["title"], labels[1]["title"]]
    assert (second["clusters"], second["items"], second["title"]) == (1, 4, labels[2]["title"])
    assert second["label_source"] == "cluster" and second["named_date"] == day.day
    shown = project.rows("SELECT cluster_id, theme_id, theme_title FROM clusters ORDER BY cluster_id")
    assert [(row["theme_id"], row["theme_title"]) for row in shown] == [
        (None, None), (0, first["title"]), (0, first["title"]), (1, second["title"]),
    ]  # fmt: skip
    (run,) = project.rows("SELECT themes, theme_stability, stability, largest_share FROM runs")
    assert run == {"themes": 2, "theme_stability": 0.9, "stability": 0.8, "largest_share": 0.4}
    plant(lake, day, items("flight", 0, 20, 0), {0: 0})
    assert project.rows("SELECT * FROM themes") == [], "names of other clusters"


def test_items_say_whether_they_are_borderline(lake: Lake) -> None:
    day = TeamDay("acme", date(2026, 1, 1))
    row = plant(lake, day, items("flight", 0, 3, 0) | items("odd", 0, 2, -1))
    told = {
        "odd-000": (True, True), "odd-001": (None, None),
        "flight-000": (True, False), "flight-001": (True, True), "flight-002": (False, True),
    }  # fmt: skip
    for item in row["items"]:
        item["is_learned"], item["raw_noise"] = told[item["item_id"]]
    lake.write("cluster_assignments", day, pa.Table.from_pylist([row], CLUSTER_ASSIGNMENTS.schema))
    found = Project().rows("SELECT item_id, is_learned, raw_noise, is_borderline FROM cluster_items ORDER BY item_id")
    assert [tuple(one.values()) for one in found] == [
        ("flight-000", True, False, False),
        ("flight-001", True, True, True),
        ("flight-002", False, True, True),
        ("odd-000", True, True, False),
        ("odd-001", None, None, False),
    ]


def test_files_from_before_there_were_themes_are_shown(lake: Lake) -> None:
    """F36: columns, and fields within columns, that the files of the version before do not have."""
    day = plant_themes(lake)
    new = ["theme_id", "theme_title", "theme_description", "theme_naming"]
    path = lake.path("cluster_labels", day)
    pq.write_table(pq.read_table(path).drop_columns(new), path)
    path = lake.path("cluster_assignments", day)
    (row,) = pq.read_table(path).to_pylist()
    added = ["items_learned", "items_borderline", "themes", "theme_stability", "ladder", "stability"]
    kept = [field for field in CLUSTER_ASSIGNMENTS.schema if field.name not in added]
    inner = {"clusters": {"theme_id"}, "items": {"is_learned", "raw_noise"}}
    fields = [
        pa.field(f.name, pa.list_(pa.struct([g for g in f.type.value_type if g.name not in inner[f.name]])))
        if f.name in inner
        else f
        for f in kept
    ]
    old = {name: value for name, value in row.items() if name not in added}
    for name, gone in inner.items():
        old[name] = [{key: value for key, value in one.items() if key not in gone} for one in old[name]]
    pq.write_table(pa.Table.from_pylist([old], pa.schema(fields)), path)
    project = Project()
    assert project.rows("SELECT * FROM themes") == []
    assert project.rows("SELECT count(*) AS n, count(theme_id) AS themed FROM clusters") == [{"n": 4, "themed": 0}]
    counted = "SELECT count(*) AS n, count(is_learned) AS told, bool_or(is_borderline) AS any FROM cluster_items"
    # Noise is never borderline; of the others nothing is known.
    assert project.rows(counted) == [{"n": 20, "told": 0, "any": False}]
    assert project.rows("SELECT themes, ladder FROM runs") == [{"themes": None, "ladder": None}]
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    assert {row["theme_id"] for row in lake.read("cluster_labels", day).to_pylist()} == {None}


def test_every_item_of_every_run_is_counted_once(lake: Lake, ingest: Ingest) -> None:
    ingest(demo_events("assistant", 30, DAY.day.isoformat()))
    ingest(demo_events("assistant", 25, DAY.day.isoformat()), "other")
    for team in ("acme", "other"):
        run_day(lake, team, [DAY.day])
    project = Project()
    per_run = "SELECT clustering_run_id, count(*) AS n FROM {} GROUP BY ALL ORDER BY ALL"
    analyzed = project.rows("SELECT clustering_run_id, items_analyzed AS n FROM runs ORDER BY ALL")
    assert project.rows(per_run.format("cluster_items")) == analyzed
    assert (
        project.rows("SELECT clustering_run_id, sum(size)::BIGINT AS n FROM clusters GROUP BY ALL ORDER BY ALL")
        == analyzed
    )
    metrics = "SELECT clustering_run_id, sum(item_count)::BIGINT AS n FROM cluster_metrics GROUP BY ALL ORDER BY ALL"
    assert project.rows(metrics) == analyzed
    missing = project.rows("SELECT count(*) AS n FROM cluster_items WHERE title IS NULL")
    assert missing == [{"n": 0}]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_client_s_time_zone_changes_no_figure(lake: Lake, ingest: Ingest, zone: str) -> None:
    """F21, for whoever opens llma.duckdb with a shell of their own."""
    ingest(demo_events("airline", 30, "2026-03-09"))
    run_day(lake, "acme", [date(2026, 3, 9)])
    Project().refresh_views_file()
    figures = (
        "SELECT sum(item_cost_usd), count(title), count(*) FROM cluster_items",
        "SELECT max(properties->>'trace_timestamp') FROM events WHERE event = '$ai_trace_summary'",
    )
    answers = []
    for one in ("UTC", zone):
        with duckdb.connect(str(Path(os.environ["LLMA_HOME"], "llma.duckdb")), read_only=True) as connection:
            connection.execute(f"SET TimeZone = '{one}'")
            answers.append([connection.execute(text).fetchall() for text in figures])
    assert answers[0] == answers[1]
    assert answers[0][0][0][1] == answers[0][0][0][2] > 0


def test_status_tells_how_far_each_day_got(lake: Lake, ingest: Ingest) -> None:
    ingest(demo_events("assistant", 30, DAY.day.isoformat()))

    def status() -> tuple[str, str | None]:
        (row,) = Project().rows("SELECT status, reason FROM team_day_status")
        return row["status"], row["reason"]

    assert status() == ("waiting", "not summarized yet")
    summarize(lake, DAY)
    assert status() == ("waiting", "not embedded yet")
    embed(lake, DAY)
    assert status() == ("waiting", "not clustered yet")
    cluster(lake, DAY)
    assert status() == ("waiting", "not emitted yet")
    LabelClusters(lake, KeywordLabeler(), LOG).run(DAY)
    EmitEvents(lake, LOG).run(DAY)
    assert status() == ("shown", "all_noise")


def test_a_day_without_events_that_was_run_says_so(lake: Lake) -> None:
    summarize(lake, DAY)
    embed(lake, DAY)
    cluster(lake, DAY)
    (row,) = Project().rows("SELECT status, reason FROM team_day_status")
    assert (row["status"], row["reason"]) == ("nothing", "no_items")


def test_a_picture_that_cannot_be_drawn_breaks_nothing(
    lake: Lake, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ingest(demo_events("assistant", 25, DAY.day.isoformat()))

    def broken(*_: Any) -> bytes:
        raise ValueError("no canvas")

    monkeypatch.setattr("llma_assets.stages.cluster_labels.cluster_map", broken)
    with caplog.at_level(logging.ERROR):
        reports = run_day(lake, "acme", [DAY.day])
        assert [draw() for draw in reports[-2].pictures] == [None, None]
    assert "could not be drawn" in caplog.text
    assert reports[-1].items == 2


def test_the_latest_of_two_deliveries_in_one_file_is_the_event(ingest: Ingest) -> None:
    at = datetime(2025, 6, 2, 10, tzinfo=UTC).isoformat()
    one = {"event": "$ai_generation", "distinct_id": "p", "timestamp": at}
    rows = [
        one | {"uuid": f"u{n}", "properties": {"$ai_trace_id": "t", "$ai_input": f"delivery {delivery}"}}
        for delivery in (1, 2)
        for n in range(50)
    ]
    ingest(rows)
    shown = Project().rows("""SELECT DISTINCT properties->>'$."$ai_input"' AS text FROM events""")
    assert shown == [{"text": "delivery 2"}]
