"""From one parsed row of an input file to one row of `trace_events`, or the reason why not. Pure."""

import hashlib
import re
import uuid
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from llma_assets.ingest.fields import MAX_LATENCY_S, Fields
from llma_assets.ingest.json_rows import canonical, parse
from llma_assets.ingest.limits import Limits
from llma_assets.ingest.quarantine import QuarantineReason, RowRejected, shown
from llma_assets.ingest.timestamps import EARLIEST, LATEST_AHEAD, US_PER_DAY, parse_timestamp, to_us
from llma_assets.vocabulary import CUSTOMER_EVENTS, OWN_TRAFFIC_PROPERTY

MAX_UUID_CHARS = 200
MAX_EVENT_CHARS = 200
MAX_ID_CHARS = 1_000

# A name space of our own, so that an event without a uuid gets the same one on every delivery.
_UUID_NAMESPACE = uuid.UUID("6c1b3f0e-58c2-5d8e-9f6a-0b7f2a64d1c9")
_CUSTOMER_EVENTS = frozenset(CUSTOMER_EVENTS)
# Control characters and the two Unicode line ends: legal in no identifier, harmful in every log.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class EventRow(NamedTuple):
    """The columns of `trace_events` that one event decides, in the table's order."""

    uuid: str
    event: str
    distinct_id: str
    timestamp: int
    trace_id: str
    span_id: str | None
    parent_id: str | None
    session_id: str | None
    name: str | None
    model: str | None
    provider: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    latency_s: float | None
    is_error: bool
    is_own: bool
    properties: bytes
    content_hash: int


class EventRows:
    """Builds event rows and counts what had to be changed.

    Attributes:
        values_nulled: values of kept rows that were there but wrong.
        timestamps_naive: timestamps of kept rows without a zone, taken as UTC.
        rows_repaired: kept rows with text that was not Unicode and became U+FFFD.
    """

    def __init__(self, ingested_at: datetime, limits: Limits):
        self.values_nulled = self.timestamps_naive = self.rows_repaired = 0
        self._limits = limits
        self._earliest, self._latest = to_us(EARLIEST), to_us(ingested_at + LATEST_AHEAD)

    def from_json(self, raw: bytes) -> EventRow:
        """The row of one JSON document.

        Raises:
            RowRejected: it cannot be kept.
        """
        parsed = parse(raw, self._limits)
        return self.from_object(parsed.value, parsed.repaired, parsed.nulled)

    def from_object(self, item: Any, repaired: bool = False, nulled: int = 0) -> EventRow:
        """The row of one event that is parsed already; `properties` may be an object or its JSON text.

        Raises:
            RowRejected: it cannot be kept.
        """
        if type(item) is not dict:
            raise RowRejected(QuarantineReason.NOT_AN_OBJECT, f"{shown(item)} is not a JSON object")
        event = _event(item.get("event"))
        properties = item.get("properties")
        if type(properties) is str:
            parsed = self._nested(properties)
            properties, repaired, nulled = parsed.value, repaired or parsed.repaired, nulled + parsed.nulled
        if properties is None:
            properties = {}
        if type(properties) is not dict:
            raise RowRejected(QuarantineReason.INVALID_PROPERTIES, f"properties: {shown(properties)} is not an object")
        trace_id = _trace_id(properties.get("$ai_trace_id"), required=event in _CUSTOMER_EVENTS)
        timestamp, naive = parse_timestamp(item.get("timestamp"))
        if not self._earliest <= timestamp <= self._latest:
            raise RowRejected(
                QuarantineReason.TIMESTAMP_OUT_OF_RANGE,
                f"timestamp: {shown(item['timestamp'])} is before 2020-01-01 or over 24 h after the ingest",
            )
        fields = Fields(properties)
        row = self._row(item, event, trace_id, timestamp, properties, fields)
        self.values_nulled += fields.nulled + nulled
        self.timestamps_naive += naive
        self.rows_repaired += repaired
        return row

    def _nested(self, properties: str) -> Any:
        try:
            return parse(properties.encode(), self._limits)
        except RowRejected as error:
            if error.reason is QuarantineReason.INVALID_JSON:
                raise RowRejected(QuarantineReason.INVALID_PROPERTIES, f"properties: {error.detail}") from None
            raise

    def _row(
        self,
        item: dict[str, Any],
        event: str,
        trace_id: str,
        timestamp: int,
        properties: dict[str, Any],
        fields: Fields,
    ) -> EventRow:
        text = canonical(properties)
        distinct_id = _distinct_id(item.get("distinct_id"), trace_id, fields)
        digest = hashlib.sha256(orjson.dumps([event, distinct_id, timestamp]))
        digest.update(text)
        provider = fields.text("$ai_provider")
        return EventRow(
            uuid=_uuid(item.get("uuid"), digest.hexdigest()),
            event=event,
            distinct_id=distinct_id,
            timestamp=timestamp,
            trace_id=trace_id,
            span_id=fields.text("$ai_span_id"),
            parent_id=fields.text("$ai_parent_id"),
            session_id=fields.text("$ai_session_id"),
            name=fields.text("$ai_span_name") or fields.text("$ai_trace_name"),
            model=fields.text("$ai_model"),
            provider=provider,
            input_tokens=fields.input_tokens(provider),
            output_tokens=fields.tokens("$ai_output_tokens"),
            cost_usd=fields.cost_usd(),
            latency_s=fields.number("$ai_latency", MAX_LATENCY_S),
            is_error=bool(fields.boolean("$ai_is_error")),
            is_own=OWN_TRAFFIC_PROPERTY in properties,
            properties=text,
            content_hash=int.from_bytes(digest.digest()[:8], "big", signed=True),
        )


