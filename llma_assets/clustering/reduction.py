"""Fewer dimensions: a spectral embedding that follows the neighbour graph, and plain PCA.

Groups of texts are curved sheets rather than balls: distances along the neighbour graph tell them
apart where straight ones do not (AMI .69 against .41 for PCA on 2,000 banking queries,
`benchmarks/results/clustering.json`). The eigenvectors take 0.1 CPU-s there, and need no JIT.
"""

import math
from typing import Any

import numpy as np

# The neighbour whose distance counts as a point's own scale (Zelnik-Manor and Perona 2004).
# 3 to 15 measured alike.
_SCALE_NEIGHBOR = 7
# A weight below this is a tie in name only, but keeps far outliers from dividing by zero.
_MIN_WEIGHT = 1e-8
# Up to here a dense solver is as fast as ARPACK, and never fails to converge.
_DENSE_LIMIT = 300
_MAX_COMPONENTS = 100


def component_count(size: int) -> int:
    """Eigenvectors to keep for `size` points: 1.5 √n, at most 100.

    The embedding is scaled by its eigenvalues, so that a few too many do no harm: from 0.75 √n to
    3 √n, AMI at 20 to 2,000 points changed by less than .02.
    """
    return max(2, min(round(1.5 * math.sqrt(size)), _MAX_COMPONENTS, size - 1))


def spectral(indices: np.ndarray, distances: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Row-normalised, eigenvalue-scaled spectral embedding of a neighbour graph (Ng, Jordan, Weiss 2001).

    Args:
        indices, distances: shape (n, k), as `nearest` gives them; cosine distances.
        components: columns wanted, at most n − 1.
        seed: start of the iterative solver.

    Returns:
        float64, shape (n, components), rows of length 1.
    """
    graph = _affinity(indices, distances)
    root = 1.0 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    graph = graph.multiply(root[:, None]).multiply(root[None, :]).tocsr()
    values, basis = _largest_eigenpairs(graph, components, seed)
    # As in a diffusion map: the eigenvalue says how much a direction is worth. It is what makes the
    # embedding indifferent to the number of components, small inputs above all.
    embedding = basis * np.maximum(values, 0.0)
    lengths = np.linalg.norm(embedding, axis=1, keepdims=True)
    return embedding / np.maximum(lengths, 1e-12)


def _affinity(indices: np.ndarray, distances: np.ndarray) -> Any:
    """Symmetric sparse graph, each weight a Gaussian of the distance over both ends' own scales."""
    from scipy.sparse import csr_matrix

    size, count = indices.shape
    squared = 2.0 * distances  # of the straight line between two unit vectors
    scale = np.sqrt(np.maximum(squared[:, min(_SCALE_NEIGHBOR, count) - 1], 1e-12))
    weights = np.maximum(np.exp(-squared / (scale[:, None] * scale[indices])), _MIN_WEIGHT)
    rows = np.repeat(np.arange(size), count)
    directed = csr_matrix((weights.ravel(), (rows, indices.ravel())), shape=(size, size))
    return (directed + directed.T) / 2.0


def _largest_eigenpairs(graph: Any, components: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues (falling) and their vectors, signs fixed."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    size = graph.shape[0]
    if size <= _DENSE_LIMIT or components > size // 3:
        values, basis = np.linalg.eigh(graph.toarray())
    else:
        start = np.random.default_rng(seed).standard_normal(size)
        try:
            values, basis = eigsh(graph, k=components, which="LA", v0=start)
        except ArpackNoConvergence as stopped:
            # Many equal eigenvalues (a graph in many pieces): what has converged is still exact.
            values, basis = stopped.eigenvalues, stopped.eigenvectors
            if len(values) < 2:
                values, basis = np.linalg.eigh(graph.toarray())
    order = np.argsort(-values, kind="stable")[:components]
    return values[order], _fix_signs(basis[:, order])


def pca(points: np.ndarray, components: int) -> np.ndarray:
    """Principal components of `points` (n, d): float64, shape (n, min(components, n, d)), signs fixed."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    keep = min(components, *centred.shape)
    if centred.shape[0] >= centred.shape[1]:
        _, axes = np.linalg.eigh(centred.T @ centred)
        return centred @ _fix_signs(axes[:, ::-1][:, :keep])
    values, basis = np.linalg.eigh(centred @ centred.T)
    return _fix_signs(basis[:, ::-1][:, :keep]) * np.sqrt(np.maximum(values[::-1][:keep], 0.0))


def _fix_signs(columns: np.ndarray) -> np.ndarray:
    """Turn each column so that its largest entry is positive: solvers leave the sign open."""
    peak = columns[np.abs(columns).argmax(axis=0), np.arange(columns.shape[1])]
    return columns * np.where(peak < 0.0, -1.0, 1.0)
