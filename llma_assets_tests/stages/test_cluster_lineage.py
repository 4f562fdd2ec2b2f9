"""The stage cluster_lineage: what it compares, in whatever order days are run, and what views and events make of it."""

import json
from collections.abc import Callable
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from llma_assets.checks.zero_items import zero_item_result
from llma_assets.cli.project import Project
from llma_assets.errors import PartitionMissing
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.lineage.edge import Unmatched
from llma_assets.lineage.identity import ComparedRun, RunKind
from llma_assets.readers.lineage_chain import lineage_history, lineages
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.cluster_lineage import MatchClusters, _version
from llma_assets.team_day import TeamDay
from llma_assets_tests.stages.pipeline import LOG, match_clusters, measure
from llma_assets_tests.stages.planted import items, plant, run_row

DAYS = [TeamDay("acme", date(2026, 1, n)) for n in range(1, 10)]
Snapshot = Callable[[], dict[str, bytes]]

# Three nights: the clusters are numbered anew each time, one is split on the third night and one is born.
NIGHTS = [
    items("flight", 0, 40, 0) | items("refund", 0, 30, 1) | items("bag", 0, 20, 2),
    items("refund", 5, 35, 0) | items("flight", 5, 45, 1) | items("bag", 5, 25, 2),
    items("flight", 10, 30, 0) | items("flight", 30, 50, 3) | items("refund", 10, 40, 2) | items("seat", 0, 20, 1),
]


def edges(lake: Lake, day: TeamDay) -> list[tuple[Any, ...]]:
    names = ("change", "cluster_id", "earlier_cluster_id", "reason")
    return [tuple(row[name] for name in names) for row in lake.read("cluster_lineage", day).to_pylist()]


def lineage_of(*columns: str) -> list[tuple[Any, ...]]:
    text = f"SELECT {', '.join(columns)} FROM cluster_lineages ORDER BY date, cluster_id"
    return [tuple(row.values()) for row in Project().rows(text)]


