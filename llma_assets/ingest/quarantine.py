"""Why a row of an input file was not kept. Rejected rows are data: they go to `quarantine`. Pure."""

from enum import StrEnum

# A rejected row is kept whole up to here; of a longer one the first bytes, and its length in `detail`.
RAW_CAP_BYTES = 1 << 20
_DETAIL_CHARS = 300


class QuarantineReason(StrEnum):
    """Reason codes of the table `quarantine`."""

    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LONG = "too_long"
    TOO_DEEP = "too_deep"
    TOO_MANY_VALUES = "too_many_values"
    INVALID_UUID = "invalid_uuid"
    MISSING_EVENT = "missing_event"
    INVALID_EVENT = "invalid_event"
    NOT_AN_AI_EVENT = "not_an_ai_event"
    MISSING_TRACE_ID = "missing_trace_id"
    INVALID_TRACE_ID = "invalid_trace_id"
    MISSING_TIMESTAMP = "missing_timestamp"
    INVALID_TIMESTAMP = "invalid_timestamp"
    TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"
    INVALID_PROPERTIES = "invalid_properties"


class RowRejected(Exception):
    """One row cannot be kept. Never leaves `ingest_file`.

    Attributes:
        reason: the code that is stored and counted.
        detail: field, value and allowed range, on one line of printable ASCII.
    """

    def __init__(self, reason: QuarantineReason, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail[:_DETAIL_CHARS]


def shown(value: object) -> str:
    """A hostile value as short printable ASCII, for `detail` and for error messages."""
    if isinstance(value, str | bytes):
        return ascii(value[:80]) + (f" ({len(value)} long)" if len(value) > 80 else "")
    if isinstance(value, dict | list):
        return f"{type(value).__name__} of {len(value)}"
    return ascii(value)[:80]
