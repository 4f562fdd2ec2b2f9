"""The steps of a clustering, each against a plain computation of the same thing."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_samples

from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.quality import silhouettes
from llma_assets.clustering.ranking import centroid_distances, centroids, exemplars, ranks, renumber
from llma_assets.clustering.reduction import component_count, pca, spectral
from llma_assets.clustering.result import NOISE
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import fold, unit_vectors


def test_neighbours_are_the_exact_ones(queries: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llma_assets.clustering.neighbors._BLOCK", 64)  # several blocks, the last one short
    unit = unit_vectors(queries)
    indices, distances = nearest(unit, 7)
    full = cdist(unit.astype(np.float64), unit.astype(np.float64), "cosine")
    np.fill_diagonal(full, np.inf)
    assert np.allclose(distances, np.sort(full, axis=1)[:, :7], atol=1e-6)
    assert np.allclose(np.take_along_axis(full, indices, axis=1), distances, atol=1e-6)


def test_silhouettes_are_those_of_the_definition(queries: np.ndarray, intents: np.ndarray) -> None:
    unit = unit_vectors(queries)
    labels = intents.astype(np.int32)
    assert np.allclose(silhouettes(unit, labels), silhouette_samples(unit, labels, metric="cosine"), atol=1e-5)
    labels[::5] = NOISE
    values = silhouettes(unit, labels)
    kept = labels != NOISE
    assert np.isnan(values[~kept]).all()
    assert np.allclose(values[kept], silhouette_samples(unit[kept], labels[kept], metric="cosine"), atol=1e-5)


def test_silhouettes_of_singletons_and_of_one_cluster() -> None:
    unit = np.eye(3, dtype=np.float32)
    assert silhouettes(unit, np.array([0, 1, 2])).tolist() == [0.0, 0.0, 0.0]
    assert silhouettes(unit, np.array([0, 0, NOISE])) is None


def test_spectral_embedding_separates_pieces_and_has_unit_rows(queries: np.ndarray) -> None:
    unit = unit_vectors(queries)
    indices, distances = nearest(unit, 10)
    points = spectral(indices, distances, 26, seed=1)
    assert points.shape == (300, 26)
    assert np.allclose(np.linalg.norm(points, axis=1), 1.0)
    # The same geometry from another start of the solver.
    again = spectral(indices, distances, 26, seed=2)
    assert np.allclose(points @ points.T, again @ again.T, atol=1e-6)


def test_iterative_and_dense_solver_agree(queries: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    indices, distances = nearest(unit_vectors(queries), 10)
    dense = spectral(indices, distances, 20, seed=0)
    monkeypatch.setattr("llma_assets.clustering.reduction._DENSE_LIMIT", 10)
    iterative = spectral(indices, distances, 20, seed=0)
    assert np.allclose(dense @ dense.T, iterative @ iterative.T, atol=1e-6)


@pytest.mark.parametrize(("size", "count"), [(3, 2), (20, 7), (100, 15), (2000, 67), (100_000, 100)])
def test_component_count(size: int, count: int) -> None:
    assert component_count(size) == count


@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_pca_keeps_distances_when_nothing_is_dropped(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(size=shape)
    reduced = pca(points, 40)
    assert reduced.shape == (shape[0], 5)
    assert np.allclose(cdist(points, points), cdist(reduced, reduced))
    assert (np.diff(reduced.std(axis=0)) <= 1e-9).all()


def test_fold_keeps_each_row_once_whatever_the_order() -> None:
    rows = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, -0.0], [0.0, 3.0], [1.0, 0.0]])
    folded, turned = fold(unit_vectors(rows)), fold(unit_vectors(rows[::-1]))
    assert sorted(folded.unit.tolist()) == [[0.0, 1.0], [1.0, 0.0]]
    assert folded.unit[folded.of_row].tolist() == unit_vectors(rows).tolist()
    assert folded.copies[folded.of_row].tolist() == [3, 2, 3, 2, 3]
    assert turned.unit.tobytes() == folded.unit.tobytes()
    assert turned.of_row[::-1].tolist() == folded.of_row.tolist()


@pytest.mark.parametrize("length", [1e-6, 1e-3, 1e30])
def test_lengths_that_would_overflow_a_square(length: float) -> None:
    unit = unit_vectors(np.array([[3.0, 4.0]]) * length)
    assert np.allclose(unit, [[0.6, 0.8]])


def test_ids_fall_by_size_then_by_smallest_row() -> None:
    labels, new = renumber(np.array([9, 4, NOISE, 4, 7, 7, 9, 1]))
    assert labels.tolist() == [0, 1, NOISE, 1, 2, 2, 0, 3]
    assert new == {9: 0, 4: 1, 7: 2, 1: 3}


def test_distances_go_to_the_own_centroid_and_for_noise_to_the_nearest() -> None:
    unit = unit_vectors(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [3.0, 1.0]]))
    labels = np.array([0, 0, 1, 1, NOISE, NOISE])
    distances = centroid_distances(unit, labels, centroids(unit, labels))
    assert distances.tolist() == [0, 0, 0, 0, round(1 - 0.5**0.5, 6), round(1 - 3 / 10**0.5, 6)]


def test_ranks_put_the_nearest_member_and_the_strangest_noise_first() -> None:
    labels = np.array([0, 0, NOISE, NOISE, 0, NOISE])
    distances = np.array([0.3, 0.1, 0.2, 0.9, 0.1, 0.5])
    outliers = np.array([0.0, 0.0, 0.4, 0.4, 0.0, 0.8])
    assert ranks(labels, distances, outliers).tolist() == [2, 0, 2, 1, 1, 0]


def test_exemplars_are_not_copies() -> None:
    assert exemplars(np.arange(4), np.array([1, 0, 2, 3]), np.array([5, 5, 6, 6])) == (1, 2)


def test_thread_limits_come_back() -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    with threadpool_limits(limits=2):
        with single_thread():
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}
