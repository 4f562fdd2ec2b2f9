"""Which cluster of one clustering is which of another, by the members that they share."""

import numpy as np

# Measured in benchmarks/lineage.py. Below this overlap a cluster is another one: two equal clusters that share a
# third of their members have a Jaccard index of .2. At .25 more clusters died and were born beside the planted ones.
KEPT_JACCARD = 0.2


def jaccard(shared: np.ndarray, members: np.ndarray, other_members: np.ndarray) -> np.ndarray:
    """Of each pair: members of both over members of either, shape (k, m); `shared` has that shape, too."""
    union = members[:, None] + other_members[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1))


def one_to_one(worth: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Pairs of the one-to-one matching with the largest sum, of those that are worth at least `least`."""
    from scipy.optimize import linear_sum_assignment

    eligible = np.where(worth >= least, worth, 0.0)
    if not eligible.any():
        return []
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(eligible, maximize=True), strict=True)
            if eligible[i, j] > 0]  # fmt: skip
