"""The reference's recipe, for those who want its clusters: UMAP to 100 dimensions, then HDBSCAN on 2 % of the items.

Needs the extra `umap`. The neighbours are ours, exact and computed once.
"""

import math
import warnings

import numpy as np

from llma_assets.clustering.density import Selection, WeightedPoints, by_density
from llma_assets.clustering.grouping import Grouping
from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.result import NOISE, ClusteringParams
from llma_assets.clustering.vectors import deduplicate
from llma_assets.errors import InputRejected

_COMPONENTS = 100
_NEIGHBORS = 15
_MIN_CLUSTER_SHARE = 0.02
_MIN_CLUSTER_SIZE = 5
# UMAP's own start needs more rows than neighbours and components.
_MIN_ROWS = 20


def group_by_reference(unit: np.ndarray, params: ClusteringParams) -> Grouping:
    """What PostHog's recipe finds in `unit` (n, d): no guard, no assignment of noise.

    Raises:
        InputRejected: the extra `umap` is not installed.
    """
    distinct = deduplicate(unit)
    size = len(distinct.unit)
    smallest = params.min_cluster_size or max(_MIN_CLUSTER_SIZE, math.ceil(_MIN_CLUSTER_SHARE * size))
    components = min(_COMPONENTS, max(size - 2, 1))
    effective = {
        "reduction": "umap",
        "n_components": components,
        "n_neighbors": _NEIGHBORS,
        "min_dist": 0.0,
        "min_cluster_size": smallest,
        "min_samples": params.min_samples,
        "cluster_selection_method": "eom",
    }
    if size < _MIN_ROWS:
        nothing = np.full(len(unit), NOISE, np.int32)
        return Grouping(
            nothing, nothing == NOISE, np.zeros(len(unit)), np.zeros(len(unit)), {}, {}, effective, ("eom",)
        )
    reduced = _reduced(distinct.unit, components, params.seed)
    once = np.ones(size, np.int64)
    found = by_density(WeightedPoints.of(reduced, once, np.zeros(size), smallest, params.min_samples), Selection())
    return Grouping(
        labels=found.labels[distinct.of_row],
        raw_noise=(found.labels == NOISE)[distinct.of_row],
        probabilities=found.probabilities[distinct.of_row],
        outlier_scores=found.outlier_scores[distinct.of_row],
        persistence=dict(found.persistence),
        quality={"relative_validity": found.relative_validity},
        effective=effective,
        path=("eom",),
    )


def _reduced(unit: np.ndarray, components: int, seed: int) -> np.ndarray:
    try:
        import umap
    except ImportError as error:
        raise InputRejected("method is 'umap', which needs the extra: pip install 'llma-assets[umap]'") from error
    indices, distances = nearest(unit, _NEIGHBORS - 1)
    rows = np.arange(len(unit))[:, None]
    # UMAP counts a row among its own neighbours.
    known = (np.hstack([rows, indices]), np.hstack([np.zeros((len(unit), 1)), distances]))
    model = umap.UMAP(
        n_components=components,
        n_neighbors=_NEIGHBORS,
        min_dist=0.0,
        metric="cosine",
        random_state=seed,
        n_jobs=1,
        force_approximation_algorithm=True,
        precomputed_knn=(known[0].astype(np.int32), known[1].astype(np.float32)),
    )
    with warnings.catch_warnings():
        # That new rows could not be transformed: none will be.
        warnings.simplefilter("ignore")
        return np.asarray(model.fit_transform(unit), dtype=np.float64)
