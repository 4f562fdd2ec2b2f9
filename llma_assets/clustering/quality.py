"""How well clusters hold together: the silhouette, by cosine, on the original vectors.

On the original vectors, not on the reduced ones: a reduction is chosen to pull clusters apart, so a
figure taken there flatters whoever reduced more, and cannot be compared between methods.
"""

import numpy as np

from llma_assets.clustering.result import NOISE


def silhouettes(unit: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Silhouette of each row (Rousseeuw 1987), noise left out.

    The mean cosine distance from a unit vector to a cluster is one minus its product with the mean
    of the cluster, so this is exact in n × k products instead of n².

    Args:
        unit: shape (n, d), rows of length 1.
        labels: shape (n,), 0 … k − 1 or `NOISE`, none of them empty.

    Returns:
        float64, shape (n,), NaN for noise; None with fewer than two clusters. A row alone in its
        cluster has 0.
    """
    count = int(labels.max(initial=NOISE)) + 1
    if count < 2:
        return None
    sizes = np.bincount(labels[labels != NOISE], minlength=count)
    means = np.stack([unit[labels == label].mean(axis=0, dtype=np.float64) for label in range(count)])
    result = np.full(len(unit), np.nan)
    for label in range(count):
        members = np.flatnonzero(labels == label)
        distances = 1.0 - unit[members].astype(np.float64) @ means.T
        if sizes[label] == 1:
            result[members] = 0.0
            continue
        # The row itself is in its cluster's mean, at distance 0: spread the sum over the others.
        own = np.maximum(distances[:, label] * sizes[label] / (sizes[label] - 1), 0.0)
        distances[:, label] = np.inf
        other = np.maximum(distances.min(axis=1), 0.0)
        widest = np.maximum(own, other)
        result[members] = np.where(widest > 1e-9, (other - own) / np.maximum(widest, 1e-9), 0.0)
    return result


def mean_silhouette(unit: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean silhouette over all clustered rows; None with fewer than two clusters."""
    values = silhouettes(unit, labels)
    return None if values is None else float(np.nanmean(values))
