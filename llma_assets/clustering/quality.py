"""How well clusters hold together: the silhouette, by cosine, on the original vectors.

On the original vectors, not on the reduced ones: a reduction is chosen to pull clusters apart, so a
figure taken there flatters whoever reduced more, and cannot be compared between methods.
"""

import numpy as np

from llma_assets.clustering.result import NOISE

# What is stored with a run.
FIGURES = (
    "clusters",
    "themes",
    "noise_share",
    "raw_noise_share",
    "largest_share",
    "diversity",
    "silhouette",
    "layout_silhouette",
    "relative_validity",
    "mean_persistence",
    "stability",
    "theme_stability",
    "optimal_k",
    "inertia",
)
# All pairs of this many places are compared; more say no more.
_LAYOUT_SAMPLE = 2_500
# Rows taken at once.
_BLOCK = 4096


def silhouettes(unit: np.ndarray, labels: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray | None:
    """Silhouette of each row (Rousseeuw 1987), noise left out.

    The mean cosine distance from a unit vector to a cluster is one minus its product with the mean
    of the cluster, so this is exact in n × k products instead of n².

    Args:
        unit: shape (n, d), rows of length 1.
        labels: shape (n,), 0 … k − 1 or `NOISE`, none of them empty.
        rows: int, the rows that are asked for; None for all.

    Returns:
        float64, shape (n,), NaN for noise and for what is not asked for; None with fewer than two clusters. A row
        alone in its cluster has 0.
    """
    count = int(labels.max(initial=NOISE)) + 1
    if count < 2:
        return None
    asked = np.flatnonzero(labels != NOISE) if rows is None else rows[labels[rows] != NOISE]
    sizes = np.bincount(labels[labels != NOISE], minlength=count)
    means = np.stack([unit[labels == label].mean(axis=0, dtype=np.float64) for label in range(count)])
    result = np.full(len(unit), np.nan)
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        result[block] = silhouettes_at(1.0 - unit[block].astype(np.float64) @ means.T, labels[block], sizes)
    return result


def silhouettes_at(distances: np.ndarray, own: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Silhouettes of some rows that are in clusters.

    Args:
        distances: float64, shape (b, k), of each row the mean cosine distance to the rows of each cluster; overwritten.
        own: shape (b,), the cluster of each.
        sizes: shape (k,); clusters of size 0 are as if they were not there.

    Returns:
        float64, shape (b,); 0 for a row alone in its cluster.
    """
    place = np.arange(len(distances))
    # The row itself is in its cluster's mean, at distance 0: spread the sum over the others.
    within = np.maximum(distances[place, own] * sizes[own] / np.maximum(sizes[own] - 1, 1), 0.0)
    distances[place, own] = np.inf
    distances[:, sizes == 0] = np.inf
    other = np.maximum(distances.min(axis=1), 0.0)
    widest = np.maximum(within, other)
    stands = (widest > 1e-9) & (sizes[own] > 1)
    return np.where(stands, (other - within) / np.maximum(widest, 1e-9), 0.0)


def mean_silhouette(unit: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean silhouette over all clustered rows; None with fewer than two clusters."""
    values = silhouettes(unit, labels)
    return None if values is None else float(np.nanmean(values))


def diversity(unit: np.ndarray) -> float | None:
    """Mean cosine distance between any two of `unit` (n, d): 0 where all are alike; None without rows."""
    if not len(unit):
        return None
    mean = unit.mean(axis=0, dtype=np.float64)
    return max(1.0 - float(mean @ mean), 0.0)


def layout_silhouette(places: np.ndarray, labels: np.ndarray, seed: int) -> float | None:
    """Mean silhouette over `places` (n, 2), straight distances, noise left out; of a seeded sample of 2,500.

    It says how far apart clusters look on the map, and nothing about the data. None where it is not defined.
    """
    rows = np.flatnonzero(labels != NOISE)
    if len(rows) > _LAYOUT_SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _LAYOUT_SAMPLE, replace=False))
    if not 2 <= len(np.unique(labels[rows])) < len(rows):
        return None
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(places[rows], labels[rows]))
