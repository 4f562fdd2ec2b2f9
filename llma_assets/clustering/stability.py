"""Would half of the items give the same clusters? What a single clustering cannot tell about itself."""

from collections.abc import Callable

import numpy as np

from llma_assets.clustering.result import NOISE

# Halves of 517 traces differ by .07 (standard deviation), those of 1,500 to 5,000 rows by .014 to .03: from here on one
# half says enough, and a second one would cost a third of the whole clustering.
_ONE_HALF_FROM = 1_000
# A half of more than this says no more, and costs more.
_MAX_ROWS = 2_500
# Fewer say nothing about halves.
_MIN_ROWS = 40


def stability(
    unit: np.ndarray, labels: np.ndarray, group: Callable[[np.ndarray], np.ndarray], seed: int
) -> float | None:
    """Mean ARI between the clusters of all rows and those that seeded halves have by themselves.

    Args:
        unit: shape (n, d); the halves are drawn by place, so sort the rows by item id first.
        labels: int32, shape (n,); noise counts as one group, as it does in the halves.
        group: gives labels to the rows of a half.

    Returns:
        At most 1, about 0 for chance; None below 40 rows, or where nothing is clustered.
    """
    if len(unit) < _MIN_ROWS or not (labels != NOISE).any():
        return None
    from sklearn.metrics import adjusted_rand_score

    generator = np.random.default_rng(seed)
    size = min(len(unit) // 2, _MAX_ROWS)
    count = 1 if len(unit) >= _ONE_HALF_FROM else 2
    halves = [np.sort(generator.choice(len(unit), size, replace=False)) for _ in range(count)]
    return float(np.mean([adjusted_rand_score(labels[half], group(unit[half])) for half in halves]))
