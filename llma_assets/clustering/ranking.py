"""Order among clusters and among their members: ids, centroids, distances, ranks, exemplars."""

import numpy as np

from llma_assets.clustering.result import NOISE
from llma_assets.clustering.vectors import NEAR_DISTANCE

_EXEMPLARS = 5


def renumber(labels: np.ndarray) -> tuple[np.ndarray, dict[int, int]]:
    """Give clusters ids 0, 1, … by falling size, ties by the smallest row.

    Returns:
        The new labels (int32), and old id → new id.
    """
    ids, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = sorted((-size, row, label) for label, row, size in zip(ids, first, sizes, strict=True) if label != NOISE)
    new = {int(label): number for number, (_, _, label) in enumerate(order)}
    return np.array([new.get(int(label), NOISE) for label in labels], dtype=np.int32), new


def centroids(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean unit vector of each cluster: float32, shape (k, d), in the order of the ids."""
    count = int(labels.max(initial=NOISE)) + 1
    means = [unit[labels == label].mean(axis=0, dtype=np.float64) for label in range(count)]
    return np.array(means, dtype=np.float32).reshape(count, unit.shape[1])


def centroid_distances(unit: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Cosine distance of each row to its centroid: for noise to the nearest, with no cluster to the mean of all.

    One matrix product of n × k; never an array of n × k × d.

    Returns:
        float64, shape (n,), in [0, 2], rounded to 6 decimals.
    """
    if not len(unit):
        return np.zeros(0)
    aims = centres.astype(np.float64) if len(centres) else unit.mean(axis=0, dtype=np.float64, keepdims=True)
    lengths = np.linalg.norm(aims, axis=1, keepdims=True)
    # Opposite vectors can cancel out; from a centroid without a direction everything is at distance 1.
    aims = np.where(lengths > 1e-9, aims / np.maximum(lengths, 1e-9), 0.0)
    distances = 1.0 - unit.astype(np.float64) @ aims.T
    own = np.where(labels == NOISE, distances.min(axis=1), distances[np.arange(len(unit)), np.maximum(labels, 0)])
    return np.round(np.clip(own, 0.0, 2.0), 6) + 0.0


def ranks(labels: np.ndarray, distances: np.ndarray, outlier_scores: np.ndarray) -> np.ndarray:
    """Place of each row within its cluster: 0 = nearest the centroid; in the noise 0 = most anomalous.

    Returns:
        int64, shape (n,); equal values rank by row.
    """
    result = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        keys = (-distances[rows], -outlier_scores[rows]) if label == NOISE else (distances[rows],)
        result[rows[np.lexsort(keys)]] = np.arange(len(rows))
    return result


def exemplars(rows: np.ndarray, row_ranks: np.ndarray, unit: np.ndarray) -> tuple[int, ...]:
    """The five best-ranked of `rows` that are not copies of one another, best first.

    Args:
        unit: shape (n, d), all rows of length 1; near-duplicates count as copies.
    """
    left = rows[np.argsort(row_ranks[rows], kind="stable")]
    chosen: list[int] = []
    while len(left) and len(chosen) < _EXEMPLARS:
        chosen.append(int(left[0]))
        left = left[1.0 - unit[left] @ unit[left[0]] > NEAR_DISTANCE]
    return tuple(chosen)
