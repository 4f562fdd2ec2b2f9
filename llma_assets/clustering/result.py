"""Parameters and result of one clustering, as arrays in the order of the rows given."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llma_assets.vocabulary import ClusteringMethod

NOISE = -1
# Of an item that an earlier run did not look at.
UNSEEN = -2

# Raised whenever the same vectors, beside no earlier run, may get other clusters than before.
ALGORITHM_VERSION = "3"


@dataclass(frozen=True, slots=True)
class ClusteringParams:
    """What may be chosen for a clustering; None means: derived from the number of items.

    Attributes:
        method: hdbscan over our layout; kmeans, version 1; umap, the reference's recipe.
        min_cluster_size: hdbscan and umap; smallest group that counts as a cluster (distinct items).
        min_samples: hdbscan and umap; neighbours that make a point a core point.
        n_neighbors: most neighbours in the graph that the layout is made from.
        k_min, k_max: kmeans; range of cluster counts tried by silhouette.
        seed: every random choice comes from it, but for those of themes.
    """

    method: ClusteringMethod = "hdbscan"
    min_cluster_size: int | None = None
    min_samples: int = 5
    n_neighbors: int = 15
    k_min: int = 3
    k_max: int = 6
    seed: int = 42


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster. Noise is not one.

    Attributes:
        cluster_id: 0, 1, … by falling size, ties by the smallest row that it holds.
        centroid: mean of its members' unit vectors, float32, shape (d,).
        centroid_xy: mean place on the map.
        exemplars: rows of its most typical members, best first.
        theme_id: the theme that it belongs to: 0, 1, … by falling size.
        persistence: hdbscan's stability of the cluster; None for other methods, and where an earlier one was held to.
        silhouette: mean over members (cosine); None where it is not defined.
    """

    cluster_id: int
    size: int
    centroid: np.ndarray
    centroid_xy: tuple[float, float]
    exemplars: tuple[int, ...]
    theme_id: int
    persistence: float | None = None
    silhouette: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the ladder against collapse found.

    Attributes:
        name: eom, eom_capped, leaf or kmeans.
        clusters: how many.
        largest_share: of the learned items, in the largest of them.
        silhouette: mean (cosine); None with fewer than two clusters.
    """

    name: str
    clusters: int
    largest_share: float
    silhouette: float | None


@dataclass(frozen=True, slots=True)
class Clustering:
    """The outcome for n vectors; every array has length n and the order of the input rows.

    Attributes:
        labels: int32, cluster id or `NOISE`.
        is_learned: bool, whether the clusters were learned from the row; the others were assigned to them.
        raw_noise: bool, what the method itself left out. Where it has a cluster all the same, it is a borderline
            item, given to the cluster that its neighbours lead to.
        probabilities: float64 in [0, 1], strength of membership; 0 for noise. For borderline and for assigned rows, and
            for those that an earlier run's cluster took back, the share of their neighbours' weight in the cluster.
        outlier_scores: float64 in [0, 1], higher is more anomalous.
        distances: float64, cosine distance to the own centroid; for noise to the nearest one,
            and to the mean of all where there is no cluster.
        ranks: int64, 0 = nearest to the centroid within its cluster; for noise 0 = most anomalous.
        xy: float64, shape (n, 2), the map.
        quality: by name, as `quality.FIGURES` lists them; None where undefined.
        params: every effective parameter, JSON-ready.
        guard_path: the steps taken, such as ("eom",); "held" at the end where clusters of an earlier run stayed.
        steps: what each step of the ladder found, up to the one where it stopped.
    """

    labels: np.ndarray
    is_learned: np.ndarray
    raw_noise: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray
    distances: np.ndarray
    ranks: np.ndarray
    xy: np.ndarray
    clusters: tuple[Cluster, ...]
    quality: dict[str, float | int | None]
    params: dict[str, Any]
    guard_path: tuple[str, ...] = field(default=())
    steps: tuple[Step, ...] = field(default=())