def finish(lake: Lake, day: TeamDay) -> None:
    """Everything of a planted day after its clusters."""
    match_clusters(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    measure(lake, day)
    EmitEvents(lake, LOG).run(day)


def test_each_change_is_an_edge_with_its_figures(lake: Lake) -> None:
    for day, night in zip(DAYS, NIGHTS, strict=False):
        plant(lake, day, night)
        report = match_clusters(lake, day)
    assert edges(lake, DAYS[0]) == [("born", n, None, "no_earlier_run") for n in range(3)]
    assert edges(lake, DAYS[1]) == [("kept", 0, 1, None), ("kept", 1, 0, None), ("kept", 2, 2, None)]
    assert edges(lake, DAYS[2]) == [
        ("kept", 0, 1, None),
        ("born", 1, None, None),
        ("kept", 2, 0, None),
        ("split", 3, 1, None),
        ("died", None, 2, None),
    ]
    (split,) = [row for row in lake.read("cluster_lineage", DAYS[2]).to_pylist() if row["change"] == "split"]
    assert (split["size"], split["earlier_size"], split["shared_items"]) == (20, 40, 15)
    assert (split["share"], split["earlier_share"]) == (1.0, round(15 / 35, 6))
    assert report.figures["kept"] == 2 and report.figures["split"] == 1 and report.figures["died"] == 1
    assert report.items == 5 and report.rows_in == 7


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_days_in_any_order_give_the_same_edges_and_lineages(
    lake: Lake, snapshot: Snapshot, order: tuple[int, ...]
) -> None:
    for n in order:
        plant(lake, DAYS[n], NIGHTS[n])
        match_clusters(lake, DAYS[n])
    again = {path: content for path, content in snapshot().items() if path.startswith("cluster_lineage")}
    for n in range(3):
        match_clusters(lake, DAYS[n])
    assert {path: content for path, content in snapshot().items() if path.startswith("cluster_lineage")} == again
    first = "acme_trace_20260102_000000"
    assert lineage_of("clustering_run_id", "cluster_id", "lineage_id", "first_seen", "days_seen", "runs_seen")[3:] == [
        ("acme_trace_20260103_000000", 0, f"{first}/1", date(2026, 1, 1), 2, 2),
        ("acme_trace_20260103_000000", 1, f"{first}/0", date(2026, 1, 1), 2, 2),
        ("acme_trace_20260103_000000", 2, f"{first}/2", date(2026, 1, 1), 2, 2),
        ("acme_trace_20260104_000000", 0, f"{first}/0", date(2026, 1, 1), 3, 3),
        ("acme_trace_20260104_000000", 1, "acme_trace_20260104_000000/1", date(2026, 1, 3), 1, 1),
        ("acme_trace_20260104_000000", 2, f"{first}/1", date(2026, 1, 1), 3, 3),
        ("acme_trace_20260104_000000", 3, "acme_trace_20260104_000000/3", date(2026, 1, 3), 1, 1),
    ]


def test_a_run_that_is_replaced_is_matched_again_with_the_days_after_it(lake: Lake) -> None:
    """F22: late events renumber a day's clusters; the lineages keep their ids."""
    for day, night in zip(DAYS, NIGHTS, strict=False):
        plant(lake, day, night)
        match_clusters(lake, day)
    before = lineage_of("lineage_id")
    late = {item: 2 - cluster_id for item, cluster_id in NIGHTS[1].items()} | items("refund", 50, 52, 2)
    plant(lake, DAYS[1], late)
    # The night after was matched with clusters that are no more: nothing is followed until it is matched again.
    assert [row[1] for row in lineage_of("date", "first_seen")][-4:] == [date(2026, 1, 3)] * 4
    assert match_clusters(lake, DAYS[1]).figures["later_days_matched_again"] == 1
    assert sorted(lineage_of("lineage_id")) == sorted(before)
    assert match_clusters(lake, DAYS[1]).figures["later_days_matched_again"] == 0


def test_a_gap_is_bridged_as_far_as_the_lineage_looks_back(lake: Lake) -> None:
    plant(lake, DAYS[0], NIGHTS[0])
    match_clusters(lake, DAYS[0])
    plant(lake, DAYS[7], NIGHTS[0])
    match_clusters(lake, DAYS[7])
    assert edges(lake, DAYS[7]) == [("kept", n, n, None) for n in range(3)]
    assert set(lake.read("cluster_lineage", DAYS[7])["earlier_date"].to_pylist()) == {DAYS[0].day}
    assert lineage_of("first_seen", "days_seen", "runs_seen")[-1] == (DAYS[0].day, 8, 2)
    MatchClusters(lake, 6, LOG).run(DAYS[7])
    assert edges(lake, DAYS[7]) == [("born", n, None, "no_earlier_run") for n in range(3)]


def test_clusters_every_ten_days_are_compared_with_those_before(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_INTERVAL_DAYS", "10")
    for n, day in enumerate((DAYS[0], TeamDay("acme", date(2026, 1, 11)))):
        plant(lake, day, items("flight", 100 * n, 100 * n + 30, n) | items("refund", 100 * n, 100 * n + 30, 1 - n))
        match_clusters(lake, day)
    assert edges(lake, day) == [("kept", 0, 1, None), ("kept", 1, 0, None)]


def test_where_no_member_is_shared_the_centroids_decide(lake: Lake) -> None:
    for n, day in enumerate((DAYS[0], DAYS[7])):
        plant(lake, day, items("flight", 100 * n, 100 * n + 30, n) | items("refund", 100 * n, 100 * n + 30, 1 - n))
        match_clusters(lake, day)
    assert edges(lake, DAYS[7]) == [("kept", 0, 1, None), ("kept", 1, 0, None)]
    (row, _) = lake.read("cluster_lineage", DAYS[7]).to_pylist()
    assert (row["basis"], row["jaccard"], row["centroid_cosine"]) == ("centroids", None, 1.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"embedding_model": "other"}, "model_changed"),
        ({"method": "kmeans"}, "method_changed"),
        ({"job_id": "mine"}, "no_earlier_run"),
        ({"level": "generation"}, "no_earlier_run"),
    ],
)
def test_runs_that_cannot_be_compared_are_not_and_say_why(lake: Lake, change: dict[str, Any], reason: str) -> None:
    """F18."""
    for n in range(2):
        plant(lake, DAYS[n], NIGHTS[n], **(change if n else {}))
        match_clusters(lake, DAYS[n])
    assert edges(lake, DAYS[1]) == [("born", n, None, reason) for n in range(3)]
    plant(lake, DAYS[2], NIGHTS[1])
    match_clusters(lake, DAYS[2])
    assert {row[0] for row in edges(lake, DAYS[2])} == {"kept"}, "the day between ends no lineage"


