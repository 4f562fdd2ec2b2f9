"""k-means with the number of clusters chosen by silhouette: version 1, kept for comparison."""

from dataclasses import dataclass

import numpy as np

from llma_assets.clustering.quality import mean_silhouette
from llma_assets.clustering.reduction import pca
from llma_assets.clustering.vectors import DistinctRows

# The space that version 1 clusters in. On 2,000 queries AMI is that of all 384 dimensions (.421) at a quarter
# of the time.
_COMPONENTS = 50
_RESTARTS = 10


@dataclass(frozen=True, slots=True)
class Means:
    """What k-means says about n rows.

    Attributes:
        labels: int32, shape (n,).
        optimal_k: number of clusters chosen.
        inertia: sum of squared distances to the centres, in the reduced space, copies counted.
        effective: parameters as used.
    """

    labels: np.ndarray
    optimal_k: int
    inertia: float
    effective: dict[str, int | float | str]


def by_means(unit: np.ndarray, distinct: DistinctRows, k_min: int, k_max: int, seed: int) -> Means:
    """Try k = k_min … k_max, keep the best silhouette (cosine, over all rows of `unit`), smaller k on a tie."""
    from sklearn.cluster import KMeans

    size = len(distinct.unit)
    layout = pca(distinct.unit, _COMPONENTS)
    # Fewer different vectors than clusters wanted: each is its own cluster.
    tried = [k for k in range(k_min, k_max + 1) if k < size] or [min(k_min, size)]
    best: tuple[float, int, np.ndarray, float] | None = None
    for k in tried:
        model = KMeans(n_clusters=k, n_init=_RESTARTS, random_state=seed)
        model.fit(layout, sample_weight=distinct.copies.astype(np.float64))
        labels = model.labels_[distinct.of_row].astype(np.int32)
        silhouette = mean_silhouette(unit, labels)
        score = -1.0 if silhouette is None else round(silhouette, 9)
        if best is None or score > best[0]:
            best = (score, k, labels, float(model.inertia_))
    assert best is not None  # `tried` is never empty
    _, chosen, labels, inertia = best
    effective: dict[str, int | float | str] = {
        "k_min": k_min,
        "k_max": k_max,
        "n_init": _RESTARTS,
        "reduction": "pca",
        "n_components": layout.shape[1],
    }
    return Means(labels, chosen, inertia, effective)
