"""S6, S7: names from under a lower minimum of users are not told, by whatever way, until their day is named again."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from llma_assets.checks.findings import findings_result
from llma_assets.cli.clusters import clusters
from llma_assets.cli.export import export
from llma_assets.cli.project import Project
from llma_assets.findings.finding import Kind
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.labeling.suppression import suppress_alert_row, suppress_label_row, suppress_message
from llma_assets.lake import Lake
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_alerts import FindAlerts
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.cluster_alerts import CLUSTER_ALERTS
from llma_assets.tables.cluster_labels import CLUSTER_LABELS
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import NOW
from llma_assets_tests.stages.pipeline import LOG, match_clusters, measure, source
from llma_assets_tests.stages.planted import items, plant, summary_row

DAYS = [TeamDay("acme", date(2026, 3, 8) + timedelta(days=n)) for n in range(2)]
MIN_USERS = 3
SECRET = "zqx"
Row = dict[str, Any]


@pytest.fixture
def run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two days that were named and alerted of without a minimum of users, with words of ours in the titles; it is
    set now. The run of the second day."""
    monkeypatch.setenv("LLMA_MIN_COVERAGE", "0")
    for number, day in enumerate(DAYS):
        topics = items("refund", 0, 30, 0) | items("parking", 0, 30, 1) | items("odd", 0, 2, -1)
        topics |= items("visa", 0, 30, 2) if number else {}
        plant(lake, day, topics, {0: 0, 1: 1, 2: 1})
        rows = [spoken(summary_row(day, item_id)) for item_id in topics]
        lake.write("trace_summaries", day, pa.Table.from_pylist(rows, TRACE_SUMMARIES.schema))
        match_clusters(lake, day)
        measure(lake, day)
        LabelClusters(lake, KeywordLabeler(), LOG).run(day)
        EmitEvents(lake, LOG).run(day)
        FindAlerts(lake, source(lake), load_settings(), NOW, LOG).run(day)
    for table in ("cluster_labels", "cluster_events", "cluster_alerts"):
        assert SECRET in said(lake.read(table, DAYS[1]).to_pylist()), "or nothing was planted"
    monkeypatch.setenv("LLMA_MIN_USERS_PER_CLUSTER", str(MIN_USERS))
    (one,) = lake.read("cluster_assignments", DAYS[1]).to_pylist()
    return str(one["clustering_run_id"])


def spoken(row: Row) -> Row:
    """A summary of a user of its own that calls its topic by a word of these tests."""
    topic, item_id = row["item_id"].rpartition("-")[0], row["item_id"]
    told = json.loads(json.dumps([row["title"], row["summary_bullets"]]).replace(topic, SECRET + topic))
    return row | {"title": told[0], "summary_bullets": told[1], "item_user": f"user-{item_id}", "item_error_count": 1}


def said(rows: Any) -> str:
    return json.dumps(rows, default=str).lower()


def test_commands_and_files_do_not_tell_it(run: str, capsys: Any) -> None:
    clusters(run)
    printed = capsys.readouterr().out
    assert SECRET not in printed.lower()
    assert "Cluster of few users" in printed
    assert "Theme of few users" in printed
    for form in ("csv", "jsonl", "json", "parquet"):
        export(out=f"out.{form}", form=form, run=run)
        assert SECRET.encode() not in Path(f"out.{form}").read_bytes().lower(), form
    export(out="days.csv", team="acme", first=str(DAYS[0].day), to=str(DAYS[1].day))
    assert "Cluster of few users" in Path("days.csv").read_text()
    assert SECRET not in Path("days.csv").read_text().lower()


