"""HDBSCAN over the spectral embedding: how many clusters there are, and what belongs to none."""

import math
from dataclasses import dataclass

import numpy as np

from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.quality import mean_silhouette
from llma_assets.clustering.reduction import component_count, spectral
from llma_assets.clustering.result import NOISE, ClusteringParams
from llma_assets.clustering.vectors import Folded

# Smallest share of the items that counts as a cluster: fine topics (.01 gives about 40 of them).
_MIN_CLUSTER_SHARE = 0.005
_MIN_CLUSTER_SIZE = 5
# What tells groups from the chance clumps of structureless data. The best cluster must outlive this share of
# the density range; below the second figure the clusters must also be apart by this silhouette (cosine, on the
# original vectors). Uniform points on a sphere, 176 draws of 30 to 500 points in 384 and 1,536 dimensions:
# persistence up to .16, silhouette up to .044, none passes. Draws of 60 to 500 from three real sets of
# traces and queries: persistence .08 to .91, silhouette from .047, all pass. Unrelated prompts: some do.
MIN_PERSISTENCE = 0.05
CLEAR_PERSISTENCE = 0.2
MIN_SILHOUETTE = 0.05
# Up to here all pairwise distances fit in memory (8 n² bytes, 128 MB), three times as fast as the tree.
_PAIRWISE_LIMIT = 4000


@dataclass(frozen=True, slots=True)
class Density:
    """What HDBSCAN says about n rows.

    Attributes:
        labels: int32, shape (n,), `NOISE` or any other ids.
        probabilities, outlier_scores: float64, shape (n,).
        persistence: of each label ≥ 0; None for a group that only consists of copies.
        relative_validity: of the whole (Moulavi et al. 2014, as hdbscan approximates it), or None.
        layout: shape (m, c), the space it was found in, for the distinct vectors.
        structure: False where no group stands out, so that all is noise.
        effective: parameters as used.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray
    persistence: dict[int, float | None]
    relative_validity: float | None
    layout: np.ndarray
    structure: bool
    effective: dict[str, int | float | str]


def neighbor_count(distinct: int, wanted: int) -> int:
    """Neighbours in the graph: `wanted`, but no more than log₂ n + 1.

    In a group of eight, fifteen neighbours are mostly strangers. Over a fixed 15 this gained .04 AMI at 20 to
    250 points (mean of 20 sets) and .02 at 300 to 2,000 (mean of 6).
    """
    return max(1, min(wanted, math.ceil(math.log2(max(distinct, 2))) + 1, distinct - 1))


def by_density(folded: Folded, params: ClusteringParams) -> Density:
    """Cluster distinct vectors by density, then give each copy the place of its original."""
    distinct = len(folded.unit)
    smallest = params.min_cluster_size or max(_MIN_CLUSTER_SIZE, math.ceil(_MIN_CLUSTER_SHARE * distinct))
    neighbors = neighbor_count(distinct, params.n_neighbors)
    components = component_count(distinct)
    effective: dict[str, int | float | str] = {
        "min_cluster_size": smallest,
        "min_samples": params.min_samples,
        "cluster_selection_method": "eom",
        "cluster_selection_epsilon": 0.0,
        "min_persistence": MIN_PERSISTENCE,
        "min_silhouette": MIN_SILHOUETTE,
        "reduction": "spectral",
        "graph": "adaptive_gaussian_knn",
        "n_neighbors": neighbors,
        "n_components": components,
    }
    if distinct <= max(smallest, 3):
        # Too few different points for a density; only copies of one text can still form a group.
        found = _Found.nothing(distinct)
        layout = folded.unit.astype(np.float64)
    else:
        indices, distances = nearest(folded.unit, neighbors)
        layout = spectral(indices, distances, components, params.seed)
        found = _hdbscan(layout, smallest, params.min_samples)
        if not _stands_out(found, folded.unit):
            found = _Found.nothing(distinct, found.outlier_scores)
    labels = found.labels.copy()
    probabilities = found.probabilities.copy()
    persistence: dict[int, float | None] = dict(found.persistence)
    for row in np.flatnonzero((labels == NOISE) & (folded.copies >= smallest)):
        label = len(persistence)
        labels[row], probabilities[row], persistence[label] = label, 1.0, None
    return Density(
        labels=labels[folded.of_row],
        probabilities=probabilities[folded.of_row],
        outlier_scores=found.outlier_scores[folded.of_row],
        persistence=persistence,
        relative_validity=found.relative_validity,
        layout=layout,
        structure=bool((labels != NOISE).any()),
        effective=effective,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    labels: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray
    persistence: dict[int, float]
    relative_validity: float | None

    @classmethod
    def nothing(cls, size: int, outlier_scores: np.ndarray | None = None) -> "_Found":
        scores = np.zeros(size) if outlier_scores is None else outlier_scores
        return cls(np.full(size, NOISE, np.int32), np.zeros(size), scores, {}, None)


def _stands_out(found: _Found, unit: np.ndarray) -> bool:
    best = max(found.persistence.values(), default=0.0)
    if best < MIN_PERSISTENCE:
        return False
    return best >= CLEAR_PERSISTENCE or (mean_silhouette(unit, found.labels) or 0.0) >= MIN_SILHOUETTE


def _hdbscan(points: np.ndarray, min_cluster_size: int, min_samples: int) -> _Found:
    import hdbscan

    model = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min(min_samples, len(points) - 1),
        cluster_selection_method="eom",
        algorithm="generic" if len(points) <= _PAIRWISE_LIMIT else "prims_kdtree",
        approx_min_span_tree=False,
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    ).fit(points)
    labels = model.labels_.astype(np.int32)
    outliers = np.clip(np.nan_to_num(model.outlier_scores_, nan=0.0, posinf=1.0), 0.0, 1.0)
    persistence = {label: float(value) for label, value in enumerate(np.nan_to_num(model.cluster_persistence_))}
    validity = float(model.relative_validity_) if len(persistence) > 1 else None
    return _Found(labels, np.nan_to_num(model.probabilities_), outliers, persistence, validity)