def day_of(row: EventRow) -> int:
    """Days from 1970-01-01 to the row's UTC day."""
    return row.timestamp // US_PER_DAY


def _event(value: object) -> str:
    if value is None or value == "":
        raise RowRejected(QuarantineReason.MISSING_EVENT, "event is absent or empty")
    if type(value) is not str or len(value) > MAX_EVENT_CHARS or not value.isprintable():
        raise RowRejected(
            QuarantineReason.INVALID_EVENT, f"event: {shown(value)} is not printable text of 1 to {MAX_EVENT_CHARS}"
        )
    if not value.startswith("$ai_"):
        raise RowRejected(QuarantineReason.NOT_AN_AI_EVENT, f"event: {shown(value)} does not start with $ai_")
    return value


def _trace_id(value: object, required: bool) -> str:
    """The trace id as it came: every printable character is legal and kept, case too."""
    if type(value) is int:
        return str(value)
    if value is None or (type(value) is str and (not value or value.isspace())):
        if required:
            raise RowRejected(QuarantineReason.MISSING_TRACE_ID, "$ai_trace_id is absent or blank")
        return ""
    if type(value) is not str or len(value) > MAX_ID_CHARS or _CONTROL.search(value):
        raise RowRejected(
            QuarantineReason.INVALID_TRACE_ID,
            f"$ai_trace_id: {shown(value)} is not text of 1 to {MAX_ID_CHARS} without control characters",
        )
    return value


def _distinct_id(value: object, trace_id: str, fields: Fields) -> str:
    """Who sent it; the trace id stands in for nobody, as in PostHog's own SDK."""
    if type(value) is int:
        return str(value)
    if type(value) is str and len(value) <= MAX_ID_CHARS:
        return value if value and not value.isspace() else trace_id
    if value is not None:
        fields.nulled += 1
    return trace_id


def _uuid(value: object, content: str) -> str:
    if value is None or (type(value) is str and (not value or value.isspace())):
        return str(uuid.uuid5(_UUID_NAMESPACE, content))
    if type(value) is not str or len(value) > MAX_UUID_CHARS or not value.isprintable():
        raise RowRejected(
            QuarantineReason.INVALID_UUID, f"uuid: {shown(value)} is not printable text of 1 to {MAX_UUID_CHARS}"
        )
    return value