@pytest.mark.parametrize(
    "view", ["clusters", "themes", "cluster_labels", "cluster_changes", "alerts", "cluster_alerts"]
)
def test_views_do_not_tell_it(run: str, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Project().rows(f"SELECT * FROM {view}")
    assert rows
    assert SECRET not in said(rows)
    monkeypatch.delenv("LLMA_MIN_USERS_PER_CLUSTER")
    before = Project().rows(f"SELECT * FROM {view}")
    assert SECRET in said(before)
    assert len(rows) == len(before)


def test_views_say_what_the_rule_says(run: str, lake: Lake) -> None:
    """Two wordings of one rule, of rows of every kind: labels of several themes, of a theme alone, of noise."""
    stored = lake.read_days("cluster_labels", DAYS).to_pylist()
    stored[0] |= {"min_users": MIN_USERS}
    stored[1] |= {"min_users": MIN_USERS - 1}
    stored[3] |= {"source": "fixed", "is_suppressed": True}
    assert {row["cluster_id"] for row in stored} == {-1, 0, 1, 2}
    assert {(row["theme_naming"] or {}).get("source") for row in stored} == {None, "cluster", "keywords"}
    day = TeamDay("other", DAYS[0].day)
    stored = [row | {"team_id": "other", "date": day.day} for row in stored]
    lake.write("cluster_labels", day, pa.Table.from_pylist(stored, CLUSTER_LABELS.schema))
    shown = Project().rows(
        "SELECT * FROM cluster_labels WHERE team_id = 'other' ORDER BY clustering_run_id, cluster_id"
    )
    told = [suppress_label_row(row, MIN_USERS) for row in stored]
    assert shown == sorted(told, key=lambda row: (row["clustering_run_id"], row["cluster_id"]))
    assert sum(row["title"] == "Cluster of few users" for row in told) == 3
    assert [row["reason"] for row in told[1:3]] == ["lower_floor (2 of 3)", None]
    alerts = lake.read("cluster_alerts", DAYS[1]).to_pylist()
    shown = Project().rows("SELECT * FROM cluster_alerts WHERE date = '2026-03-09' ORDER BY alert_id")
    assert shown == sorted((suppress_alert_row(row, MIN_USERS) for row in alerts), key=lambda row: row["alert_id"])


def test_what_is_made_from_it_now_does_not_tell_it(run: str, lake: Lake) -> None:
    """Events, alerts and checks that are run without naming the day again."""
    report = EmitEvents(lake, LOG, MIN_USERS).run(DAYS[1])
    assert SECRET not in said(lake.read("cluster_events", DAYS[1]).to_pylist())
    assert SECRET not in said([table.to_pylist() for table in report.tables.values()])
    assert SECRET in str(findings_result(lake, Kind.NEW_CLUSTER, DAYS).metadata).lower()
    assert SECRET not in str(findings_result(lake, Kind.NEW_CLUSTER, DAYS, MIN_USERS).metadata).lower()
    FindAlerts(lake, source(lake), load_settings(), NOW, LOG).run(DAYS[1])
    rows = lake.read("cluster_alerts", DAYS[1]).to_pylist()
    assert {row["min_users"] for row in rows} == {MIN_USERS}
    assert "New cluster “Cluster of few users”" in " ".join(row["text"] for row in rows)
    assert SECRET not in said(rows)


def test_a_day_that_is_named_again_has_its_names(run: str, lake: Lake) -> None:
    LabelClusters(lake, KeywordLabeler(), LOG, MIN_USERS).run(DAYS[1])
    titles = [
        row["title"] for row in Project().rows("SELECT title FROM clusters WHERE clustering_run_id = $r", {"r": run})
    ]
    assert "Cluster of few users" not in titles
    assert len(set(titles)) == 4


def test_only_what_names_a_cluster_is_changed() -> None:
    row = dict.fromkeys(CLUSTER_ALERTS.names) | {"title": None, "text": "No items on a day"}
    assert suppress_alert_row(row, MIN_USERS) == row
    assert (
        suppress_message({"title": None, "text": "No items on a day"}, None, MIN_USERS)["text"] == "No items on a day"
    )
    assert (
        suppress_message({"title": "Cut titl…", "text": "New cluster “Cut title”"}, 2, MIN_USERS)["text"]
        == "Cluster of few users"
    )
    assert suppress_message({"title": "Seats", "text": "Seats"}, MIN_USERS, MIN_USERS) == {
        "title": "Seats",
        "text": "Seats",
    }
