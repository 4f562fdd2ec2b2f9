"""Fewer dimensions by principal components."""

import numpy as np

# Up to here all of them are taken at once; above, only the two that are wanted are looked for.
_DENSE_LIMIT = 300


def principal_plane(points: np.ndarray) -> np.ndarray:
    """The first two principal components of `points` (n, d), signs fixed: float64, shape (n, 2), zeros if missing."""
    plane = np.zeros((len(points), 2))
    if len(points) < 2:
        return plane
    if min(points.shape) <= _DENSE_LIMIT:
        found = pca(points, 2)
    else:
        found = _leading(points.astype(np.float64) - points.mean(axis=0, dtype=np.float64), 2)
    plane[:, : found.shape[1]] = found
    return plane


def _leading(centred: np.ndarray, components: int) -> np.ndarray:
    """Leading principal components by Lanczos iteration: a few products with the data instead of d² of them."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    width = centred.shape[1]
    covariance = LinearOperator((width, width), matvec=lambda v: centred.T @ (centred @ v), dtype=np.float64)
    _, axes = eigsh(covariance, k=components, which="LA", v0=np.ones(width), tol=1e-6)
    return centred @ _fix_signs(axes[:, ::-1])


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
