"""The neighbour graph that the layout, the assignment of noise and the guards share."""

import math
from typing import Any

import numpy as np

from llma_assets.clustering.result import NOISE

_BISECTIONS = 40
# Noise next to noise next to a cluster: further than this chain nothing is passed on.
_MAX_ROUNDS = 10


def neighbor_count(distinct: int, wanted: int) -> int:
    """Neighbours in the graph: `wanted`, but no more than log₂ n + 1.

    In a group of eight, fifteen neighbours are mostly strangers. Over a fixed 15 this gained .02 to
    .10 AMI at 30 to 250 points and .01 at 500 (means of 20 draws from five sets), and within .005 nothing above
    (`benchmarks/results/clustering.json`).
    """
    return max(1, min(wanted, math.ceil(math.log2(max(distinct, 2))) + 1, distinct - 1))


def fuzzy_graph(indices: np.ndarray, distances: np.ndarray) -> Any:
    """How sure it is that two rows belong together: UMAP's fuzzy union (McInnes, Healy and Melville 2018).

    A row's nearest neighbour has weight 1, the others fall off with the distance beyond it, at the pace that gives
    the row's weights the sum log₂ k: so crowded and lonely places are treated alike.

    Args:
        indices, distances: shape (n, k), k ≥ 1, nearest first, as `nearest` gives them.

    Returns:
        Symmetric scipy CSR matrix, float64, shape (n, n), weights in (0, 1].
    """
    from scipy.sparse import csr_matrix

    size, count = indices.shape
    weights = _weights(distances - distances[:, :1], max(math.log2(count), 1.0))
    rows = np.repeat(np.arange(size), count)
    directed = csr_matrix((weights.ravel(), (rows, indices.ravel())), shape=(size, size))
    graph = (directed + directed.T - directed.multiply(directed.T)).tocsr()
    graph.sort_indices()
    return graph


def _weights(beyond: np.ndarray, total: float) -> np.ndarray:
    """exp(−beyond × pace), the pace of each row chosen so that its weights sum to `total`."""
    low, high = np.zeros(len(beyond)), np.full(len(beyond), np.inf)
    pace = 1.0 / np.maximum(beyond.mean(axis=1), 1e-12)
    for _ in range(_BISECTIONS):
        too_much = np.exp(-beyond * pace[:, None]).sum(axis=1) > total
        low, high = np.where(too_much, pace, low), np.where(too_much, high, pace)
        pace = np.where(np.isinf(high), pace * 2.0, (low + high) / 2.0)
    # Far beyond the others a weight vanishes; the edge is there all the same.
    return np.maximum(np.exp(-beyond * pace[:, None]), 1e-8)


def spread_labels(graph: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each row of noise the cluster that most of its weight leads to, outwards from the clusters.

    Returns:
        Labels (int32), `NOISE` only where no path leads to a cluster; and, float64, which share of a row's
        weight leads to the cluster that it now has (1 where it has none).
    """
    from scipy.sparse import csr_matrix

    spread = labels.astype(np.int32)
    count = int(labels.max(initial=NOISE)) + 1
    degree = np.asarray(graph.sum(axis=1)).ravel()
    if count == 0:
        return spread, np.ones(len(labels))
    open_rows = np.flatnonzero(labels == NOISE)
    rows_of_graph = graph[open_rows]
    weight = degree.copy()
    for _ in range(_MAX_ROUNDS if len(open_rows) else 0):
        known = np.flatnonzero(spread != NOISE)
        members = csr_matrix((np.ones(len(known)), (known, spread[known])), shape=(len(labels), count))
        votes = (rows_of_graph @ members).toarray()
        best = votes.argmax(axis=1)
        found = votes[np.arange(len(open_rows)), best]
        new = np.where(found > 0, best, NOISE).astype(np.int32)
        weight[open_rows] = np.where(found > 0, found, degree[open_rows])
        if (new == spread[open_rows]).all():
            break
        spread[open_rows] = new
    return spread, weight / np.maximum(degree, 1e-12)


def own_shares(graph: Any, labels: np.ndarray) -> np.ndarray:
    """Which share of a row's weight leads to its own label: float64, shape (n,)."""
    edges = graph.tocoo()
    own = np.where(labels[edges.row] == labels[edges.col], edges.data, 0.0)
    inside, whole = (np.bincount(edges.row, weights=weights, minlength=len(labels)) for weights in (own, edges.data))
    return np.asarray(inside / np.maximum(whole, 1e-12))
