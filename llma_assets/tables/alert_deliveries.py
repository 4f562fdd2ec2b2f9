"""alert_deliveries: one row a finding that is told."""

from datetime import date

from llma_assets.tables.columns import Int32, PartitionColumns, Timestamp
from llma_assets.tables.table import Table


class AlertDeliveryRow(PartitionColumns):
    """What became of telling it. The partition is that of the finding's `since`, so that an alert_id has one place."""

    alert_id: str
    kind: str
    found_date: date
    # pending, sending (written before each attempt), retrying, delivered, or dead: given up for the reason `error`.
    status: str
    attempts: Int32
    # Of the receiver's last answer; null where there was none.
    status_code: Int32 | None
    error: str | None
    # JSON of what is sent, without what the format makes of it.
    message: str
    recorded_at: Timestamp
    attempted_at: Timestamp | None
    next_attempt_at: Timestamp | None
    delivered_at: Timestamp | None
    # Of the finding.
    min_users: int | None


ALERT_DELIVERIES = Table("alert_deliveries", AlertDeliveryRow)
