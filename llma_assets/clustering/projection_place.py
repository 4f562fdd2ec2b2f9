"""Places on a finished map for items that it was not made from."""

import numpy as np

_NEIGHBORS = 5
# A learned item that is this share farther than the nearest one counts 1/e as much.
_REACH = 0.3
# Rounds towards the geometric median, and the distance on the map below which neighbours count alike.
_ROUNDS = 5
_NEAR = 0.01
# Rows of similarities held at once: 1,024 × 20,000 float32 are 80 MB.
_BLOCK = 1024


def place(new_vectors: np.ndarray, learned_vectors: np.ndarray, learned_xy: np.ndarray) -> np.ndarray:
    """Put items next to the learned ones that they resemble most, in one pass over blocks of rows.

    Args:
        new_vectors: float32, shape (n, d), rows of length 1.
        learned_vectors: float32, shape (m, d), rows of length 1, what the map was made from.
        learned_xy: shape (m, 2), their places.

    Returns:
        float64, shape (n, 2), within the learned places, rounded to 6 decimals; zeros where nothing was learned.
    """
    places = np.zeros((len(new_vectors), 2))
    count = min(_NEIGHBORS, len(learned_vectors))
    if not count:
        return places
    for start in range(0, len(new_vectors), _BLOCK):
        similarity = new_vectors[start : start + _BLOCK] @ learned_vectors.T
        # By index, so that equal similarities count in the same order everywhere.
        chosen = np.sort(np.argpartition(-similarity, count - 1, axis=1)[:, :count], axis=1)
        distances = 1.0 - np.take_along_axis(similarity, chosen, axis=1).astype(np.float64)
        places[start : start + _BLOCK] = place_among(chosen, distances, learned_xy)
    return places


def place_among(indices: np.ndarray, distances: np.ndarray, learned_xy: np.ndarray) -> np.ndarray:
    """Places from learned neighbours that are known already, in any order within a row.

    It is their weighted geometric median: a mean falls between two groups when neighbours lie in both. For
    3,000 queries on the map of 2,000 others, 10-NN label accuracy was .79 for the median, .76 for the
    mean of the same weights, .71 for the plain mean and .79 for the place of the nearest.

    Args:
        indices: int64, shape (n, k), rows of `learned_xy`, k ≥ 1.
        distances: float64, shape (n, k), cosine distances to them.
        learned_xy: shape (m, 2).

    Returns:
        float64, shape (n, 2), rounded to 6 decimals. A vector that was learned gets its old place.
    """
    # What is below 1e-6 is the rounding of float32: the same vector.
    distances = np.maximum(distances, 1e-6)
    nearest = distances.min(axis=1, keepdims=True)
    weights = np.exp((nearest - distances) / (_REACH * nearest))
    around = learned_xy[indices]
    places = _weighted_mean(around, weights)
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(around - places[:, None], axis=2)
        places = _weighted_mean(around, weights / np.maximum(apart, _NEAR))
    return np.round(places, 6) + 0.0


def _weighted_mean(around: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (around * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)
