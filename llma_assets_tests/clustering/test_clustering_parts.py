"""The steps of a clustering, each against a plain computation of the same thing."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_samples

from llma_assets.clustering.density import relative_copies
from llma_assets.clustering.neighbors import nearest, nearest_in
from llma_assets.clustering.quality import silhouettes
from llma_assets.clustering.ranking import centroid_distances, centroids, exemplars, ranks, renumber
from llma_assets.clustering.reduction import pca, principal_plane
from llma_assets.clustering.result import NOISE
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import deduplicate, unit_vectors


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
    values = silhouettes(unit, labels)
    assert values is not None
    assert np.allclose(values, silhouette_samples(unit, labels, metric="cosine"), atol=1e-5)
    labels[::5] = NOISE
    values = silhouettes(unit, labels)
    assert values is not None
    kept = labels != NOISE
    assert np.isnan(values[~kept]).all()
    assert np.allclose(values[kept], silhouette_samples(unit[kept], labels[kept], metric="cosine"), atol=1e-5)


def test_silhouettes_of_singletons_and_of_one_cluster() -> None:
    unit = np.eye(3, dtype=np.float32)
    values = silhouettes(unit, np.array([0, 1, 2]))
    assert values is not None and values.tolist() == [0.0, 0.0, 0.0]
    assert silhouettes(unit, np.array([0, 0, NOISE])) is None


def test_equal_neighbours_come_in_the_order_of_their_rows() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 300, axis=0)
    indices, distances = nearest(points, 4)
    assert indices[0].tolist() == [1, 2, 3, 4]
    assert indices[899].tolist() == [600, 601, 602, 603]
    assert not distances.any()


@pytest.mark.parametrize("columns", [20, 511, 512, 2000])
def test_neighbours_in_another_set_are_the_exact_ones(columns: int) -> None:
    random = np.random.default_rng(columns)
    rows, unit = (unit_vectors(random.normal(size=(n, 12))) for n in (70, columns))
    indices, distances = nearest_in(rows, unit, 9)
    full = cdist(rows.astype(np.float64), unit.astype(np.float64), "cosine")
    assert np.allclose(distances, np.sort(full, axis=1)[:, :9], atol=1e-6)
    assert np.allclose(np.take_along_axis(full, indices, axis=1), distances, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_pca_keeps_distances_when_nothing_is_dropped(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(size=shape)
    reduced = pca(points, 40)
    assert reduced.shape == (shape[0], 5)
    assert np.allclose(cdist(points, points), cdist(reduced, reduced))
    assert (np.diff(reduced.std(axis=0)) <= 1e-9).all()


@pytest.mark.parametrize("shape", [(400, 350), (350, 400), (50, 3), (3, 50), (2, 2), (5, 1)])
def test_the_principal_plane_is_that_of_all_components(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 1, shape[1]) ** 2
    whole = pca(points, 2)
    plane = principal_plane(points)
    assert plane.shape == (shape[0], 2)
    assert np.allclose(plane[:, : whole.shape[1]], whole, atol=1e-4 * np.abs(whole).max())
    assert not plane[:, whole.shape[1] :].any()


def test_fold_keeps_each_row_once_whatever_the_order() -> None:
    rows = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, -0.0], [0.0, 3.0], [1.0, 0.0]])
    distinct, turned = deduplicate(unit_vectors(rows)), deduplicate(unit_vectors(rows[::-1]))
    assert sorted(distinct.unit.tolist()) == [[0.0, 1.0], [1.0, 0.0]]
    assert distinct.unit[distinct.of_row].tolist() == unit_vectors(rows).tolist()
    assert distinct.copies[distinct.of_row].tolist() == [3, 2, 3, 2, 3]
    assert turned.unit.tobytes() == distinct.unit.tobytes()
    assert turned.of_row[::-1].tolist() == distinct.of_row.tolist()


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
    unit = unit_vectors(np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0]]))
    assert exemplars(np.arange(4), np.array([1, 0, 2, 3, 0]), unit) == (1, 2)


def test_a_text_counts_by_how_often_other_items_were_sent() -> None:
    def counts(*copies: int) -> list[int]:
        return relative_copies(np.array(copies, np.int64)).tolist()

    assert counts() == []
    assert counts(7) == [1]
    assert counts(1, 1, 1, 5) == [1, 1, 1, 5]
    assert counts(5, 1, 5, 1, 1) == [1, 1, 1, 1, 1]
    assert counts(1, 9_000, 1) == [1, 9_000, 1]
    assert counts(8, 8, 8, 8) == [1, 1, 1, 1]
    # Half of all other items are of texts sent twice.
    assert counts(2, 2, 2, 2, 2, 2, 9, 1) == [1, 1, 1, 1, 1, 1, 4, 1]


def test_thread_limits_come_back() -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    with threadpool_limits(limits=2):
        with single_thread():
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}
