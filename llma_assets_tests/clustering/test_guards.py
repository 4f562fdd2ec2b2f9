"""Against collapse and against invention: what each step is taken for, on places and vectors made for it."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.density import Selection, WeightedPoints, by_density
from llma_assets.clustering.graph import fuzzy_graph
from llma_assets.clustering.grouping import group_by_density
from llma_assets.clustering.guards import LadderResult, is_degenerate, min_silhouette, run_ladder
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.result import NOISE, Clustering, ClusteringParams
from llma_assets.clustering.vectors import DistinctRows, unit_vectors
from llma_assets_tests.clustering.figures import figure

DIMENSIONS = 64


def axes(groups: np.ndarray, width: float, seed: int = 0) -> np.ndarray:
    """Vectors around one axis for each group; `width` is the length of what is added in all directions."""
    noise = np.random.default_rng(seed).normal(size=(len(groups), DIMENSIONS)) * width / DIMENSIONS**0.5
    return np.eye(DIMENSIONS)[groups] + noise


def two_halves() -> tuple[np.ndarray, np.ndarray]:
    """Places of ten groups, in two fives far from each other: excess of mass chooses the fives."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), [50] * 5 + [40] * 5)
    turn = 2 * np.pi * (groups % 5) / 5
    places = np.stack([60.0 * (groups // 5) + 3 * np.cos(turn), 3 * np.sin(turn)], axis=1)
    return places + random.normal(size=places.shape) * 0.8, groups


def climbed(places: np.ndarray, vectors: np.ndarray) -> LadderResult:
    once = np.ones(len(places), np.int64)
    points = WeightedPoints.of(places, once, np.zeros(len(places)), 5, 5)
    return run_ladder(
        points, unit_vectors(vectors), once, lambda labels: labels, lambda: np.zeros(len(places), np.int32)
    )


def test_a_collapse_to_two_halves_is_climbed_out_of() -> None:
    places, groups = two_halves()
    found = climbed(places, axes(groups, 0.5))
    assert found.tried[0].clusters == 2
    assert found.taken is found.tried[-1]
    assert found.taken.clusters >= 6
    assert found.path[0] == "eom"
    assert len(found.path) > 1
    collapsed, taken = (adjusted_rand_score(groups, step.found.labels) for step in (found.tried[0], found.taken))
    assert taken > collapsed + 0.1


def test_two_real_groups_are_not_cut_up() -> None:
    # The same places, but the vectors have two groups only: the other steps' clusters are chance.
    places, groups = two_halves()
    found = climbed(places, axes(groups // 5, 0.5))
    assert found.taken is found.tried[0]
    assert found.path == ("eom", "eom_capped", "leaf", "kmeans", "back_to_eom")


def test_no_rung_invents_groups_for_random_vectors() -> None:
    places, _ = two_halves()
    found = climbed(places, np.random.default_rng(1).normal(size=(450, DIMENSIONS)))
    assert found.taken is None
    assert found.path[-1] == "no_structure"


def test_fewer_points_need_to_be_farther_apart() -> None:
    assert min_silhouette(20, 384) > min_silhouette(100, 384) > min_silhouette(1_000, 384) > 0
    assert min_silhouette(50, 64) > min_silhouette(50, 384)


@pytest.mark.parametrize(
    ("clusters", "share", "expected"), [(2, 0.4, True), (3, 0.69, False), (3, 0.7, True), (0, 0.0, True)]
)
def test_what_looks_like_a_collapse(clusters: int, share: float, expected: bool) -> None:
    assert is_degenerate(clusters, share) is expected


def test_a_cap_holds() -> None:
    places, _ = two_halves()
    points = WeightedPoints.of(places, np.ones(450, np.int64), np.zeros(450), 5, 5)
    assert np.bincount(by_density(points, Selection()).labels).max() == 250
    assert np.bincount(by_density(points, Selection(max_share=0.5)).labels + 1)[1:].max() <= 225


def sizes_of(result: Clustering) -> list[int]:
    return [made.size for made in result.clusters]


def test_one_group_that_holds_nearly_everything_stays_and_is_told() -> None:
    # B5: 85 % around one axis, without groups of its own; three small groups around others.
    groups = np.repeat(np.arange(4), [340, 20, 20, 20])
    result = cluster(axes(groups, 0.5), ClusteringParams())
    assert adjusted_rand_score(groups, result.labels) > 0.9
    assert result.quality["largest_share"] == pytest.approx(0.85, abs=0.03)
    assert is_degenerate(len(result.clusters), figure(result, "largest_share"))
    assert [step.name for step in result.steps] == ["eom", "eom_capped", "leaf", "kmeans"]
    assert result.guard_path[-1] == "back_to_eom"


def test_two_groups_stay_two() -> None:
    groups = np.repeat(np.arange(2), [120, 80])
    result = cluster(axes(groups, 0.6), ClusteringParams())
    assert sizes_of(result) == [120, 80]
    assert adjusted_rand_score(groups, result.labels) == 1.0


def test_near_duplicates_do_not_take_the_clusters_over(queries: np.ndarray, intents: np.ndarray) -> None:
    # A template with something else in it each time, more often than all other texts together.
    random = np.random.default_rng(0)
    template = queries[7] / np.linalg.norm(queries[7]) + random.normal(size=(400, 64)) * 0.004
    result = cluster(np.concatenate([queries, template]), ClusteringParams())
    assert result.params["distinct_beyond_near_duplicates"] < 310
    assert len(set(result.labels[300:].tolist())) == 1
    assert len(result.clusters) >= 12
    kept = np.delete(np.arange(300), 7)
    assert adjusted_rand_score(intents[kept], result.labels[kept]) > 0.5


@pytest.mark.parametrize("times", [2, 5])
def test_what_is_all_sent_often_makes_the_clusters_that_it_makes_once(queries: np.ndarray, times: int) -> None:
    # As when several models answer the same questions.
    strange = np.random.default_rng(9).normal(size=(8, 64)).astype(np.float32)
    rows = np.concatenate([queries, strange])
    once, often = (cluster(np.repeat(rows, count, axis=0), ClusteringParams()) for count in (1, times))
    assert adjusted_rand_score(once.labels, often.labels[::times]) == 1.0
    assert (often.labels[-8 * times :] == NOISE).all()


def test_topics_sent_often_do_not_hide_those_sent_once(queries: np.ndarray, intents: np.ndarray) -> None:
    largest = np.isin(intents, np.argsort(-np.bincount(intents))[:4])
    rows = np.repeat(np.arange(300), np.where(largest, 5, 1))
    once, often = cluster(queries, ClusteringParams()), cluster(queries[rows], ClusteringParams())
    first = np.unique(rows, return_index=True)[1]
    rare = ~largest
    assert len(np.unique(often.labels[first][rare])) > 0.8 * len(np.unique(once.labels[rare]))
    assert adjusted_rand_score(once.labels[rare], often.labels[first][rare]) > 0.8


@pytest.mark.parametrize("times", [40, 900])
def test_a_template_that_resembles_nothing_is_a_cluster(queries: np.ndarray, times: int) -> None:
    strange = np.random.default_rng(9).normal(size=(1, 64)).astype(np.float32)
    result = cluster(np.concatenate([queries, np.repeat(strange, times, axis=0)]), ClusteringParams())
    assert len(set(result.labels[300:].tolist())) == 1
    assert result.labels[300] != NOISE
    assert result.labels[300] not in result.labels[:300]


def test_strangers_sent_twice_stay_noise(queries: np.ndarray) -> None:
    strange = np.random.default_rng(9).normal(size=(8, 64)).astype(np.float32)
    result = cluster(np.concatenate([queries, strange, strange[:4]]), ClusteringParams())
    assert (result.labels[300:] == NOISE).all()


def test_a_template_does_not_keep_the_ladder_from_climbing() -> None:
    places, groups = two_halves()
    copies = np.ones(450, np.int64)
    copies[0] = 2_000
    unit = unit_vectors(axes(groups, 0.5))
    found = group_by_density(
        Neighborhood(
            DistinctRows(unit, copies, np.repeat(np.arange(450), copies)),
            450,
            *nearest(unit, 10),
            fuzzy_graph(*nearest(unit, 10)),
            places,
        ),
        ClusteringParams(min_cluster_size=5),
    )
    assert found.path[0] == "eom"
    assert not found.path[-1].startswith("back_to")
    assert len(set(found.labels.tolist()) - {NOISE}) >= 6


def test_a_chain_of_small_steps_is_not_folded() -> None:
    angles = np.linspace(0.0, 1.5, 60)
    result = cluster(np.stack([np.cos(angles), np.sin(angles)], axis=1), ClusteringParams())
    assert result.params["distinct_vectors"] == 60
    assert result.params["distinct_beyond_near_duplicates"] > 10
