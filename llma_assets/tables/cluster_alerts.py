"""cluster_alerts: one row a finding."""

from datetime import date

from llma_assets.tables.columns import Int32, PartitionColumns
from llma_assets.tables.table import Table


class ClusterAlertRow(PartitionColumns):
    """What somebody should be told of a day's clusters. A finding that lasts is on every day, under the same
    alert_id.
    """

    alert_id: str
    kind: str
    # What it was found of: a lineage id, a level (and clustering job), or the first day of a gap.
    subject: str
    since: date
    level: str | None
    clustering_run_id: str | None
    cluster_id: Int32 | None
    lineage_id: str | None
    title: str | None
    text: str
    # JSON object of the numbers by name, the limit among them.
    figures: str
    # The minimum of distinct users that its title meets; null or 0 where there was none.
    min_users: int | None


CLUSTER_ALERTS = Table("cluster_alerts", ClusterAlertRow)