def test_a_skipped_day_has_no_edges_and_stops_the_run(lake: Lake) -> None:
    plant(lake, DAYS[0], {})
    report = match_clusters(lake, DAYS[0])
    assert report.items == 0 and report.empty_reason == "no clustering run of this day has items"
    assert zero_item_result(lake, "cluster_lineage", [DAYS[0]]).severity == dg.AssetCheckSeverity.ERROR


def test_a_run_that_is_all_noise_goes_on(lake: Lake) -> None:
    noise = dict.fromkeys(NIGHTS[0], -1)
    for n, night in enumerate((noise, noise, NIGHTS[0], noise)):
        plant(lake, DAYS[n], night)
        match_clusters(lake, DAYS[n])
        assert zero_item_result(lake, "cluster_lineage", [DAYS[n]]).passed
    assert edges(lake, DAYS[0]) == [("no_clusters", None, None, "no_earlier_run")]
    assert edges(lake, DAYS[1]) == [("no_clusters", None, None, None)]
    assert edges(lake, DAYS[3]) == [("died", None, n, None) for n in range(3)]
    finish(lake, DAYS[1])
    (event,) = lake.read("cluster_events", DAYS[1]).to_pylist()
    (cluster,) = json.loads(event["properties"])["$ai_clusters"]
    assert (cluster["cluster_id"], cluster["lineage_id"], cluster["change"]) == (-1, None, None)


def test_clusters_must_be_there(lake: Lake) -> None:
    with pytest.raises(PartitionMissing, match="cluster_assignments"):
        match_clusters(lake, DAYS[0])


# --- views and events -------------------------------------------------------------------------------------------------


def test_changes_show_the_names_of_both(lake: Lake) -> None:
    for day, night in zip(DAYS, NIGHTS, strict=False):
        plant(lake, day, night)
        finish(lake, day)
    text = "SELECT change, title, earlier_title FROM cluster_changes WHERE date = '2026-01-03' ORDER BY cluster_id"
    rows = Project().rows(text)
    assert [row["change"] for row in rows] == ["kept", "born", "kept", "split", "died"]
    assert [(row["title"] is None, row["earlier_title"] is None) for row in rows] == [
        (False, False), (False, True), (False, False), (False, False), (True, False),
    ]  # fmt: skip
    assert rows[2]["title"] == rows[2]["earlier_title"]
    assert "Bag" in rows[4]["earlier_title"]


def test_events_say_what_the_view_says(lake: Lake) -> None:
    for n in (0, 1, 4):
        plant(lake, DAYS[n], NIGHTS[min(n, 2)])
        finish(lake, DAYS[n])
        shown = Project().rows(
            "SELECT cluster_id, lineage_id FROM cluster_lineages WHERE date = $day ORDER BY 1", {"day": DAYS[n].day}
        )
        (event,) = lake.read("cluster_events", DAYS[n]).to_pylist()
        told = json.loads(event["properties"])["$ai_clusters"]
        assert [(row["cluster_id"], row["lineage_id"]) for row in shown] == [
            (one["cluster_id"], one["lineage_id"]) for one in told
        ]
    assert [one["change"] for one in told] == ["kept", "born", "kept", "split"]
    assert told[0]["lineage_id"] == "acme_trace_20260102_000000/0"


