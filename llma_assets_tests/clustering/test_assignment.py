"""Items that were not learned from get a cluster too, in one pass."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from llma_assets.clustering import cluster as front
from llma_assets.clustering.anchors import Anchors
from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.result import NOISE, Clustering, ClusteringParams
from llma_assets.clustering.vectors import unit_vectors
from llma_assets.vocabulary import ClusteringMethod
from llma_assets_tests.clustering.figures import figure


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return np.random.default_rng(1).permutation(300) < 200


@pytest.fixture(scope="module")
def whole(queries: np.ndarray, sample: np.ndarray) -> Clustering:
    """All queries, of which the sample was learned from."""
    return cluster(queries, ClusteringParams(), sample)


def test_everything_is_assigned_and_the_learned_rows_stay(
    queries: np.ndarray, intents: np.ndarray, sample: np.ndarray, whole: Clustering
) -> None:
    alone = cluster(queries[sample], ClusteringParams())
    assert (whole.is_learned == sample).all()
    # Ids go by size over all rows; who is with whom was learned.
    assert adjusted_mutual_info_score(alone.labels, whole.labels[sample]) == pytest.approx(1.0)
    assert sum(made.size for made in whole.clusters) + (whole.labels == NOISE).sum() == 300
    assert adjusted_mutual_info_score(intents[~sample], whole.labels[~sample]) > 0.7
    assert whole.params["items_learned"] == 200
    for made in whole.clusters:
        rows = np.flatnonzero(whole.labels == made.cluster_id)
        assert made.size == len(rows)
        assert sorted(whole.ranks[rows].tolist()) == list(range(len(rows)))


@pytest.mark.parametrize("method", ["hdbscan", "kmeans"])
def test_a_copy_of_a_learned_item_goes_where_the_item_is(queries: np.ndarray, method: ClusteringMethod) -> None:
    twice = np.concatenate([queries, queries])
    result = cluster(twice, ClusteringParams(method=method), np.arange(600) < 300)
    assert (result.labels[300:] == result.labels[:300]).mean() > 0.97
    clustered = result.labels[:300] != NOISE
    assert np.abs(result.xy[300:] - result.xy[:300])[clustered].max() < 0.02


def test_a_stranger_is_refused(queries: np.ndarray, sample: np.ndarray) -> None:
    strange = np.random.default_rng(9).normal(size=(5, 64)).astype(np.float32)
    result = cluster(np.concatenate([queries, strange]), ClusteringParams(), np.concatenate([sample, [False] * 5]))
    assert (result.labels[300:] == NOISE).all()
    assert (result.labels[:300] == NOISE).mean() < 0.05
    assert (result.outlier_scores[300:] > np.median(result.outlier_scores[:300])).all()
    assert (result.probabilities[300:] == 0).all()


def test_means_take_every_row_to_the_nearest(queries: np.ndarray, sample: np.ndarray) -> None:
    strange = np.random.default_rng(9).normal(size=(5, 64)).astype(np.float32)
    rows, learned = np.concatenate([queries, strange]), np.concatenate([sample, [False] * 5])
    result = cluster(rows, ClusteringParams(method="kmeans"), learned)
    unit = unit_vectors(rows).astype(np.float64)
    means = [unit[learned & (result.labels == label)].mean(axis=0) for label in range(len(result.clusters))]
    apart = np.linalg.norm(unit[:, None] - np.array(means), axis=2)
    assert (result.labels[~learned] == apart.argmin(axis=1)[~learned]).all()
    assert result.quality["noise_share"] == 0


def test_exemplars_are_not_copies_of_what_was_learned(queries: np.ndarray) -> None:
    best = cluster(queries, ClusteringParams()).clusters[0].exemplars[0]
    rows = np.concatenate([queries, np.repeat(queries[best : best + 1], 30, axis=0)])
    result = cluster(rows, ClusteringParams(), np.arange(330) < 300)
    chosen = rows[list(next(made for made in result.clusters if best in made.exemplars).exemplars)]
    assert len(chosen) == 5
    assert len(np.unique(chosen, axis=0)) == 5


def test_what_was_learned_does_not_depend_on_what_is_assigned(
    queries: np.ndarray, sample: np.ndarray, whole: Clustering
) -> None:
    fewer = np.flatnonzero(sample | (np.arange(300) % 2 == 0))
    part = cluster(queries[fewer], ClusteringParams(), sample[fewer])
    assert adjusted_mutual_info_score(whole.labels[fewer], part.labels) == pytest.approx(1.0)


def test_of_too_many_rows_a_seeded_draw_is_learned_from(queries: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "LEARN_LIMIT", 150)
    first, second = (cluster(queries, ClusteringParams()) for _ in range(2))
    other = cluster(queries, ClusteringParams(seed=7))
    assert first.is_learned.sum() == 150
    assert (first.is_learned == second.is_learned).all()
    assert (first.is_learned != other.is_learned).any()
    assert first.labels.tobytes() == second.labels.tobytes()


@pytest.mark.parametrize("learned", [0, 1, 2, 5])
def test_hardly_anything_learned(queries: np.ndarray, learned: int) -> None:
    result = cluster(queries[:40], ClusteringParams(), np.arange(40) < learned)
    assert len(result.labels) == 40
    assert np.isfinite(result.xy).all()
    assert (result.labels == NOISE).all()


def test_the_map_follows_earlier_places_and_the_clusters_do_not(
    queries: np.ndarray, sample: np.ndarray, whole: Clustering
) -> None:
    turned = Anchors(np.arange(0, 300, 2), whole.xy[::2] @ np.array([[0.0, 1.0], [-1.0, 0.0]]) * 0.9)
    later = cluster(queries, ClusteringParams(), sample, turned)
    assert later.labels.tobytes() == whole.labels.tobytes()
    moved = np.linalg.norm(later.xy[turned.rows] - turned.xy, axis=1) / 2.0
    assert np.median(moved) < 0.03


def test_quality_is_higher_where_groups_are_real(queries: np.ndarray) -> None:
    random = np.random.default_rng(0)
    clear = np.eye(64)[np.repeat(np.arange(10), 30)] + random.normal(size=(300, 64)) * 0.03
    of_clear, of_queries = (cluster(rows, ClusteringParams()) for rows in (clear, queries))
    for field in ("silhouette", "layout_silhouette", "stability", "relative_validity", "diversity"):
        assert figure(of_clear, field) > figure(of_queries, field), field
