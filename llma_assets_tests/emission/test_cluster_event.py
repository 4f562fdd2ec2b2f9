"""Events: PostHog's shape, deterministic ids, never empty, never above the size that is dropped."""

import json
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.emission.cluster_event import MAX_EVENT_BYTES, cluster_events
from llma_assets.emission.identity import clustering_run_id, event_uuid, seed_of, summary_uuid
from llma_assets.emission.metrics import METRIC_NAMES
from llma_assets.errors import InputRejected
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.cluster_events import ClusterEventRow
from llma_assets.tables.cluster_labels import CLUSTER_LABELS, ClusterLabelRow
from llma_assets.tables.cluster_metrics import ClusterMetricsRow

END = datetime(2026, 1, 3, tzinfo=UTC)


def run(sizes: dict[int, int], **changes: Any) -> ClusteringRunRow:
    items = [
        {
            "item_id": f"trace'{cluster}|{n:05d}-я", "trace_id": f"trace'{cluster}|{n:05d}-я", "generation_id": None,
            "trace_timestamp": END, "cluster_id": cluster, "rank": n, "distance_to_centroid": 0.25, "x": 1.0, "y": -1.0,
        }
        for cluster, size in sizes.items() for n in range(size)
    ]  # fmt: skip
    clusters = [
        {"cluster_id": c, "centroid": [0.1, 0.2], "centroid_x": 0.5, "centroid_y": 0.5} for c in sizes if c >= 0
    ]
    row = {
        "team_id": "42", "date": date(2026, 1, 2), "clustering_run_id": "42_trace_20260103_000000", "level": "trace",
        "job_id": "", "job_name": "Default - trace", "window_start": END, "window_end": END, "method": "hdbscan",
        "items_in_window": len(items), "items_analyzed": len(items), "items_learned": len(items),
        "params": '{"min_samples": 5}', "seed": 1,
        "algorithm_version": "1", "optimal_k": 3, "silhouette": 0.5, "inertia": 7.0, "clusters": clusters,
        "items": items,
    }  # fmt: skip
    return cast("ClusteringRunRow", row | changes)


def labels(*ids: int) -> dict[int, ClusterLabelRow]:
    return {
        i: CLUSTER_LABELS.blank()
        | {"title": f"Title {i}", "description": "- one", "size": 0, "source": "keywords", "keywords": ["k"]}
        for i in ids
    }


def metrics(row: ClusteringRunRow, **themes: int) -> list[ClusterMetricsRow]:
    """Rows of cluster_metrics, with figures that are the group's own."""
    groups: list[tuple[str, int | None, int | None]]
    groups = [("cluster", item, None) for item in {item["cluster_id"] for item in row["items"]}]
    groups += [("theme", None, theme) for theme in themes.values()]
    known = dict.fromkeys(METRIC_NAMES) | {"models": [], "tools": [], "lift": {"avg_cost": 2.0}}
    rows = [
        known | {"kind": kind, "cluster_id": cluster, "theme_id": theme, "total_cost": f"{kind} {cluster} {theme}"}
        for kind, cluster, theme in groups
    ]
    return cast("list[ClusterMetricsRow]", rows)


def test_one_event_has_the_shape_that_readers_know() -> None:
    row = run({0: 3, 1: 2, -1: 1})
    (event,) = cluster_events(row, labels(0, 1, -1), metrics(row))
    properties = json.loads(event["properties"])
    assert event["event"] == "$ai_trace_clusters"
    assert event["distinct_id"] == "trace_clustering_42"
    assert event["uuid"] == event_uuid("42_trace_20260103_000000", 1)
    assert event["timestamp"] == END
    assert properties["$ai_clustering_run_id"] == "42_trace_20260103_000000"
    assert properties["$ai_total_items_analyzed"] == 6
    assert properties["$ai_clustering_params"] == {
        "min_samples": 5,
        "method": "hdbscan",
        "seed": 1,
        "algorithm_version": "1",
    }
    assert "$ai_optimal_k" not in properties
    clusters = properties["$ai_clusters"]
    assert [cluster["cluster_id"] for cluster in clusters] == [0, 1, -1]
    assert clusters[-1]["centroid"] == []
    first = clusters[0]
    assert first["traces"][first["trace_ids"][0]]["rank"] == 0
    assert set(first["metrics"]) == set(METRIC_NAMES)
    assert first["metrics"]["lift"] == {"avg_cost": 2.0}
    assert [cluster["metrics"]["total_cost"] for cluster in clusters] == [f"cluster {n} None" for n in (0, 1, -1)]
    assert properties["$ai_themes"] == []


def test_k_means_runs_carry_the_first_version_s_properties() -> None:
    row = run({0: 2}, method="kmeans")
    properties = json.loads(cluster_events(row, labels(0), metrics(row))[0]["properties"])
    assert (properties["$ai_optimal_k"], properties["$ai_silhouette_score"], properties["$ai_inertia"]) == (3, 0.5, 7.0)


