"""Exact nearest neighbours by cosine, from matrix products."""

import numpy as np

# Rows of similarities held at once: 1,024 × 20,000 float32 are 80 MB.
_BLOCK = 1024


def nearest(unit: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` nearest other rows of each row.

    Args:
        unit: float32, shape (n, d), rows of length 1, n > count ≥ 1.

    Returns:
        Indices (int64) and cosine distances (float64), both of shape (n, count), nearest first.
    """
    indices, distances = [], []
    for start in range(0, len(unit), _BLOCK):
        similarity = unit[start : start + _BLOCK] @ unit.T
        rows = np.arange(len(similarity))
        similarity[rows, rows + start] = -np.inf
        chosen = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        # By index first, so that a stable sort settles equal distances the same way everywhere.
        chosen.sort(axis=1)
        values = np.take_along_axis(similarity, chosen, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        indices.append(np.take_along_axis(chosen, order, axis=1))
        distances.append(1.0 - np.take_along_axis(values, order, axis=1).astype(np.float64))
    return np.concatenate(indices), np.clip(np.concatenate(distances), 0.0, 2.0)
