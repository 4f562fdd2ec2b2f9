"""cluster_metrics in the lake: sums against the summaries, tools and people from real and made events, old runs."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any, cast

import pytest

from llma_assets.cli.project import Project
from llma_assets.emission.run_metrics import metrics_rows
from llma_assets.errors import PartitionMissing
from llma_assets.lake import Lake
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.pipeline import LOG, cluster, measure, run_day, summarize
from llma_assets_tests.stages.planted import items, plant

DAY = TeamDay("acme", date(2026, 1, 2))
AIRLINE = TeamDay("acme", date(2026, 3, 8))
Ingest = Callable[..., Any]


def test_the_clusters_and_noise_add_up_to_the_run(lake: Lake, ingest: Ingest) -> None:
    """With the figures of the summaries themselves, on real traces, at both levels."""
    ingest(demo_events("airline", 40, AIRLINE.day.isoformat()))
    run_day(lake, "acme", [AIRLINE.day])
    project = Project()
    query = """
        SELECT level, CAST(sum(item_count) AS BIGINT) AS item_count, CAST(sum(total_tokens) AS BIGINT) AS total_tokens,
               CAST(sum(error_count) AS BIGINT) AS error_count, round(sum(total_cost), 6) AS total_cost
        FROM {} GROUP BY level ORDER BY level
    """
    whole = project.rows(query.format("run_metrics"))
    assert [row["level"] for row in whole] == ["generation", "trace"]
    assert project.rows(query.format("cluster_metrics")) == whole
    from_summaries = """
        SELECT level, count(*) AS item_count,
               CAST(sum(item_input_tokens + item_output_tokens) AS BIGINT) AS total_tokens,
               count(*) FILTER (item_error_count > 0) AS error_count, round(sum(item_cost_usd), 6) AS total_cost
        FROM trace_summaries WHERE status = 'summarized' GROUP BY level ORDER BY level
    """
    assert project.rows(from_summaries) == whole
    assert whole[1]["item_count"] == 40 and whole[1]["total_cost"] > 0
    (users,) = project.rows("SELECT distinct_users AS n FROM run_metrics WHERE level = 'trace'")
    assert project.rows("SELECT count(DISTINCT item_user) AS n FROM trace_summaries WHERE level = 'trace'") == [users]


def test_themes_hold_what_their_clusters_hold(lake: Lake) -> None:
    row = plant(lake, DAY, items("a", 0, 8, 0) | items("b", 0, 6, 1) | items("c", 0, 4, 2), {0: 0, 1: 0, 2: 1})
    figures = {f"{topic}-{n:03d}": {"cost": cost} for topic, cost in (("a", 1.0), ("b", 2.0)) for n in range(8)}
    known = {
        item_id: TRACE_SUMMARIES.blank() | {"item_cost_usd": figure["cost"], "item_error_count": 0}
        for item_id, figure in figures.items()
    }
    rows = metrics_rows(row, known)
    told = [(row["kind"], row["cluster_id"], row["theme_id"], row["item_count"], row["total_cost"]) for row in rows]
    assert told == [
        ("run", None, None, 18, 20.0),
        ("theme", None, 0, 14, 20.0), ("theme", None, 1, 4, None),
        ("cluster", 0, 0, 8, 8.0), ("cluster", 1, 0, 6, 12.0), ("cluster", 2, 1, 4, None),
    ]  # fmt: skip


def test_metrics_of_replaced_clusters_are_neither_shown_nor_emitted(lake: Lake, ingest: Ingest) -> None:
    ingest(demo_events("airline", 30, AIRLINE.day.isoformat()))
    run_day(lake, "acme", [AIRLINE.day])
    kept = lake.read("cluster_metrics", AIRLINE)
    labels = lake.read("cluster_labels", AIRLINE)
    cluster(lake, AIRLINE, method="kmeans")
    lake.write("cluster_metrics", AIRLINE, kept)
    assert Project().rows("SELECT count(*) AS n FROM all_metrics") == [{"n": 0}]
    changed = lake.read("cluster_assignments", AIRLINE)["content_hash"].to_pylist()[0]
    named = labels.set_column(
        labels.schema.get_field_index("content_hash"), labels.schema.field("content_hash"),
        [[changed] * labels.num_rows],
    )  # fmt: skip
    lake.write("cluster_labels", AIRLINE, named)
    with pytest.raises(PartitionMissing, match=r"cluster_metrics .* of other clusters"):
        EmitEvents(lake, LOG).run(AIRLINE)


def test_events_carry_the_metrics_of_the_table(lake: Lake, ingest: Ingest) -> None:
    ingest(demo_events("airline", 30, AIRLINE.day.isoformat()))
    run_day(lake, "acme", [AIRLINE.day])
    rows = lake.read("cluster_metrics", AIRLINE).to_pylist()
    wanted = {(row["level"], row["cluster_id"]): row for row in rows if row["kind"] == "cluster"}
    events = lake.read("cluster_events", AIRLINE).to_pylist()
    told = {
        (json.loads(event["properties"])["$ai_clustering_level"], one["cluster_id"]): one["metrics"]
        for event in events
        for one in json.loads(event["properties"])["$ai_clusters"]
    }
    assert told.keys() == wanted.keys()
    for key, figures in told.items():
        assert figures == {name: wanted[key][name] for name in figures}


def test_a_day_without_clusters_is_an_empty_file(lake: Lake) -> None:
    plant(lake, DAY, {})
    report = measure(lake, DAY)
    assert (report.items, report.empty_reason) == (0, "no clustering run of this day has items")
    assert lake.exists("cluster_metrics", DAY)


def event(uuid: str, trace: str, person: str, **properties: Any) -> dict[str, Any]:
    return {
        "uuid": uuid, "event": "$ai_generation", "distinct_id": person, "timestamp": "2026-01-02T10:00:00Z",
        "properties": {"$ai_trace_id": trace, "$ai_input": f"question {uuid}", **properties},
    }  # fmt: skip


def test_people_and_costs_are_counted_once(lake: Lake, ingest: Ingest) -> None:
    """B7: cost on both trace and generation counts once, odd values not at all. B23: a trace id is no person."""
    total = "$ai_total_cost_usd"
    ingest(
        [
            event("u1", "t1", "t1", **{total: "0.25", "$ai_latency": "inf"}),
            event("u2", "t2", "ann", **{total: 0.5, "$ai_input_tokens": -3}),
            event("u3", "t2", "ann", **{total: float("nan"), "$ai_is_error": "true"}),
            event("u4", "t3", "ann", **{total: 1e300, "$ai_latency": 2}),
            event("u5", "t2", "ann", **{total: 0.5}) | {"event": "$ai_trace"},
        ]
    )
    summarize(lake, DAY)
    summaries = {row["item_id"]: row for row in lake.read("trace_summaries", DAY).to_pylist()}
    run = {"team_id": "acme", "date": DAY.day, "clustering_run_id": "r", "level": "trace", "content_hash": "h"}
    of_run = {"items": [{"item_id": f"t{n}", "cluster_id": 0} for n in (1, 2, 3)], "clusters": []}
    whole = metrics_rows(cast("ClusteringRunRow", run | of_run), summaries)[0]
    assert (whole["total_cost"], whole["avg_cost"], whole["distinct_users"]) == (0.75, 0.375, 1)
    assert (whole["error_count"], whole["avg_latency"], whole["avg_tokens"]) == (1, 1.0, None)


def test_tools_are_those_that_the_item_itself_called(lake: Lake, ingest: Ingest) -> None:
    """Not those of the history that a generation carries; every item of the real airline agent."""
    ingest(demo_events("airline", 12, AIRLINE.day.isoformat()))
    summarize(lake, AIRLINE)
    rows = lake.read("trace_summaries", AIRLINE).to_pylist()
    called: dict[str, set[str]] = {}
    for one in demo_events("airline", 12, AIRLINE.day.isoformat()):
        for choice in one["properties"].get("$ai_output_choices") or []:
            names = {call["function"]["name"] for call in choice.get("tool_calls") or []}
            called.setdefault(one["properties"]["$ai_trace_id"], set()).update(names)
            called.setdefault(one["uuid"], set()).update(names)
    read = [row for row in rows if row["item_tools"] is not None]
    assert {row["status"] for row in rows if row["item_tools"] is None} <= {"skipped"}
    assert {row["item_id"]: set(row["item_tools"]) for row in read} == {
        row["item_id"]: called.get(row["item_id"], set()) for row in read
    }
    assert {bool(row["item_tools"]) for row in read if row["level"] == "generation"} == {True, False}
