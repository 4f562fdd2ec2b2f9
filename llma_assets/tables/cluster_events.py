"""cluster_events: one row an event."""

from llma_assets.tables.columns import Int32, PartitionColumns, Timestamp
from llma_assets.tables.table import Table


class ClusterEventRow(PartitionColumns):
    """An event, or a numbered part of one."""

    clustering_run_id: str
    part: Int32
    parts: Int32
    uuid: str
    event: str
    distinct_id: str
    timestamp: Timestamp
    properties: str


CLUSTER_EVENTS = Table("cluster_events", ClusterEventRow)
