"""The front door: vectors in, a `Clustering` out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from llma_assets.clustering.density import by_density
from llma_assets.clustering.kmeans import by_means
from llma_assets.clustering.projection import project
from llma_assets.clustering.quality import silhouettes
from llma_assets.clustering.ranking import centroid_distances, centroids, exemplars, ranks, renumber
from llma_assets.clustering.result import ALGORITHM_VERSION, NOISE, Cluster, Clustering, ClusteringParams
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import Folded, fold, unit_vectors
from llma_assets.errors import InputRejected


@dataclass(frozen=True, slots=True)
class _Grouping:
    """What a method found, before ids are given and places are ranked."""

    labels: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray | None
    persistence: dict[int, float | None]
    quality: dict[str, float | int | None]
    layout: np.ndarray
    effective: dict[str, Any]
    path: tuple[str, ...]


def cluster(vectors: np.ndarray, params: ClusteringParams) -> Clustering:
    """Group vectors by direction.

    The same rows in the same order give the same bytes, whatever the thread settings: the work runs
    on one thread, and floats are rounded. Who is with whom does not depend on the order either; only
    ties (equal sizes, equal distances) go to the earlier row, so sort the rows by item id first.

    Args:
        vectors: shape (n, d), n ≥ 0; any length, only the direction counts.
        params: method and its choices.

    Returns:
        Labels, ranks, distances, map and clusters, in the order of the rows.

    Raises:
        InputRejected: a parameter out of range, or a row that is not finite or has no direction.
    """
    _check(params)
    unit = unit_vectors(vectors)
    folded = fold(unit)
    with single_thread():
        if not len(unit):
            found = _nothing()
        elif params.method == "hdbscan":
            found = _density(folded, params)
        else:
            found = _means(unit, folded, params)
        places = project(found.layout, params.seed)[folded.of_row].reshape(-1, 2)
        return _assemble(unit, folded, found, places, params)


def _check(params: ClusteringParams) -> None:
    if params.method not in ("hdbscan", "kmeans"):
        raise InputRejected(f"method is {params.method!r}; it must be 'hdbscan' or 'kmeans'")
    bounds: list[tuple[str, int | None, int]] = [
        ("min_cluster_size", params.min_cluster_size, 2),
        ("min_samples", params.min_samples, 1),
        ("n_neighbors", params.n_neighbors, 2),
        ("k_min", params.k_min, 2),
        ("k_max", params.k_max, params.k_min),
        ("seed", params.seed, 0),
    ]
    for name, value, lowest in bounds:
        if value is not None and value < lowest:
            raise InputRejected(f"{name} is {value}; it must be at least {lowest}")


def _nothing() -> _Grouping:
    empty = np.zeros(0)
    return _Grouping(np.zeros(0, np.int32), empty, empty, {}, {}, np.zeros((0, 1)), {}, ())


def _density(folded: Folded, params: ClusteringParams) -> _Grouping:
    found = by_density(folded, params)
    return _Grouping(
        labels=found.labels,
        probabilities=found.probabilities,
        outlier_scores=found.outlier_scores,
        persistence=found.persistence,
        quality={"relative_validity": _rounded(found.relative_validity)},
        layout=found.layout,
        effective=found.effective,
        path=("eom",) if found.structure else ("eom", "no_structure"),
    )


def _means(unit: np.ndarray, folded: Folded, params: ClusteringParams) -> _Grouping:
    found = by_means(unit, folded, params)
    return _Grouping(
        labels=found.labels,
        probabilities=np.ones(len(unit)),
        outlier_scores=None,
        persistence={},
        quality={"optimal_k": found.optimal_k, "inertia": _rounded(found.inertia)},
        layout=found.layout,
        effective=found.effective,
        path=("kmeans",),
    )


def _assemble(
    unit: np.ndarray, folded: Folded, found: _Grouping, places: np.ndarray, params: ClusteringParams
) -> Clustering:
    labels, new_ids = renumber(found.labels)
    centres = centroids(unit, labels)
    distances = centroid_distances(unit, labels, centres)
    # k-means knows no outliers: far from the centroid is all that it can say.
    scores = np.minimum(distances, 1.0) if found.outlier_scores is None else found.outlier_scores
    scores = np.round(scores, 6) + 0.0
    row_ranks = ranks(labels, distances, scores)
    row_silhouettes = silhouettes(unit, labels)
    persistence = {new_ids[old]: value for old, value in found.persistence.items()}
    clusters = []
    for label, centre in enumerate(centres):
        rows = np.flatnonzero(labels == label)
        x, y = np.round(places[rows].mean(axis=0), 6) + 0.0
        clusters.append(
            Cluster(
                cluster_id=label,
                size=len(rows),
                centroid=centre,
                centroid_xy=(float(x), float(y)),
                exemplars=exemplars(rows, row_ranks, folded.of_row),
                persistence=_rounded(persistence.get(label)),
                silhouette=None if row_silhouettes is None else _rounded(float(row_silhouettes[rows].mean())),
            )
        )
    noise = int(np.count_nonzero(labels == NOISE))
    whole = None if row_silhouettes is None else _rounded(float(np.nanmean(row_silhouettes)))
    return Clustering(
        labels=labels,
        probabilities=np.round(found.probabilities, 6),
        outlier_scores=scores,
        distances=distances,
        ranks=row_ranks,
        xy=places,
        clusters=tuple(clusters),
        quality={"silhouette": whole, "relative_validity": None, "optimal_k": None, "inertia": None}
        | found.quality
        | {"noise_share": _rounded(noise / len(unit)) if len(unit) else None},
        params={
            "method": params.method,
            "algorithm_version": ALGORITHM_VERSION,
            "items": len(unit),
            "distinct_vectors": len(folded.unit),
            "dimensions": unit.shape[1],
            "normalization": "l2",
            "projection": "tsne_mesh",
            "seed": params.seed,
        }
        | found.effective,
        guard_path=found.path,
    )


def _rounded(value: float | None) -> float | None:
    """Six decimals: what is below is the machine's rounding, not the data's."""
    return None if value is None else round(float(value), 6) + 0.0
