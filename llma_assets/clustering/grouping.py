"""The methods: which of the distinct rows belong together."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from llma_assets.clustering.density import WeightedPoints, relative_copies
from llma_assets.clustering.graph import own_shares, spread_labels
from llma_assets.clustering.guards import NO_STRUCTURE, LadderResult, LadderStep, is_degenerate, run_ladder
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.outliers import core_distances, isolated, outlier_scores
from llma_assets.clustering.quality import silhouettes
from llma_assets.clustering.reconciliation import Reconciled, consecutive_ids, reconcile
from llma_assets.clustering.references.kmeans import by_means
from llma_assets.clustering.result import NOISE, UNSEEN, ClusteringParams
from llma_assets.clustering.vectors import DistinctRows, deduplicate

# Smallest share of the distinct items that counts as a cluster: fine topics (.01 gives about 40 of them).
_MIN_CLUSTER_SHARE = 0.005
_MIN_CLUSTER_SIZE = 5
# Taking isolated rows out of a cluster can leave it too small, and its other rows to others.
_MAX_ROUNDS = 3
_MOST_MEANS = 12
# Noise stays noise where less than this share of its neighbours' weight leads to one cluster, and it is nearer to
# the mean of another one. Without this AMI was higher by up to .004, and among prompts that hardly resemble each
# other all of the noise, 38 % of them, went to clusters.
_MIN_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Grouping:
    """What a method found for n rows, before ids are given and places are ranked.

    Attributes:
        labels: int32, shape (n,), `NOISE` or any other ids.
        raw_noise: bool, shape (n,), what the method itself left out.
        probabilities, outlier_scores: float64, shape (n,); no scores where the method knows no outliers.
        persistence: of each label; None where the method or the cluster has none.
        quality: figures of the whole.
        effective: parameters as used.
        path: the steps taken.
        tried: what each step of the ladder found.
    """

    labels: np.ndarray
    raw_noise: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray | None
    persistence: dict[int, float | None]
    quality: dict[str, float | int | None]
    effective: dict[str, Any]
    path: tuple[str, ...]
    tried: tuple[LadderStep, ...] = field(default=())


def smallest_cluster(distinct: int, wanted: int | None) -> int:
    """Smallest group of `distinct` rows that counts as a cluster."""
    return wanted or max(_MIN_CLUSTER_SIZE, math.ceil(_MIN_CLUSTER_SHARE * distinct))


def group_by_density(neighborhood: Neighborhood, params: ClusteringParams) -> Grouping:
    """HDBSCAN over the layout, guarded against collapse; borderline noise goes to the cluster it leads to."""
    distinct = neighborhood.distinct
    size = len(distinct.unit)
    smallest = smallest_cluster(size, params.min_cluster_size)
    core, times = core_distances(neighborhood.distances), relative_copies(distinct.copies)
    if size <= max(smallest, 3):
        # Too few different points for a density; only copies of one text can still form a group.
        found = LadderResult(None, ())
        path: tuple[str, ...] = ("eom", NO_STRUCTURE)
    else:
        found = run_ladder(
            WeightedPoints.of(neighborhood.places, times, neighborhood.reach, smallest, params.min_samples),
            distinct.unit,
            np.minimum(times, smallest),
            spread=lambda labels: spread_labels(neighborhood.graph, labels)[0],
            by_means=lambda: _by_means(distinct, params.seed),
        )
        path = found.path
    raw, labels, probabilities, persistence = _settled(neighborhood, found.taken, core, times, smallest)
    labels, probabilities = labels.copy(), probabilities.copy()
    # Where nothing else has a structure, copies of one text are a group however often the others were sent.
    often = distinct.copies if found.taken is None else times
    for row in np.flatnonzero((labels == NOISE) & (often >= smallest)):
        label = int(labels.max(initial=NOISE)) + 1
        labels[row], probabilities[row], persistence[label], raw[row] = label, 1.0, None, False
    if (labels != NOISE).any() and found.taken is None:
        path = tuple(step for step in path if step != NO_STRUCTURE)
    validity = found.taken.found.relative_validity if found.taken else None
    return Grouping(
        labels=labels[distinct.of_row],
        raw_noise=raw[distinct.of_row],
        probabilities=probabilities[distinct.of_row],
        outlier_scores=outlier_scores(core, core)[distinct.of_row],
        persistence=persistence,
        quality={"relative_validity": validity},
        effective={
            "min_cluster_size": smallest,
            "min_samples": params.min_samples,
            "cluster_selection_epsilon": 0.0,
            "graph": "fuzzy_knn",
            "n_neighbors": neighborhood.indices.shape[1],
            "reduction": "layout",
            "n_components": 2,
        },
        path=path,
        tried=found.tried,
    )


def reconcile_grouping(found: Grouping, neighborhood: Neighborhood, earlier: np.ndarray) -> Grouping:
    """What `group_by_density` found, with the clusters of an earlier run that stay (see `reconcile`).

    Args:
        earlier: int32, shape (n,), the cluster that each row had, `NOISE` or `UNSEEN`.
    """
    if neighborhood.graph is None:
        return found
    distinct, times = neighborhood.distinct, relative_copies(neighborhood.distinct.copies)
    first = np.unique(distinct.of_row, return_index=True)[1]
    labels, was = found.labels[first], _of_distinct(distinct, earlier)
    reconciled = reconcile(distinct.unit, neighborhood.graph, labels, was, times, found.effective["min_cluster_size"])
    if _is_collapsed(reconciled.labels, times) and not _is_collapsed(labels, times):
        reconciled = Reconciled(labels)
    is_moved = reconciled.labels != labels
    changed = np.union1d(labels[is_moved], reconciled.labels[is_moved])
    probabilities = np.where(is_moved, own_shares(neighborhood.graph, reconciled.labels), found.probabilities[first])
    return replace(
        found,
        labels=reconciled.labels[distinct.of_row],
        probabilities=probabilities[distinct.of_row],
        persistence=found.persistence | dict.fromkeys(changed.tolist()),
        effective=found.effective
        | {"returned_clusters": reconciled.returned, "rejoined_clusters": reconciled.rejoined},
        path=(*found.path, "held") if is_moved.any() else found.path,
    )


def _of_distinct(distinct: DistinctRows, earlier: np.ndarray) -> np.ndarray:
    """The id that most copies of each distinct row had, of several such the smallest; `UNSEEN` where none was seen."""
    seen = earlier != UNSEEN
    pairs, counts = np.unique(np.column_stack([distinct.of_row[seen], earlier[seen]]), axis=0, return_counts=True)
    pairs = pairs[np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))]
    rows, first = np.unique(pairs[:, 0], return_index=True)
    was = np.full(len(distinct.unit), UNSEEN, np.int32)
    was[rows] = pairs[first, 1]
    return was


def _is_collapsed(labels: np.ndarray, times: np.ndarray) -> bool:
    """Whether the ladder would not have stopped here."""
    clustered = labels != NOISE
    sizes = np.bincount(labels[clustered], weights=times[clustered])
    return is_degenerate(int(np.count_nonzero(sizes)), float(sizes.max(initial=0.0) / times.sum()))


def _settled(
    neighborhood: Neighborhood, taken: LadderStep | None, core: np.ndarray, times: np.ndarray, smallest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, float | None]]:
    """Raw noise, labels, probabilities and persistence, once noise is told from borderline rows."""
    size = len(neighborhood.distinct.unit)
    if taken is None:
        return np.ones(size, bool), np.full(size, NOISE, np.int32), np.zeros(size), {}
    raw = taken.found.labels == NOISE
    clustered = taken.found.labels
    for _ in range(_MAX_ROUNDS):
        labels, shares = spread_labels(neighborhood.graph, clustered)
        alone = isolated(core, neighborhood.distinct.unit, consecutive_ids(labels))
        left = np.where(alone, NOISE, clustered).astype(np.int32)
        sizes = np.bincount(left[left != NOISE], weights=times[left != NOISE], minlength=int(left.max(initial=0)) + 1)
        left[(left != NOISE) & (sizes[left] < smallest)] = NOISE
        if (left == clustered).all():
            break
        clustered = left
    unsure = raw & (shares < _MIN_SHARE)
    near = silhouettes(neighborhood.distinct.unit, consecutive_ids(labels), np.flatnonzero(unsure))
    if near is not None:
        alone |= unsure & (np.nan_to_num(near, nan=-1.0) < 0.0)
    labels = np.where(alone, NOISE, labels).astype(np.int32)
    probabilities = np.where(raw, shares, taken.found.probabilities)
    # Moved out of a cluster that fell apart, a row has its neighbours' word only.
    probabilities = np.where((labels != taken.found.labels) & ~raw, shares, probabilities)
    probabilities = np.where(labels == NOISE, 0.0, np.clip(probabilities, 0.0, 1.0))
    persistence: dict[int, float | None] = {
        int(label): taken.found.persistence.get(int(label)) for label in np.unique(labels) if label != NOISE
    }
    return raw, labels, probabilities, persistence


def _by_means(distinct: DistinctRows, seed: int) -> np.ndarray:
    """The ladder's last step: k-means over the distinct rows."""
    return by_means(distinct.unit, replace(distinct, of_row=np.arange(len(distinct.unit))), 3, _MOST_MEANS, seed).labels


def group_by_means(unit: np.ndarray, params: ClusteringParams) -> Grouping:
    """Version 1: k-means in 50 principal components, k by silhouette over all rows of `unit` (n, d)."""
    found = by_means(unit, deduplicate(unit), params.k_min, params.k_max, params.seed)
    return Grouping(
        labels=found.labels,
        raw_noise=np.zeros(len(unit), bool),
        probabilities=np.ones(len(unit)),
        outlier_scores=None,
        persistence={},
        quality={"optimal_k": found.optimal_k, "inertia": found.inertia},
        effective=found.effective,
        path=("kmeans",),
    )
