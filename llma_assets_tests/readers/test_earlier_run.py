"""The stage cluster_assignments: what it takes from the runs of the days before."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.reconciliation import EarlierLabels
from llma_assets.clustering.result import UNSEEN, Clustering, ClusteringParams
from llma_assets.clustering_jobs import DEFAULT_JOBS
from llma_assets.lake import Lake
from llma_assets.stages import cluster_assignments as stage_module
from llma_assets.stages.cluster_assignments import ClusterWindow
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
from llma_assets.team_day import TeamDay
from llma_assets_tests import FIXTURES
from llma_assets_tests.stages.pipeline import LOG
from llma_assets_tests.stages.test_cluster_assignments import A_DAY, DAYS, embedded

__all__ = ["embedded"]
YESTERDAY, TODAY = (TeamDay("acme", day) for day in DAYS[-2:])
INTENTS = np.load(FIXTURES / "banking77_vectors.npz")["intents"]


def clustered(lake: Lake, day: TeamDay, **choices: Any) -> dict[str, Any]:
    stage = ClusterWindow(lake, DEFAULT_JOBS[:1], ClusteringParams(), 7, 7, 1_000, 20, LOG)
    replace(stage, **choices).run(day)
    (run,) = lake.read("cluster_assignments", day).to_pylist()
    return dict(run) | {"params": json.loads(run["params"])}


def rearranged(lake: Lake, day: TeamDay, **changes: Any) -> None:
    """Give what was written the clusters of the queries' authors, as another day might have had them."""
    (run,) = lake.read("cluster_assignments", day).to_pylist()
    ids = np.unique(INTENTS, return_inverse=True)[1]
    for item in run["items"]:
        item["cluster_id"] = int(ids[int(item["item_id"][1:])])
    run |= {"content_hash": "rearranged"} | changes
    lake.write("cluster_assignments", day, pa.Table.from_pylist([run], CLUSTER_ASSIGNMENTS.schema), "v")


def groups(run: dict[str, Any]) -> dict[str, int]:
    return {item["item_id"]: item["cluster_id"] for item in run["items"]}


def test_the_run_says_which_clusters_it_started_from(embedded: Lake) -> None:
    first = clustered(embedded, YESTERDAY)
    assert first["params"]["compared_with"] is None
    second = clustered(embedded, TODAY)
    assert second["params"]["compared_with"] == first["clustering_run_id"]
    assert second["params"]["compared_with_content_hash"] == first["content_hash"]


def test_the_same_day_after_the_same_run_is_the_same_file(embedded: Lake) -> None:
    clustered(embedded, YESTERDAY)
    clustered(embedded, TODAY)
    before = embedded.read("cluster_assignments", TODAY)
    clustered(embedded, TODAY)
    assert embedded.read("cluster_assignments", TODAY).equals(before)


def test_clusters_of_the_run_before_reach_the_clustering(embedded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    clustered(embedded, YESTERDAY)
    rearranged(embedded, YESTERDAY)
    taken: list[EarlierLabels] = []

    def watched(*arguments: Any) -> Clustering:
        taken.append(arguments[-1])
        return cluster(*arguments)

    monkeypatch.setattr(stage_module, "cluster", watched)
    found = clustered(embedded, TODAY)
    assert found["params"]["compared_with_content_hash"] == "rearranged"
    (earlier,) = taken
    assert earlier.learned == 7 * A_DAY
    ids = np.unique(INTENTS, return_inverse=True)[1]
    # Today's items are those of days 2 to 8; the last day was not there yesterday.
    assert earlier.labels.tolist() == [*ids[A_DAY : 7 * A_DAY].tolist(), *[UNSEEN] * A_DAY]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "kmeans"},
        {"algorithm_version": "0"},
        {"embedding_model": "another"},
        {"job_id": "another"},
        {"level": "generation"},
        {"items_learned": 7 * A_DAY * 4 // 5},
        {"items_learned": None},
        {"clustering_run_id": "acme_trace_20260108_000000_trial"},
        {"params": '{"given_min_cluster_size": 9}'},
    ],
)
def test_runs_of_another_kind_or_over_little_say_nothing(embedded: Lake, changes: dict[str, Any]) -> None:
    anew = clustered(embedded, TODAY)
    clustered(embedded, YESTERDAY)
    rearranged(embedded, YESTERDAY, **changes)
    found = clustered(embedded, TODAY)
    assert found["params"]["compared_with"] is None
    assert groups(found) == groups(anew)


@pytest.mark.parametrize("trial", [{"params": ClusteringParams(method="kmeans")}, {"window_days": 1}])
def test_a_trial_between_is_passed_over(embedded: Lake, trial: dict[str, Any]) -> None:
    first = clustered(embedded, TeamDay("acme", YESTERDAY.day - timedelta(days=1)), window_days=6, version_days=6)
    clustered(embedded, YESTERDAY, **trial)
    assert clustered(embedded, TODAY)["params"]["compared_with"] == first["clustering_run_id"]


@pytest.mark.parametrize(
    "choices", [{"hold_clusters": False}, {"params": ClusteringParams(method="kmeans")}, {"window_days": 1}]
)
def test_clusters_start_anew_where_that_is_wanted(embedded: Lake, choices: dict[str, Any]) -> None:
    anew = clustered(embedded, TODAY, **choices)
    clustered(embedded, YESTERDAY)
    rearranged(embedded, YESTERDAY)
    found = clustered(embedded, TODAY, **choices)
    assert found["params"]["compared_with"] is None
    assert groups(found) == groups(anew)


def test_the_map_stays_whoever_is_with_whom(embedded: Lake) -> None:
    """Also where clusters start anew."""
    for choices in ({}, {"hold_clusters": False}):
        first, second = (
            {item["item_id"]: (item["x"], item["y"]) for item in clustered(embedded, day, **choices)["items"]}
            for day in (YESTERDAY, TODAY)
        )
        both = sorted(set(first) & set(second))
        assert len(both) == 6 * A_DAY
        moved = np.linalg.norm(np.array([first[one] for one in both]) - np.array([second[one] for one in both]), axis=1)
        assert np.median(moved) < 0.1