@pytest.mark.parametrize("missing", ["cluster_lineage", "cluster_assignments"])
def test_a_chain_begins_where_what_was_before_is_gone(lake: Lake, missing: str) -> None:
    """Clusters from before there was a lineage, or that were deleted since."""
    for n in range(3):
        plant(lake, DAYS[n], NIGHTS[0])
        match_clusters(lake, DAYS[n])
    Path(lake.path(missing, DAYS[0])).unlink()
    first = DAYS[0] if missing == "cluster_lineage" else DAYS[1]
    expected = [f"acme_trace_{first.end:%Y%m%d}_000000/{n}" for n in range(3)]
    assert [row["lineage_id"] for row in lineages(lake, run_row(DAYS[2], NIGHTS[0])).values()] == expected
    assert [row[1] for row in lineage_of("date", "lineage_id") if row[0] == DAYS[2].day] == expected


def test_a_chain_beyond_the_bound_has_no_id_rather_than_another_one_each_day(lake: Lake) -> None:
    for day in DAYS[:4]:
        plant(lake, day, NIGHTS[0])
        match_clusters(lake, day)
    run = run_row(DAYS[3], NIGHTS[0])
    assert {row["lineage_id"] for row in lineages(lake, run, max_runs=3).values()} == {None}
    assert lineages(lake, run, max_runs=4)[0]["lineage_id"] == "acme_trace_20260102_000000/0"


def test_the_way_back_says_of_each_run_what_the_view_says(lake: Lake) -> None:
    for n in (0, 1, 2, 5):
        plant(lake, DAYS[n], NIGHTS[min(n, 2)])
        match_clusters(lake, DAYS[n])
    run = run_row(DAYS[5], NIGHTS[2])
    back = lineage_history(lake, run, DAYS[0].day)
    assert [one.run.team_day.day.day for one in back] == [6, 3, 2, 1]
    shown = lineage_of("date", "cluster_id", "lineage_id", "first_seen")
    told = [(one.run.team_day.day, cluster_id, *since) for one in back for cluster_id, since in one.lineage_of.items()]
    assert sorted(told) == shown
    assert len({lineage for _, _, lineage, _ in told}) == 5, "three of the first night, one born, one split off"


def test_the_way_back_holds_the_run_before_however_old_and_no_older_one(lake: Lake) -> None:
    for n in (0, 1, 5):
        plant(lake, DAYS[n], NIGHTS[0])
        match_clusters(lake, DAYS[n])
    run = run_row(DAYS[5], NIGHTS[0])
    back = lineage_history(lake, run, DAYS[5].day)
    assert [one.run.team_day.day for one in back] == [DAYS[5].day, DAYS[1].day]
    assert {since for _, since in back[0].lineage_of.values()} == {DAYS[0].day}, "followed beyond what is passed"
    (cut, *_) = lineage_history(lake, run, DAYS[5].day, max_runs=2)
    assert set(cut.lineage_of.values()) == {(None, None)}


def test_names_and_events_refuse_the_lineage_of_other_clusters(lake: Lake) -> None:
    """F27."""
    plant(lake, DAYS[0], NIGHTS[0])
    finish(lake, DAYS[0])
    plant(lake, DAYS[0], NIGHTS[1])
    with pytest.raises(PartitionMissing, match="cluster_lineage"):
        LabelClusters(lake, KeywordLabeler(), LOG).run(DAYS[0])
    with pytest.raises(PartitionMissing, match="cluster_lineage"):
        lineages(lake, run_row(DAYS[0], NIGHTS[1]))
    Path(lake.path("cluster_lineage", DAYS[0])).unlink()
    with pytest.raises(PartitionMissing, match="cluster_lineage"):
        LabelClusters(lake, KeywordLabeler(), LOG).run(DAYS[0])


def test_the_version_of_the_runs_on_both_sides_stays() -> None:
    """By another one every day that is in a lake would be matched again."""
    kind = RunKind("trace", "", "minilm", "hdbscan")
    later, earlier = (ComparedRun(date(2026, 1, day), f"run{day}", "h", kind) for day in (9, 7))
    assert _version([(later, earlier), (later, Unmatched.NO_EARLIER_RUN)]) == (
        "3fe13535f37097bf68ed0f46da29fa9379c59ea84c57bcff9c328062906ea531"
    )
