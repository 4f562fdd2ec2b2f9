"""cluster_assignments: one row a clustering run."""

from typing import TypedDict

from llma_assets.tables.columns import Float32, Int32, PartitionColumns, Timestamp
from llma_assets.tables.table import Table


class ClusterRow(TypedDict):
    """A cluster of a clustering run."""

    cluster_id: Int32
    size: int
    centroid: list[Float32]
    centroid_x: float
    centroid_y: float
    exemplars: list[str]
    persistence: float | None
    silhouette: float | None
    theme_id: Int32 | None


class ClusterItemRow(TypedDict):
    """An item of a clustering run."""

    item_id: str
    trace_id: str
    generation_id: str | None
    trace_timestamp: Timestamp
    cluster_id: Int32
    probability: float
    outlier_score: float
    distance_to_centroid: float
    rank: int
    x: float
    y: float
    # False for an item that was assigned to the clusters of the sample.
    is_learned: bool | None
    # What the method left out; in a cluster all the same, it is a borderline item.
    raw_noise: bool | None


class LadderStepRow(TypedDict):
    """What one step of the ladder against collapse found."""

    name: str
    clusters: int
    largest_share: float
    silhouette: float | None


class ClusteringRunRow(PartitionColumns):
    """One row a clustering run, its clusters and items nested: one file, so a reader can never see the clusters of
    one run beside the items of another.
    """

    clustering_run_id: str
    level: str
    job_id: str
    job_name: str
    window_start: Timestamp
    window_end: Timestamp
    status: str
    reason: str | None
    min_items: int
    items_in_window: int
    # Items left out because another model made their vectors.
    items_other_model: int
    # All of the window that have a cluster or are noise: the sample that was learned from, and the rest.
    items_analyzed: int
    items_learned: int | None
    items_clustered: int
    items_noise: int
    # Left out by the method, and given to the cluster that their neighbours lead to.
    items_borderline: int | None
    noise_share: float | None
    raw_noise_share: float | None
    largest_share: float | None
    # Mean cosine distance between any two items.
    diversity: float | None
    method: str
    # JSON of every effective parameter.
    params: str
    seed: int
    algorithm_version: str
    embedding_model: str | None
    silhouette: float | None
    # On the layout that the clusters were found in: how far apart they look.
    layout_silhouette: float | None
    relative_validity: float | None
    mean_persistence: float | None
    # Adjusted Rand index with the clusters of seeded half-samples.
    stability: float | None
    themes: int | None
    theme_stability: float | None
    optimal_k: int | None
    inertia: float | None
    guard_path: list[str]
    # What each step of the ladder against collapse found, up to the one where it stopped.
    ladder: list[LadderStepRow] | None
    # JSON list of the clustering job's filters, each as it is written.
    job_filters: str | None
    # Of which items are in which cluster; labels carry the hash of the clusters that they name.
    content_hash: str
    clusters: list[ClusterRow]
    items: list[ClusterItemRow]


CLUSTER_ASSIGNMENTS = Table("cluster_assignments", ClusteringRunRow)
