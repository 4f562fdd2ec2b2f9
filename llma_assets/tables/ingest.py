"""What `llma ingest` writes: events, rows that cannot be kept, and the ledger of files."""

from datetime import date
from typing import TypedDict

from llma_assets.tables.columns import PartitionColumns, Timestamp
from llma_assets.tables.table import Layout, Table


class TraceEventRow(PartitionColumns):
    """A delivery of an event."""

    uuid: str
    event: str
    distinct_id: str
    timestamp: Timestamp
    trace_id: str
    span_id: str | None
    parent_id: str | None
    session_id: str | None
    name: str | None
    model: str | None
    provider: str | None
    # Input tokens include cached ones, whichever way the SDK reported them.
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    latency_s: float | None
    is_error: bool
    # True where `vocabulary.OWN_TRAFFIC_PROPERTY` is among the properties: a call that this
    # pipeline made itself, which must never enter a team's clusters.
    is_own: bool
    # Canonical JSON (sorted keys, valid UTF-8) of the event's properties.
    properties: str
    # First 8 bytes of a SHA-256 over everything above that the sender decides.
    content_hash: int
    ingest_id: str
    ingested_at: Timestamp


TRACE_EVENTS = Table("trace_events", TraceEventRow, Layout.INGEST)


class QuarantineRow(TypedDict):
    """A row that could not be kept."""

    team_id: str
    ingest_id: str
    source_file: str
    line_number: int
    reason: str
    detail: str
    # The rejected row itself, so that nothing is lost; bytes beyond the cap are counted in detail.
    raw: str


QUARANTINE = Table("quarantine", QuarantineRow, Layout.INGEST)


class IngestRow(TypedDict):
    """A file that was ingested."""

    team_id: str
    ingest_id: str
    source_file: str
    sha256: str
    bytes: int
    rows_read: int
    rows_kept: int
    rows_quarantined: int
    values_nulled: int
    dates: list[date]
    ingested_at: Timestamp


INGESTS = Table("ingests", IngestRow, Layout.INGEST)
