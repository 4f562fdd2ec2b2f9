"""Clustering runs read back from JSON: every form that they are written in, and a clear error for every other."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from llma_assets.emission.cluster_document import read_document
from llma_assets.emission.cluster_event import cluster_events
from llma_assets.errors import InputRejected
from llma_assets.tables.cluster_labels import ThemeColumns
from llma_assets_tests.emission.test_cluster_event import labels, metrics, run

RUN_ID = "42_trace_20260103_000000"


def events(max_bytes: int = 900 * 1024, sizes: dict[int, int] | None = None) -> list[dict[str, Any]]:
    """The events of a run as a capture endpoint has them: properties as an object."""
    row = run(sizes or {0: 3, 1: 7, -1: 2})
    theme: ThemeColumns = {"theme_id": 0, "theme_title": "Both", "theme_description": "- both", "theme_naming": None}
    named = labels(*(sizes or {0: 3, 1: 7, -1: 2}))
    for one in named:
        if one >= 0:
            named[one] |= theme
    figures = [one | {"total_cost": 3.5, "error_count": 7} for one in metrics(row, both=0)]
    return [
        {"event": one["event"], "uuid": one["uuid"], "properties": json.loads(one["properties"])}
        for one in cluster_events(row, named, figures, max_bytes)
    ]


def text_of(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"properties": json.dumps(one["properties"])}


FORMS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "one event": lambda es: json.dumps(es[0]),
    "list": json.dumps,
    "lines": lambda es: "\n".join(map(json.dumps, [{"event": "$ai_generation", "properties": {}}, *es])) + "\n\n",
    "properties as text": lambda es: json.dumps([text_of(one) for one in es]),
    "results": lambda es: json.dumps({"results": es, "next": None}),
    "answer of a query": lambda es: json.dumps(
        {"columns": ["event", "properties"], "results": [[one["event"], text_of(one)["properties"]] for one in es]}
    ),
    "properties alone": lambda es: json.dumps(es[0]["properties"]),
    "with a byte order mark": lambda es: "\ufeff" + json.dumps(es),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_events_are_read_in_every_form(form: str) -> None:
    document = read_document(FORMS[form](events()).encode())
    assert document["run"]["clustering_run_id"] == RUN_ID
    assert document["run"]["window_end"] == datetime(2026, 1, 3, tzinfo=UTC)
    assert (document["run"]["items_analyzed"], document["run"]["items_noise"]) == (12, 2)
    assert document["run"]["cluster_count"] == 2
    assert [(cluster["cluster_id"], cluster["size"]) for cluster in document["clusters"]] == [(1, 7), (0, 3), (-1, 2)]
    largest = document["clusters"][0]
    assert (largest["title"], largest["error_count"], largest["total_cost"]) == ("Title 1", 7, 3.5)
    assert [item["rank"] for item in largest["top_items"]] == [0, 1, 2, 3, 4]
    assert largest["top_items"][0]["item_id"] == "trace'1|00000-я"
    assert document["themes"] == [
        {"theme_id": 0, "title": "Both", "clusters": 2, "items": 10, "description": "- both", "share": 10 / 12}
    ]


def test_parts_are_joined_within_a_cluster_too() -> None:
    parts = events(max_bytes=6_000, sizes={0: 3, 1: 40})
    assert len(parts) == 4
    document = read_document(json.dumps(parts[::-1] + parts[:1]).encode())
    assert document["clusters"] == read_document(json.dumps(events(sizes={0: 3, 1: 40})).encode())["clusters"]
    with pytest.raises(InputRejected, match=rf"{RUN_ID} has parts 1 to {len(parts)}"):
        read_document(json.dumps(parts[:1] + parts[2:]).encode())


def test_what_is_read_is_read_again_as_it_is() -> None:
    document = read_document(json.dumps(events()).encode())
    again = json.dumps(document, default=datetime.isoformat).encode()
    assert read_document(again) == document


def test_of_several_runs_one_is_named() -> None:
    (one,) = events()
    other = one | {"properties": one["properties"] | {"$ai_clustering_run_id": "other"}}
    both = json.dumps([one, other]).encode()
    with pytest.raises(InputRejected, match=rf"2 clustering runs.*--run: {RUN_ID}, other"):
        read_document(both)
    assert read_document(both, "other")["run"]["clustering_run_id"] == "other"
    with pytest.raises(InputRejected, match="no clustering run 'nobody'"):
        read_document(both, "nobody")


def test_an_event_of_the_references_first_version_is_read() -> None:
    properties = {
        "$ai_clustering_run_id": "1_2026", "$ai_window_start": "2026-01-01 00:00:00.000",
        "$ai_total_traces_analyzed": 9, "$ai_clusters": json.dumps([{"cluster_id": 0, "size": 9, "title": "All"}]),
    }  # fmt: skip
    document = read_document(json.dumps({"event": "$ai_generation_clusters", "properties": properties}).encode())
    assert document["run"]["level"] == "generation"
    assert document["run"]["window_start"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert document["run"]["items_analyzed"] == 9
    (cluster,) = document["clusters"]
    assert (cluster["share"], cluster["top_items"], cluster["avg_cost"]) == (1.0, [], None)


def changed(**changes: Any) -> bytes:
    (one,) = events()
    return json.dumps(one | {"properties": one["properties"] | changes}).encode()


def of_cluster(**changes: Any) -> bytes:
    return changed(**{"$ai_clusters": [events()[0]["properties"]["$ai_clusters"][0] | changes]})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}\n{", "line 2 is not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"3", "neither"),
        (b"[1, null, []]", "neither"),
        (b'{"event": "$ai_generation", "properties": {}}', "neither"),
        (b'{"item_id": "a", "cluster_id": 1}\n{"item_id": "b", "cluster_id": 1}', "llma export --format json"),
        (b'{"run": 3, "clusters": []}', r"run: 3 is no object"),
        (b'{"run": {"clustering_run_id": "r"}, "clusters": []}', r"run\.level: None"),
        (b'{"event": "$ai_trace_clusters", "properties": "{"}', "event 1: properties: not JSON"),
        (changed(**{"$ai_clustering_run_id": None}), r"event 1\.\$ai_clustering_run_id: None is no text"),
        (changed(**{"$ai_part": "one"}), r"event 1\.\$ai_part: 'one' is no whole number"),
        (changed(**{"$ai_parts": 2**53}), "has parts 1 to"),
        (changed(**{"$ai_clusters": 3}), r"\$ai_clusters: 3 is no list"),
        (changed(**{"$ai_clusters": [3]}), r"\$ai_clusters\[0\]: 3 is no object"),
        (changed(**{"$ai_window_end": "yesterday"}), r"run\.window_end: 'yesterday' is no time"),
        (changed(**{"$ai_total_items_analyzed": "9"}), r"run\.items_analyzed: '9' is no whole number"),
        (changed(**{"$ai_themes": [{"theme_id": []}]}), r"\$ai_themes\[0\]\.theme_id: \[\] is no whole number"),
        (of_cluster(cluster_id=True), r"\$ai_clusters\[0\]\.cluster_id: True is no whole number"),
        (of_cluster(cluster_id=-2), r"cluster_id: -2 is no whole number"),
        (of_cluster(cluster_id=[]), r"cluster_id: \[\] is no whole number"),
        (of_cluster(size=-1), r"\$ai_clusters\[0\]\.size: -1 is no whole number"),
        (of_cluster(title=7), r"clusters\[0\]\.title: 7 is no text"),
        (of_cluster(title="x" * 20_001), r"title: 'x+….*20000 characters"),
        (of_cluster(traces={"t": 1}), r"traces\.t: 1 is no object"),
        (of_cluster(traces={"t": {"rank": 0, "distance_to_centroid": "near"}}), r"top_items\[0\].*'near' is no number"),
    ],
    ids=range(28),
)
def test_anything_else_is_one_clear_error(content: bytes, words: str) -> None:
    with pytest.raises(InputRejected, match=words):
        read_document(content)


def test_a_cluster_twice_is_an_error() -> None:
    document = read_document(json.dumps(events()).encode())
    document["clusters"] *= 2
    with pytest.raises(InputRejected, match="is there 2 times"):
        read_document(json.dumps(document, default=datetime.isoformat).encode())
