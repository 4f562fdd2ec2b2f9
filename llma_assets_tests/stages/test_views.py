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
import pytest
from pipeline import LOG, cluster, embed, run_day, summarize
from real_traces import demo_events

from llma_assets.cli.project import Project
from llma_assets.errors import PartitionMissing
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.stages.emit import EmitEvents
from llma_assets.stages.label import LabelClusters
from llma_assets.team_day import TeamDay

DAY = TeamDay("acme", date(2025, 6, 2))
Ingest = Callable[..., Any]


def test_every_view_is_in_the_docs() -> None:
    docs = (Path(__file__).parent.parent.parent / "docs" / "views.md").read_text(encoding="utf-8")
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
    assert status() == ("shown", None)


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

    monkeypatch.setattr("llma_assets.stages.label.cluster_map", broken)
    with caplog.at_level(logging.ERROR):
        reports = run_day(lake, "acme", [DAY.day])
    assert reports[-2].picture is None
    assert "could not be drawn" in caplog.text
    assert reports[-1].items == 2


def test_the_latest_of_two_deliveries_in_one_file_is_the_event(lake: Lake, ingest: Ingest) -> None:
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
