"""cluster_metrics: one row a cluster, a theme and a clustering run."""

from typing import TypedDict

from llma_assets.tables.columns import Int32, PartitionColumns
from llma_assets.tables.table import Table


class UsedRow(TypedDict):
    """A model or tool among the items of a group, with its share of the items."""

    name: str | None
    items: int | None
    share: float | None
    # This share over the share in the rest of the run; null where the rest has none.
    lift: float | None


class LiftRow(TypedDict):
    """A group's figure over that of the rest of its run; null where either is not known, or the rest's is 0."""

    avg_cost: float | None
    avg_latency: float | None
    p95_latency: float | None
    avg_tokens: float | None
    avg_generations: float | None
    cost_per_million_tokens: float | None
    error_rate: float | None


class GroupColumns(PartitionColumns):
    """What names a group of a clustering run."""

    clustering_run_id: str
    level: str
    # Of the run as it was measured.
    content_hash: str
    # cluster, theme or run
    kind: str
    cluster_id: Int32 | None
    # Of a cluster's row: the theme that it is in.
    theme_id: Int32 | None


class FigureColumns(TypedDict):
    """What can be said of the items of a group without any others."""

    item_count: int
    # Dollars.
    avg_cost: float | None
    total_cost: float | None
    # Seconds.
    avg_latency: float | None
    p50_latency: float | None
    p95_latency: float | None
    avg_tokens: float | None
    total_tokens: int | None
    avg_generations: float | None
    # Dollars, over the items of which both are known: with these, avg_cost is tokens times price.
    cost_per_million_tokens: float | None
    error_count: int
    error_rate: float | None


class MetricColumns(FigureColumns):
    """What the items of a group took."""

    # Users known; where the sender named none, 0.
    distinct_users: int
    models: list[UsedRow]
    tools: list[UsedRow]
    lift: LiftRow


class ClusterMetricsRow(GroupColumns, MetricColumns):
    """One row a clustering run × (each cluster, noise included | each theme | the run)."""


CLUSTER_METRICS = Table("cluster_metrics", ClusterMetricsRow)
