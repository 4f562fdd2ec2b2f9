"""HDBSCAN over places: how many clusters there are, and what belongs to none."""

from dataclasses import dataclass

import numpy as np

from llma_assets.clustering.result import NOISE

# How far copies are spread around their original, as a share of the way to its nearest neighbour.
_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class Density:
    """What HDBSCAN says about m places.

    Attributes:
        labels: int32, shape (m,), `NOISE` or 0, 1, ….
        probabilities: float64, shape (m,), strength of membership; 0 for noise.
        outlier_scores: float64, shape (m,), GLOSH over the places.
        persistence: of each label ≥ 0.
        relative_validity: of the whole (Moulavi et al. 2014, as hdbscan approximates it), or None.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray
    persistence: dict[int, float]
    relative_validity: float | None


@dataclass(frozen=True, slots=True)
class Selection:
    """How clusters are chosen from HDBSCAN's tree.

    Attributes:
        method: "eom", by excess of mass, or "leaf", the finest.
        max_share: largest share of all points that one cluster may hold; None for any.
    """

    method: str = "eom"
    max_share: float | None = None


@dataclass(frozen=True, slots=True)
class WeightedPoints:
    """Places to cluster, each as often as it counts.

    A text that was sent more often than others has to count as a group, and must not outweigh all others: it comes as
    `relative_copies` says, at most as `min_cluster_size` points, spread a little, because points at distance 0 are
    infinitely dense (docs/decisions/0004-texts-count-by-copies.md).

    Attributes:
        points: float64, shape (p, c), p ≥ m.
        first: int64, shape (m,), the point that stands for each place.
    """

    points: np.ndarray
    first: np.ndarray
    min_cluster_size: int
    min_samples: int

    @classmethod
    def of(
        cls, places: np.ndarray, copies: np.ndarray, reach: np.ndarray, min_cluster_size: int, min_samples: int
    ) -> "WeightedPoints":
        """Points for `places` (m, c), each `copies` (m,) times; `reach` (m,) is the distance to the nearest other."""
        times = np.minimum(copies, min_cluster_size)
        first = np.cumsum(times) - times
        points = np.repeat(places.astype(np.float64), times, axis=0)
        # A fixed pattern, the same for every run.
        jitter = np.random.default_rng(0).standard_normal(points.shape)
        jitter *= np.repeat(reach * (times > 1) * _SPREAD, times)[:, None]
        jitter[first] = 0.0
        return cls(points + jitter, first, min_cluster_size, min(min_samples, max(len(points) - 1, 1)))


def relative_copies(copies: np.ndarray) -> np.ndarray:
    """How often each text was sent, over how often that of the median other item was: int64, shape (m,), at least 1.

    Where everything was sent several times, to several models say, the texts are those sent once. The other rules that
    were measured are in docs/decisions/0004-texts-count-by-copies.md.
    """
    order = np.argsort(copies, kind="stable")
    ordered = copies[order]
    items, place = np.cumsum(ordered), np.arange(len(copies))
    half = (ordered.sum() - ordered) / 2
    median = np.searchsorted(items, half)
    # From its own place on the items before a place are its own, too.
    median = np.where(median < place, median, np.searchsorted(items, half + ordered))
    typical = ordered[np.minimum(median, len(copies) - 1)]
    times = np.empty(len(copies), np.int64)
    times[order] = np.maximum(np.round(ordered / typical), 1)
    return times


def by_density(points: WeightedPoints, selection: Selection) -> Density:
    """Cluster at least two points; the result has one entry for each place."""
    import hdbscan

    size = len(points.points)
    largest = 0 if selection.max_share is None else max(int(size * selection.max_share), points.min_cluster_size)
    model = hdbscan.HDBSCAN(
        min_cluster_size=points.min_cluster_size,
        min_samples=points.min_samples,
        cluster_selection_method=selection.method,
        max_cluster_size=largest,
        algorithm="boruvka_kdtree",
        approx_min_span_tree=False,
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    ).fit(points.points)
    # Copies alone can make a cluster, and then no place is in it.
    present, labels = np.unique(model.labels_[points.first], return_inverse=True)
    labels = labels.astype(np.int32) - np.int32(present[0] == NOISE)
    found = np.nan_to_num(model.cluster_persistence_)[present[present != NOISE]]
    persistence = {label: float(value) for label, value in enumerate(found)}
    validity = float(model.relative_validity_) if len(persistence) > 1 else None
    return Density(
        labels=labels,
        probabilities=np.nan_to_num(model.probabilities_)[points.first],
        outlier_scores=np.clip(np.nan_to_num(model.outlier_scores_, nan=0.0, posinf=1.0), 0.0, 1.0)[points.first],
        persistence=persistence,
        relative_validity=validity,
    )
