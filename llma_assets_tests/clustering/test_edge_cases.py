"""The inputs that break clusterings, through every method and every step."""

import numpy as np
import pytest

from llma_assets.clustering.assignment import assign
from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.grouping import group_by_density
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.projection import project
from llma_assets.clustering.result import NOISE, ClusteringParams
from llma_assets.clustering.stability import stability
from llma_assets.clustering.themes import themes
from llma_assets.clustering.vectors import unit_vectors
from llma_assets.errors import InputRejected
from llma_assets.vocabulary import CLUSTERING_METHODS, ClusteringMethod
from llma_assets_tests.clustering.test_cluster import assert_sound

MINIMUM = 20  # items that a window must hold, LLMA_MIN_ITEMS


def normal(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def blob() -> np.ndarray:
    """80 % around one axis; the others around four."""
    groups = np.repeat([0, 1, 2, 3, 4], [96, 6, 6, 6, 6])
    return (np.eye(64)[groups] + normal(120, 64) * 0.06).astype(np.float32)


CASES = {
    "none": normal(0, 8),
    "one item": normal(1, 8),
    "two items": normal(2, 8),
    "all equal": np.tile(normal(1, 64), (40, 1)),
    "all nearly equal": np.ones((40, 64), np.float32) + normal(40, 64) * 1e-3,
    "one below the minimum": normal(MINIMUM - 1, 64),
    "the minimum": normal(MINIMUM, 64),
    "one dimension": np.array([[1.0], [2.0], [-3.0], [0.5]] * 10, dtype=np.float32),
    "a blob of 80 %": blob(),
    "a uniform sphere": normal(120, 64, seed=3),
    "huge and tiny": normal(40, 8) * np.float32(1e9) ** np.linspace(-1, 1, 40, dtype=np.float32)[:, None],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", CLUSTERING_METHODS)
def test_every_method_takes_every_case(method: ClusteringMethod, case: str) -> None:
    vectors = CASES[case]
    result = cluster(vectors, ClusteringParams(method=method))
    assert_sound(result, len(vectors))
    assert all(value is None or np.isfinite(value) for value in result.quality.values())
    if (case, method) in {("all equal", "hdbscan"), ("all equal", "kmeans"), ("all nearly equal", "hdbscan")}:
        assert [made.size for made in result.clusters] == [40]
    if case == "a uniform sphere" and method == "hdbscan":
        assert (result.labels == NOISE).all()
        assert result.guard_path[-1] == "no_structure"


@pytest.mark.parametrize("method", CLUSTERING_METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_every_method_refuses_what_is_not_a_number(method: ClusteringMethod, bad: float) -> None:
    vectors = normal(30, 8)
    vectors[3, 2] = bad
    with pytest.raises(InputRejected, match="row 3"):
        cluster(vectors, ClusteringParams(method=method))


@pytest.mark.parametrize("case", [name for name in CASES if name != "none"])
def test_every_step_takes_every_case(case: str) -> None:
    unit = unit_vectors(CASES[case])
    neighborhood = Neighborhood.of(unit, 15, seed=0)
    distinct = len(neighborhood.distinct.unit)
    assert neighborhood.distinct.copies.sum() == len(unit)
    assert neighborhood.places.shape == (distinct, 2)
    assert np.isfinite(neighborhood.places).all()
    found = group_by_density(neighborhood, ClusteringParams())
    assert len(found.labels) == len(unit)
    places = project(neighborhood, None)
    assert np.abs(places).max(initial=0.0) <= 1.0
    given = assign(unit, neighborhood, found, places)
    assert set(given.labels.tolist()) <= {*found.labels.tolist(), NOISE}
    assert np.isfinite(given.xy).all()
    assert ((given.outlier_scores >= 0) & (given.outlier_scores <= 1)).all()
    coarse = themes(unit, found.labels, seed=0)
    assert len(coarse.of_cluster) == found.labels.max(initial=NOISE) + 1
    steady = stability(unit, found.labels, lambda half: np.zeros(len(half), np.int32), seed=0)
    assert steady is None or -1 <= steady <= 1
