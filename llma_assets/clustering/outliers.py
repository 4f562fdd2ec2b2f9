"""Items that resemble nothing: far from every other, and hardly nearer to their cluster than to the next.

The density of the layout cannot tell them, because a layout draws every point towards its neighbours: over it
HDBSCAN's outlier scores found planted prompts of other topics with an AUC of .45 to .92 (means over draws, three sets),
distances between the original vectors with .999 (`benchmarks/results/clustering.json`).
"""

import numpy as np

from llma_assets.clustering.quality import silhouettes

# Neighbours whose mean distance is an item's own scale.
_CORE_NEIGHBORS = 5
# Tukey's fence: this many interquartile ranges above the third quartile. Of real items
# 0.2 to 2.7 % are that far from their neighbours, of planted prompts 97 to 100 %.
_FENCE = 2.0
# And below this silhouette it does not belong where it was put. A whole group of far items that resemble each other
# is above it.
_MAX_SILHOUETTE = 0.15
# What the others are compared with: a tenth of the items is denser.
_REFERENCE_QUANTILE = 0.1


def core_distances(distances: np.ndarray) -> np.ndarray:
    """Mean cosine distance to the nearest five: float64, shape (n,), zeros where there are no neighbours."""
    if not distances.shape[1]:
        return np.zeros(len(distances))
    return np.asarray(distances[:, :_CORE_NEIGHBORS].mean(axis=1), dtype=np.float64)


def far_beyond(own: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Which of the core distances `own` lie beyond Tukey's fence of `core`: bool, shape of `own`."""
    if not len(core):
        return np.zeros(len(own), bool)
    lower, upper = np.quantile(core, [0.25, 0.75])
    return np.asarray(own > upper + _FENCE * (upper - lower))


def isolated(core: np.ndarray, unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which rows resemble nothing.

    Args:
        core: shape (n,), as `core_distances` gives them.
        unit: shape (n, d), rows of length 1.
        labels: int32, shape (n,), the cluster that each row would have.

    Returns:
        bool, shape (n,).
    """
    far = far_beyond(core, core)
    if not far.any():
        return far
    known = silhouettes(unit, labels, np.flatnonzero(far))
    return far if known is None else far & (np.nan_to_num(known, nan=-1.0) < _MAX_SILHOUETTE)


def outlier_scores(own: np.ndarray, core: np.ndarray) -> np.ndarray:
    """1 − densest / own: GLOSH's ratio (Campello et al. 2015), over distances of the original vectors.

    The densest are those of all learned rows. Compared with their own cluster, ordinary members of tight clusters
    scored higher than strangers in loose ones (AUC .26 to 1 on queries, against .999).

    Args:
        own: shape (n,), core distances of the rows to score.
        core: shape (m,), those of all learned rows.

    Returns:
        float64, shape (n,), in [0, 1).
    """
    if not len(core):
        return np.zeros(len(own))
    densest = float(np.quantile(core, _REFERENCE_QUANTILE))
    return np.asarray(np.clip(1.0 - densest / np.maximum(own, 1e-12), 0.0, 1.0))
