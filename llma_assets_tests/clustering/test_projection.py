"""The map: neighbours stay together, whatever comes in."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.projection import layout_neighbors, project
from llma_assets.clustering.projection_mesh import RepulsionMesh
from llma_assets.clustering.reduction import spectral
from llma_assets.clustering.vectors import unit_vectors


def spectral_map(queries: np.ndarray) -> np.ndarray:
    neighbors = nearest(unit_vectors(queries), 10)
    return project(spectral(*neighbors, 26, seed=0), seed=0, neighbors=neighbors)


def label_accuracy(places: np.ndarray, labels: np.ndarray) -> float:
    """Share of the items whose ten nearest on the map vote for their own label."""
    apart = cdist(places, places)
    np.fill_diagonal(apart, np.inf)
    votes = labels[np.argsort(apart, axis=1, kind="stable")[:, :10]]
    voted = [np.bincount(row).argmax() for row in votes]
    return float(np.mean(voted == labels))


def test_neighbours_stay_together(queries: np.ndarray, intents: np.ndarray) -> None:
    places = spectral_map(queries)
    assert np.abs(places).max() == pytest.approx(1.0, abs=0.01)
    assert label_accuracy(places, intents) > 0.8


def exact_push(places: np.ndarray) -> tuple[np.ndarray, float]:
    apart = places[:, None] - places[None]
    kernel = 1.0 / (1.0 + (apart**2).sum(axis=-1))
    return ((kernel**2)[..., None] * apart).sum(axis=1), float(kernel.sum()) - len(places)


@pytest.mark.parametrize(("spacing", "allowed"), [(0.6, 0.12), (0.4, 0.05), (0.2, 0.005)])
def test_the_mesh_pushes_as_all_pairs_do(queries: np.ndarray, spacing: float, allowed: float) -> None:
    places = spectral_map(queries) * 30.0  # a finished map, as wide as the optimiser makes it
    pushed, total = RepulsionMesh(spacing).push(places.astype(np.float32))
    exactly, exact_total = exact_push(places)
    assert np.linalg.norm(pushed - exactly) < allowed * np.linalg.norm(exactly)
    assert total == pytest.approx(exact_total, rel=allowed / 4)


def test_a_far_outlier_widens_the_mesh_rather_than_the_memory() -> None:
    places = np.random.default_rng(0).normal(size=(200, 2)) * 5.0
    places[0] = [1e5, 0.0]
    mesh = RepulsionMesh(max_nodes=64)
    pushed, total = mesh.push(places.astype(np.float32))
    assert np.isfinite(pushed).all()
    assert total > 0
    assert mesh._kernel.shape[0] <= 2 * 64 + 32


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 8, 9])
def test_few_points(n: int) -> None:
    places = project(np.random.default_rng(0).normal(size=(n, 5)), seed=0)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert len({tuple(place) for place in places.tolist()}) == n


def test_neighbours_in_a_layout_are_the_exact_ones(queries: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llma_assets.clustering.projection._BLOCK", 64)  # several blocks, the last one short
    indices, distances = layout_neighbors(queries, 7)
    full = cdist(queries, queries, "sqeuclidean") / 2.0
    np.fill_diagonal(full, np.inf)
    assert np.allclose(distances, np.sort(full, axis=1)[:, :7])
    assert np.allclose(np.take_along_axis(full, indices, axis=1), distances)
