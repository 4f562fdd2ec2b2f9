"""What is computed once for n rows, and shared by layout, density, guards, map and outlier scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from llma_assets.clustering.graph import fuzzy_graph, neighbor_count
from llma_assets.clustering.layout import MIN_POINTS, lay_out
from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.vectors import DistinctRows, deduplicate, merge_near_duplicates


@dataclass(frozen=True, slots=True)
class Neighborhood:
    """The distinct rows of an input and how they lie.

    Attributes:
        distinct: m distinct rows, near-duplicates as one.
        exact: how many distinct rows there were before near-duplicates were joined.
        indices, distances: shape (m, k), the nearest other rows, nearest first; k is 0 for a single row.
        graph: the same as a fuzzy graph, CSR of shape (m, m).
        places: float64, shape (m, 2), the layout.
    """

    distinct: DistinctRows
    exact: int
    indices: np.ndarray
    distances: np.ndarray
    graph: Any
    places: np.ndarray

    @classmethod
    def of(cls, unit: np.ndarray, wanted: int, seed: int) -> "Neighborhood":
        """The neighbourhood of `unit` (n, d), with at most `wanted` neighbours a row."""
        distinct = deduplicate(unit)
        exact = len(distinct.unit)
        indices, distances = _neighbors(distinct.unit, wanted)
        near = merge_near_duplicates(distinct, indices, distances)
        if len(near.unit) < exact:
            distinct = near
            indices, distances = _neighbors(distinct.unit, wanted)
        graph = fuzzy_graph(indices, distances) if indices.shape[1] else None
        return cls(distinct, exact, indices, distances, graph, lay_out(distinct.unit, graph, seed))

    @property
    def is_laid_out(self) -> bool:
        """Whether the places come from a layout, not only from principal components."""
        return len(self.places) >= MIN_POINTS

    @property
    def reach(self) -> np.ndarray:
        """How far each row's nearest neighbour is in the layout: float64, shape (m,)."""
        if not self.indices.shape[1]:
            return np.zeros(len(self.places))
        apart = self.places[:, None, :] - self.places[self.indices]
        return np.asarray(np.sqrt((apart * apart).sum(axis=2)).min(axis=1))


def _neighbors(unit: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    size = len(unit)
    if size < 2:
        return np.zeros((size, 0), np.int64), np.zeros((size, 0))
    return nearest(unit, neighbor_count(size, wanted))
