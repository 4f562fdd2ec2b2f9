"""Clusters for items that the clustering did not learn from, in one pass over blocks of them."""

from dataclasses import dataclass

import numpy as np

from llma_assets.clustering.grouping import Grouping
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.neighbors import nearest_in
from llma_assets.clustering.outliers import core_distances, far_beyond, outlier_scores
from llma_assets.clustering.placing import place_among
from llma_assets.clustering.result import NOISE
from llma_assets.clustering.vectors import DistinctRows

_NEIGHBORS = 10
# More blur the place.
_MAP_NEIGHBORS = 5
# A learned item that is this share farther than the nearest one counts 1/e as much.
_REACH = 0.3
# A row that is far from all is still at home among learned ones that are nearly as far from each other.
_SPARSER = 1.5
# What is below is the rounding of float32: the same vector.
_SAME = 1e-6
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of n rows.

    Attributes:
        labels: int32, as in the learned grouping, or `NOISE`.
        shares: float64, share of the neighbours' weight that agrees; 0 for noise.
        outlier_scores: float64, by the distance from the nearest learned rows.
        xy: float64, shape (n, 2), next to the learned rows that it resembles.
    """

    labels: np.ndarray
    shares: np.ndarray
    outlier_scores: np.ndarray
    xy: np.ndarray


def assign(rows: np.ndarray, neighborhood: Neighborhood, found: Grouping, learned_xy: np.ndarray) -> Assigned:
    """Give each of `rows` (n, d) the cluster that its nearest learned items are in, or noise where they are.

    A row that is far from all learned ones, and farther than its nearest one is from its own neighbours, is noise,
    whoever is nearest. A method without noise has means instead: each row goes to the nearest.

    Args:
        rows: float32, rows of length 1.
        neighborhood, found: what was learned, from at least one row.
        learned_xy: shape (m, 2), the map of the distinct learned rows.
    """
    size = len(neighborhood.distinct.unit)
    learned = np.full(size, NOISE, np.int32)
    learned[neighborhood.distinct.of_row] = found.labels
    core = core_distances(neighborhood.distances) if neighborhood.graph is not None else np.zeros(size)
    means = None if found.outlier_scores is not None else _means(neighborhood.distinct, learned)
    labels, shares, scores = np.full(len(rows), NOISE, np.int32), np.zeros(len(rows)), np.zeros(len(rows))
    xy = np.zeros((len(rows), 2))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        indices, distances = nearest_in(rows[block], neighborhood.distinct.unit, min(_NEIGHBORS, size))
        xy[block] = place_among(indices[:, :_MAP_NEIGHBORS], distances[:, :_MAP_NEIGHBORS], learned_xy)
        own = core_distances(distances)
        if means is None:
            winner, share = _votes(learned[indices], _weights(distances))
            refused = far_beyond(own, core) & (own > _SPARSER * core[indices[:, 0]])
            labels[block] = np.where(refused, NOISE, winner)
            shares[block] = np.where(labels[block] == NOISE, 0.0, share)
        else:
            # What was learned lies where the method put it, also where that is not the nearest mean.
            is_copy = distances[:, 0] <= _SAME
            labels[block] = np.where(is_copy, learned[indices[:, 0]], _nearest_mean(rows[block], means))
            shares[block] = 1.0
        scores[block] = outlier_scores(own, core)
    return Assigned(labels, shares, scores, xy)


def _means(distinct: DistinctRows, learned: np.ndarray) -> np.ndarray:
    """Mean of each cluster of the distinct rows, labels 0, 1, …: float64, shape (k, d)."""
    wide = distinct.unit.astype(np.float64)
    return np.stack(
        [
            np.average(wide[learned == label], axis=0, weights=distinct.copies[learned == label])
            for label in range(int(learned.max()) + 1)
        ]
    )


def _nearest_mean(rows: np.ndarray, means: np.ndarray) -> np.ndarray:
    products = rows.astype(np.float64) @ means.T
    return np.asarray(((means * means).sum(axis=1) - 2.0 * products).argmin(axis=1), dtype=np.int32)


def _weights(distances: np.ndarray) -> np.ndarray:
    clear = np.maximum(distances, _SAME)
    weights = np.exp((clear[:, :1] - clear) / (_REACH * clear[:, :1]))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _votes(labels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The label with most weight in each row (n, k), noise being one, and its share."""
    size, count = labels.shape
    groups = int(labels.max(initial=NOISE)) + 2
    places = np.repeat(np.arange(size), count) * groups + labels.ravel() + 1
    votes = np.bincount(places, weights.ravel(), size * groups).reshape(size, groups)
    winner = votes.argmax(axis=1)
    return (winner - 1).astype(np.int32), votes[np.arange(size), winner]