def test_clusters_say_which_lineage_they_belong_to() -> None:
    row = run({0: 2, 1: 1, -1: 1})
    known: dict[int, dict[str, str | None]] = {0: {"lineage_id": "42_trace_20260102_000000/4", "change": "kept"}}
    (event,) = cluster_events(row, labels(0, 1, -1), metrics(row), lineages=known)
    told = json.loads(event["properties"])["$ai_clusters"]
    assert [(one["lineage_id"], one["change"]) for one in told] == [
        ("42_trace_20260102_000000/4", "kept"),
        (None, None),
        (None, None),
    ]


def test_clusters_say_which_theme_they_belong_to() -> None:
    named = labels(0, 1, -1)
    for one in (0, 1):
        named[one] |= {"theme_id": 4, "theme_title": "Both of them", "theme_description": "- both"}
    named[-1] |= {"theme_id": None, "theme_title": None}
    row = run({0: 2, 1: 1, -1: 1})
    named[0]["size"], named[1]["size"] = 2, 1
    (event,) = cluster_events(row, named, metrics(row, both=4))
    told = json.loads(event["properties"])["$ai_clusters"]
    both = (4, "Both of them")
    assert [(one["theme_id"], one["theme_title"]) for one in told] == [both, both, (None, None)]
    (theme,) = json.loads(event["properties"])["$ai_themes"]
    figures = theme.pop("metrics")
    assert theme == {"theme_id": 4, "title": "Both of them", "description": "- both", "size": 3}
    assert figures["total_cost"] == "theme None 4"


def test_a_run_without_items_is_never_an_event() -> None:
    with pytest.raises(InputRejected, match="without items"):
        cluster_events(run({}), {}, [])


def test_a_cluster_without_a_name_is_refused_not_numbered() -> None:
    with pytest.raises(InputRejected, match="cluster 1 has no label"):
        cluster_events(run({0: 1, 1: 1}), labels(0), metrics(run({0: 1, 1: 1})))


def test_a_cluster_without_metrics_is_refused() -> None:
    row = run({0: 1, 1: 1})
    with pytest.raises(InputRejected, match="cluster 1 has no metrics"):
        cluster_events(row, labels(0, 1), metrics(run({0: 1})))


def test_ten_thousand_items_are_split_below_the_limit_and_none_is_lost() -> None:
    """F30: PostHog's SDK drops events above 900 KiB without a word."""
    row = run({0: 9_000, 1: 700, 2: 299, -1: 1})
    events = cluster_events(row, labels(0, 1, 2, -1), metrics(row))
    assert len(events) > 1
    assert [json.loads(event["properties"])["$ai_part"] for event in events] == list(range(1, len(events) + 1))
    assert {event["parts"] for event in events} == {len(events)}
    assert len({event["uuid"] for event in events}) == len(events)
    assert max(_wire_bytes(event) for event in events) <= MAX_EVENT_BYTES
    _assert_whole(row, events)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(-1, 6), st.integers(1, 40), min_size=1), st.integers(3_000, 30_000))
def test_parts_together_are_the_whole_for_any_limit(sizes: dict[int, int], limit: int) -> None:
    row = run(sizes)
    events = cluster_events(row, labels(*sizes), metrics(row), max_bytes=limit)
    assert all(_wire_bytes(event) <= limit for event in events)
    _assert_whole(row, events)


def _wire_bytes(event: ClusterEventRow) -> int:
    """Bytes of an event as a capture SDK writes it: spaces after separators, no character above ASCII."""
    names = {"uuid": event["uuid"], "event": event["event"], "distinct_id": event["distinct_id"]}
    told = {"timestamp": event["timestamp"].isoformat(), "properties": json.loads(event["properties"])}
    return len(json.dumps(names | told))


def test_an_entry_that_cannot_fit_is_an_error_not_a_loss() -> None:
    row = run({0: 1})
    row["items"][0]["item_id"] = "x" * 5_000
    with pytest.raises(InputRejected, match="bytes"):
        cluster_events(row, labels(0), metrics(row), max_bytes=3_000)


def _assert_whole(row: ClusteringRunRow, events: list[ClusterEventRow]) -> None:
    seen = [
        (cluster["cluster_id"], item_id)
        for event in events
        for cluster in json.loads(event["properties"])["$ai_clusters"]
        for item_id in cluster["traces"]
    ]
    assert sorted(seen) == sorted((item["cluster_id"], item["item_id"]) for item in row["items"])


def test_names_come_from_the_partition_alone() -> None:
    assert clustering_run_id("42", "trace", END) == "42_trace_20260103_000000"
    assert clustering_run_id("42", "trace", END, "j1", "trial") == "42_trace_20260103_000000_j1_trial"
    # Fixed for ever: ids that readers hold must not move with a release.
    assert event_uuid("42_trace_20260103_000000", 1) == "5b2b1e13-e8c2-5188-a87c-f4755fa717eb"
    assert summary_uuid("42", "trace", "abc") == "32446315-f55a-51e4-a923-98bc7b690738"
    assert seed_of("42", "2026-01-02", "", "trace", "1") == 597110106
