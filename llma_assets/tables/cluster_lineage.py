"""cluster_lineage: one row an edge between two clusters, or to none."""

from datetime import date

from llma_assets.tables.columns import Int32, PartitionColumns
from llma_assets.tables.table import Table


class LineageEdgeRow(PartitionColumns):
    """One row an edge between a cluster of a clustering run and one of the earlier run that it is compared with."""

    clustering_run_id: str
    level: str
    job_id: str
    # Of the runs as they were compared: an edge between other clusters than the present ones is not followed.
    content_hash: str
    change: str
    # Null for a cluster that died.
    cluster_id: Int32 | None
    size: int | None
    # Null where there is no run to compare with; `reason` says why.
    earlier_clustering_run_id: str | None
    earlier_date: date | None
    earlier_content_hash: str | None
    # Null for a cluster that was born.
    earlier_cluster_id: Int32 | None
    earlier_size: int | None
    # members, or centroids where the members say nothing.
    basis: str | None
    # These count only items that both runs looked at.
    shared_items: int | None
    jaccard: float | None
    share: float | None
    earlier_share: float | None
    centroid_cosine: float | None
    reason: str | None


CLUSTER_LINEAGE = Table("cluster_lineage", LineageEdgeRow)
