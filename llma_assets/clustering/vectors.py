"""What every method starts from: checked, unit-length, each distinct vector once, near-duplicates as one."""

from dataclasses import dataclass

import numpy as np

from llma_assets.errors import InputRejected

# Below this a row has no direction: it is rounding error.
_MIN_NORM = 1e-12
# Cosine distance up to which two texts are the same one with another number or name in it.
NEAR_DISTANCE = 0.005


@dataclass(frozen=True, slots=True)
class DistinctRows:
    """Distinct rows of an input, and how to get back.

    Exact copies of one text would otherwise be the densest place of all: a template that was sent
    500 times then takes a cluster apart from everything like it, and whole runs collapse to two.

    Attributes:
        unit: float32, shape (m, d); the distinct rows, scaled to length 1, in an order that does not depend on
            that of the input.
        copies: int64, shape (m,); how many input rows each stands for.
        of_row: int64, shape (n,); the distinct row that each input row became.
    """

    unit: np.ndarray
    copies: np.ndarray
    of_row: np.ndarray


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Check vectors of shape (n, d) and scale each row to length 1, as float32.

    Raises:
        InputRejected: not a 2-D numeric array, a row with NaN or infinity, or a row of zeros,
            which has no direction. The message names the row.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputRejected(f"vectors must be numbers of shape (n, d), not {array.dtype} of shape {array.shape}")
    if array.shape[0] and not array.shape[1]:
        raise InputRejected("vectors must have at least 1 dimension, not 0")
    wide = array.astype(np.float64)
    finite = np.isfinite(wide).all(axis=1)
    if not finite.all():
        raise InputRejected(f"vector in row {int(np.argmin(finite))} holds NaN or infinity; every value must be finite")
    # The largest value first, so that no square overflows or vanishes.
    largest = np.abs(wide).max(axis=1, initial=0.0)
    if (largest < _MIN_NORM).any():
        raise InputRejected(f"vector in row {int(np.argmax(largest < _MIN_NORM))} is zero; a vector needs a direction")
    wide /= largest[:, None]
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    # + 0.0 turns -0.0 into 0.0: equal vectors must also be equal as bytes.
    return wide.astype(np.float32) + np.float32(0.0)


def deduplicate(unit: np.ndarray) -> DistinctRows:
    """Keep each distinct row of `unit` (n, d) once.

    The rows come back sorted by their bytes: solvers break ties by position, so a fixed order of their
    own makes who is with whom independent of the order of the input.
    """
    if not unit.size:
        return DistinctRows(unit, np.zeros(0, np.int64), np.zeros(0, np.int64))
    whole_rows = np.ascontiguousarray(unit).view(np.dtype((np.void, unit.dtype.itemsize * unit.shape[1]))).ravel()
    _, first, of_row, copies = np.unique(whole_rows, return_index=True, return_inverse=True, return_counts=True)
    return DistinctRows(unit[first], copies.astype(np.int64), of_row.astype(np.int64))


def merge_near_duplicates(distinct: DistinctRows, indices: np.ndarray, distances: np.ndarray) -> DistinctRows:
    """Keep one row, their mean, for rows that are within `NEAR_DISTANCE` of each other.

    Rows are joined along neighbours; a row further than that from the mean of its chain stays by itself, so that
    a chain of small steps never merges what differs.

    Args:
        indices, distances: shape (m, k), the nearest rows of each row of `distinct`.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    size = len(distinct.unit)
    rows, places = np.nonzero(distances <= NEAR_DISTANCE)
    if not len(rows):
        return distinct
    edges = csr_matrix((np.ones(len(rows)), (rows, indices[rows, places])), shape=(size, size))
    _, chain = connected_components(edges, directed=False)
    means = _weighted_means(distinct.unit, distinct.copies, chain)
    strays = 1.0 - np.einsum("md,md->m", distinct.unit.astype(np.float64), means[chain]) > NEAR_DISTANCE
    group = np.where(strays, chain.max() + 1 + np.arange(size), chain)
    # In the order of each group's first row: the rows come in an order of their own.
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    group = place[group]
    copies = np.bincount(group, weights=distinct.copies).astype(np.int64)
    unit = _weighted_means(distinct.unit, distinct.copies, group).astype(np.float32)
    return DistinctRows(unit, copies, group[distinct.of_row])


def _weighted_means(unit: np.ndarray, weights: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The direction of each group's weighted mean: float64, one row for each number in `group` up to the largest."""
    from scipy.sparse import csr_matrix

    sums = csr_matrix((weights.astype(np.float64), (group, np.arange(len(group))))) @ unit.astype(np.float64)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), _MIN_NORM)
