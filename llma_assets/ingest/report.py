"""What one ingest did. Counts only: the rows themselves are in the lake."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from llma_assets.ingest.quarantine import QuarantineReason


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Outcome of `ingest_file`.

    Attributes:
        ingest_id: first 16 hex digits of the SHA-256 of the file's bytes.
        source_file: the file's name without its folder.
        rows_read: rows that were not blank; each was either kept or quarantined.
        quarantined_by_reason: rows by reason, commonest first.
        values_nulled: values in kept rows that were wrong (negative, not finite, not a number).
        timestamps_naive: timestamps in kept rows without a zone, taken as UTC.
        rows_repaired: kept rows with text that was not Unicode; it became U+FFFD.
        dates: UTC days that got rows, oldest first.
        rows_by_date: kept rows a day, oldest first; duplicate deliveries count each.
        already_ingested: these bytes were ingested before and nothing was changed. The two counts
            `timestamps_naive` and `rows_repaired` are not stored and then are 0.
    """

    ingest_id: str
    source_file: str
    rows_read: int
    rows_kept: int
    rows_quarantined: int
    quarantined_by_reason: Mapping[QuarantineReason, int]
    values_nulled: int
    timestamps_naive: int
    rows_repaired: int
    dates: tuple[date, ...]
    rows_by_date: Mapping[date, int]
    already_ingested: bool
