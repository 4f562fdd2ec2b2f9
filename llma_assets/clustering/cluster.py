"""The front door: vectors in, a `Clustering` out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from llma_assets.clustering.anchors import Anchors
from llma_assets.clustering.assignment import assign
from llma_assets.clustering.grouping import Grouping, group_by_density, group_by_means, reconcile_grouping
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.projection import project
from llma_assets.clustering.quality import FIGURES, diversity, layout_silhouette, silhouettes
from llma_assets.clustering.ranking import centroid_distances, centroids, exemplars, ranks, renumber
from llma_assets.clustering.reconciliation import EarlierLabels
from llma_assets.clustering.references.umap_hdbscan import group_by_reference
from llma_assets.clustering.result import (
    ALGORITHM_VERSION,
    NOISE,
    Cluster,
    Clustering,
    ClusteringParams,
    Step,
)
from llma_assets.clustering.stability import stability
from llma_assets.clustering.themes import Themes, themes
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import NEAR_DISTANCE, unit_vectors
from llma_assets.errors import InputRejected
from llma_assets.vocabulary import CLUSTERING_METHODS

# Exact neighbours of more rows than this take longer than what they add is worth: the others are assigned.
LEARN_LIMIT = 20_000
# Every day the same: where themes hardly stand out, the draw of a day must not decide whether there are any.
_THEME_SEED = 0


def cluster(
    vectors: np.ndarray,
    params: ClusteringParams,
    learned: np.ndarray | None = None,
    anchors: Anchors | None = None,
    earlier: EarlierLabels | None = None,
) -> Clustering:
    """Group vectors by direction.

    The same rows in the same order give the same bytes, whatever the thread settings: the work runs
    on one thread, and floats are rounded. Who is with whom does not depend on the order either; only
    ties (equal sizes, equal distances) go to the earlier row, so sort the rows by item id first.

    Args:
        vectors: shape (n, d), n ≥ 0; any length, only the direction counts.
        params: method and its choices.
        learned: bool, shape (n,), the rows to learn the clusters from; None for all. The others are assigned to
            them. Of more than 20,000 a seeded draw is learned from.
        anchors: where some rows were on an earlier map. Clusters do not depend on it.
        earlier: the clusters of an earlier run. They stay where rows are grouped as well by them, if it learned from
            about as many (method hdbscan; the others start anew each time).

    Returns:
        Labels, ranks, distances, map and clusters, in the order of the rows.

    Raises:
        InputRejected: a parameter out of range, or a row that is not finite or has no direction.
    """
    _check(params)
    if earlier is not None and earlier.labels.shape != (len(vectors),):
        raise InputRejected(
            f"earlier has shape {earlier.labels.shape}; it must be one cluster id for each of {len(vectors)} rows"
        )
    unit = unit_vectors(vectors)
    rows = _learned_rows(len(unit), learned, params.seed)
    with single_thread():
        neighborhood = Neighborhood.of(unit[rows], params.n_neighbors, params.seed)
        found = _group(unit[rows], neighborhood, params)
        if earlier is not None and params.method == "hdbscan" and earlier.is_comparable(len(rows)):
            found = reconcile_grouping(found, neighborhood, earlier.labels[rows])
        whole = _assign_rest(unit, rows, neighborhood, found, anchors)
        steady = stability(unit[rows], whole.labels[rows], lambda half: _labels_of(half, params), params.seed)
        return _assemble(unit, neighborhood, found, whole, steady, params)


def _check(params: ClusteringParams) -> None:
    if params.method not in CLUSTERING_METHODS:
        raise InputRejected(f"method is {params.method!r}; it must be one of {', '.join(CLUSTERING_METHODS)}")
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


def _learned_rows(size: int, learned: np.ndarray | None, seed: int) -> np.ndarray:
    rows = np.arange(size) if learned is None else np.flatnonzero(learned)
    if len(rows) > LEARN_LIMIT:
        rows = np.sort(np.random.default_rng(seed).choice(rows, LEARN_LIMIT, replace=False))
    return rows


def _group(unit: np.ndarray, neighborhood: Neighborhood, params: ClusteringParams) -> Grouping:
    if not len(unit):
        empty = np.zeros(0)
        return Grouping(np.zeros(0, np.int32), empty > 0, empty, empty, {}, {}, {}, ())
    if params.method == "kmeans":
        return group_by_means(unit, params)
    if params.method == "umap":
        return group_by_reference(unit, params)
    return group_by_density(neighborhood, params)


def _labels_of(unit: np.ndarray, params: ClusteringParams) -> np.ndarray:
    """Labels of a half, for its stability."""
    neighborhood = Neighborhood.of(unit, params.n_neighbors, params.seed)
    return _group(unit, neighborhood, params).labels


@dataclass(frozen=True, slots=True)
class _AllRows:
    """Every row, learned or assigned."""

    labels: np.ndarray
    new_ids: dict[int, int]
    is_learned: np.ndarray
    raw_noise: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray | None
    xy: np.ndarray


def _assign_rest(
    unit: np.ndarray,
    rows: np.ndarray,
    neighborhood: Neighborhood,
    found: Grouping,
    anchors: Anchors | None,
) -> _AllRows:
    size = len(unit)
    others = np.setdiff1d(np.arange(size), rows, assume_unique=True)
    labels, probabilities = np.full(size, NOISE, np.int32), np.zeros(size)
    raw_noise, is_learned = np.zeros(size, bool), np.zeros(size, bool)
    xy = np.zeros((size, 2))
    labels[rows], probabilities[rows] = found.labels, found.probabilities
    raw_noise[rows], is_learned[rows] = found.raw_noise, True
    learned_xy = project(neighborhood, _of_distinct(anchors, rows, neighborhood))
    xy[rows] = learned_xy[neighborhood.distinct.of_row].reshape(-1, 2)
    scores = None
    if found.outlier_scores is not None:
        scores = np.zeros(size)
        scores[rows] = found.outlier_scores
    if len(others) and len(rows):
        given = assign(unit[others], neighborhood, found, learned_xy)
        labels[others], probabilities[others], raw_noise[others] = given.labels, given.shares, given.labels == NOISE
        xy[others] = given.xy
        if scores is not None:
            scores[others] = given.outlier_scores
    labels, new_ids = renumber(labels)
    return _AllRows(labels, new_ids, is_learned, raw_noise, probabilities, scores, xy)


def _of_distinct(anchors: Anchors | None, rows: np.ndarray, neighborhood: Neighborhood) -> Anchors | None:
    """The anchors of learned rows, as those of the distinct rows that they became: the first of several counts."""
    if anchors is None:
        return None
    anchors.check(max(int(anchors.rows.max(initial=-1)) + 1, int(rows.max(initial=-1)) + 1))
    order = np.argsort(anchors.rows)
    known = order[np.isin(anchors.rows[order], rows)]
    distinct, first = np.unique(
        neighborhood.distinct.of_row[np.searchsorted(rows, anchors.rows[known])], return_index=True
    )
    return Anchors(distinct, anchors.xy[known][first])


def _assemble(
    unit: np.ndarray,
    neighborhood: Neighborhood,
    found: Grouping,
    whole: _AllRows,
    steady: float | None,
    params: ClusteringParams,
) -> Clustering:
    labels = whole.labels
    centres = centroids(unit, labels)
    distances = centroid_distances(unit, labels, centres)
    # k-means knows no outliers: far from the centroid is all that it can say.
    scores = np.minimum(distances, 1.0) if whole.outlier_scores is None else whole.outlier_scores
    scores = np.round(scores, 6) + 0.0
    row_ranks = ranks(labels, distances, scores)
    row_silhouettes = silhouettes(unit, labels)
    coarse = themes(unit, labels, _THEME_SEED)
    clusters = _clusters(unit, centres, whole, found, coarse, row_ranks, row_silhouettes)
    persistence = [group.persistence for group in clusters if group.persistence is not None]
    quality: dict[str, float | int | None] = dict.fromkeys(FIGURES) | found.quality
    quality |= {
        "clusters": len(clusters),
        "diversity": diversity(unit),
        "themes": coarse.quality["themes"],
        "silhouette": None if row_silhouettes is None else float(np.nanmean(row_silhouettes)),
        "layout_silhouette": layout_silhouette(neighborhood.places, _distinct_labels(whole, neighborhood), params.seed),
        "mean_persistence": sum(persistence) / len(persistence) if persistence else None,
        "stability": steady,
        "theme_stability": coarse.quality["stability"],
    }
    if len(unit):
        quality |= {
            "noise_share": np.count_nonzero(labels == NOISE) / len(unit),
            "raw_noise_share": np.count_nonzero(whole.raw_noise) / len(unit),
            "largest_share": max((group.size for group in clusters), default=0) / len(unit),
        }
    return Clustering(
        labels=labels,
        is_learned=whole.is_learned,
        raw_noise=whole.raw_noise,
        probabilities=np.round(whole.probabilities, 6) + 0.0,
        outlier_scores=scores,
        distances=distances,
        ranks=row_ranks,
        xy=whole.xy,
        clusters=clusters,
        quality={name: value if isinstance(value, int) else _rounded(value) for name, value in quality.items()},
        params=_recorded(unit, neighborhood, whole, params) | found.effective,
        guard_path=found.path,
        steps=tuple(
            Step(step.name, step.clusters, round(step.largest_share, 6), _rounded(step.silhouette))
            for step in found.tried
        ),
    )


def _clusters(
    unit: np.ndarray,
    centres: np.ndarray,
    whole: _AllRows,
    found: Grouping,
    coarse: Themes,
    row_ranks: np.ndarray,
    row_silhouettes: np.ndarray | None,
) -> tuple[Cluster, ...]:
    old_ids = {new: old for old, new in whole.new_ids.items()}
    clusters = []
    for label, centre in enumerate(centres):
        rows = np.flatnonzero(whole.labels == label)
        x, y = np.round(whole.xy[rows].mean(axis=0), 6) + 0.0
        clusters.append(
            Cluster(
                cluster_id=label,
                size=len(rows),
                centroid=centre,
                centroid_xy=(float(x), float(y)),
                exemplars=exemplars(rows, row_ranks, unit),
                theme_id=int(coarse.of_cluster[label]),
                persistence=_rounded(found.persistence.get(old_ids[label])),
                silhouette=None if row_silhouettes is None else _rounded(float(row_silhouettes[rows].mean())),
            )
        )
    return tuple(clusters)


def _distinct_labels(whole: _AllRows, neighborhood: Neighborhood) -> np.ndarray:
    """The final label of each distinct learned row."""
    labels = np.full(len(neighborhood.distinct.unit), NOISE, np.int32)
    labels[neighborhood.distinct.of_row] = whole.labels[whole.is_learned]
    return labels


def _recorded(
    unit: np.ndarray, neighborhood: Neighborhood, whole: _AllRows, params: ClusteringParams
) -> dict[str, Any]:
    return {
        "method": params.method,
        "algorithm_version": ALGORITHM_VERSION,
        "items": len(unit),
        "items_learned": int(whole.is_learned.sum()),
        "distinct_vectors": neighborhood.exact,
        "distinct_beyond_near_duplicates": len(neighborhood.distinct.unit),
        "near_duplicate_distance": NEAR_DISTANCE,
        "dimensions": unit.shape[1],
        "normalization": "l2",
        "projection": "layout",
        "seed": params.seed,
    }


def _rounded(value: float | None) -> float | None:
    """Six decimals: what is below is the machine's rounding, not the data's."""
    return None if value is None else round(float(value), 6) + 0.0
