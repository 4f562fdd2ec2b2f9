"""Noise, honestly: what resembles nothing stays noise, what is borderline is given a cluster and marked."""

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, roc_auc_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.graph import fuzzy_graph, neighbor_count, spread_labels
from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.outliers import core_distances, far_beyond, outlier_scores
from llma_assets.clustering.result import NOISE, ClusteringParams
from llma_assets.clustering.vectors import unit_vectors


def strangers(count: int) -> np.ndarray:
    return np.random.default_rng(9).normal(size=(count, 64)).astype(np.float32)


def test_strangers_stay_noise_and_no_one_else(queries: np.ndarray) -> None:
    result = cluster(np.concatenate([queries, strangers(8)]), ClusteringParams())
    assert (result.labels[300:] == NOISE).all()
    assert (result.labels[:300] == NOISE).mean() < 0.03
    noise = np.flatnonzero(result.labels == NOISE)
    strangest = noise[np.argsort(result.ranks[noise])]
    assert len(set(strangest[:10].tolist()) & set(range(300, 308))) >= 7


def test_outlier_scores_tell_strangers(queries: np.ndarray) -> None:
    result = cluster(np.concatenate([queries, strangers(8)]), ClusteringParams())
    assert roc_auc_score(np.arange(308) >= 300, result.outlier_scores) > 0.98


def test_borderline_items_get_the_cluster_of_their_neighbours(queries: np.ndarray, intents: np.ndarray) -> None:
    result = cluster(queries, ClusteringParams())
    borderline = result.raw_noise & (result.labels != NOISE)
    assert borderline.sum() >= 5
    assert (result.probabilities[borderline] > 0).all()
    assert result.probabilities[borderline].mean() < 1
    raw = np.where(result.raw_noise, NOISE, result.labels)
    assert adjusted_mutual_info_score(intents, result.labels) > adjusted_mutual_info_score(intents, raw)


def test_a_sparse_group_is_a_group_all_the_same() -> None:
    # Two crowded groups, and one whose items are five times as far from each other.
    random = np.random.default_rng(0)
    widths = np.repeat([0.2, 0.2, 1.0], [60, 60, 20])
    vectors = np.eye(64)[np.repeat([0, 1, 2], [60, 60, 20])]
    vectors = vectors + random.normal(size=vectors.shape) * widths[:, None] / 8.0
    result = cluster(vectors, ClusteringParams())
    assert (result.labels[120:] != NOISE).mean() > 0.9
    assert len(set(result.labels[120:].tolist()) & set(result.labels[:120].tolist())) == 0


def test_the_fence_is_tukeys() -> None:
    core = np.array([1.0, 2.0, 3.0, 4.0, 5.0])  # quartiles 2 and 4
    assert far_beyond(np.array([8.0, 8.01]), core).tolist() == [False, True]
    assert not far_beyond(np.array([3.0]), np.zeros(0)).any()


def test_scores_compare_with_the_densest_tenth() -> None:
    core = np.linspace(0.1, 1.1, 11)  # a tenth is below .2
    assert np.allclose(outlier_scores(np.array([0.1, 0.2, 0.4, 2.0]), core), [0.0, 0.0, 0.5, 0.9])
    assert outlier_scores(np.array([0.3]), np.zeros(0)).tolist() == [0.0]


def test_labels_spread_along_weights_and_stay_where_they_were() -> None:
    # A line of six rows: clusters at both ends, noise between.
    points = unit_vectors(np.array([[1.0, x] for x in (0.0, 0.1, 0.25, 0.6, 0.8, 0.9)]))
    graph = fuzzy_graph(*nearest(points, 2))
    labels, shares = spread_labels(graph, np.array([0, 0, NOISE, NOISE, 1, 1]))
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (shares[[0, 1, 4, 5]] == 1.0).all()
    assert ((shares > 0) & (shares <= 1)).all()


def test_noise_without_a_path_to_a_cluster_stays_noise() -> None:
    points = unit_vectors(
        np.concatenate([np.eye(4)[[0] * 5], np.eye(4)[[1] * 5]]) + np.arange(40).reshape(10, 4) * 1e-4
    )
    graph = fuzzy_graph(*nearest(points, 3))
    labels, _ = spread_labels(graph, np.array([0] * 5 + [NOISE] * 5))
    assert labels.tolist() == [0] * 5 + [NOISE] * 5


def test_the_graph_is_symmetric_and_each_row_is_sure_of_its_nearest(queries: np.ndarray) -> None:
    unit = unit_vectors(queries)
    indices, distances = nearest(unit, neighbor_count(300, 15))
    graph = fuzzy_graph(indices, distances).toarray()
    assert np.allclose(graph, graph.T)
    assert np.allclose(graph[np.arange(300), indices[:, 0]], 1.0)
    assert graph.max() <= 1.0 + 1e-12
    assert not graph.diagonal().any()
    assert np.allclose(core_distances(distances), distances[:, :5].mean(axis=1))
