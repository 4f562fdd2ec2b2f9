"""Timestamps of unknown senders as UTC microseconds. Pure."""

import re
from datetime import UTC, datetime, timedelta

from llma_assets.ingest.quarantine import QuarantineReason, RowRejected, shown

US_PER_DAY = 86_400_000_000
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(hours=24)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_US = timedelta(microseconds=1)
# Nine digits or more are an epoch; eight are a date (20250102).
_EPOCH_DIGITS = re.compile(r"[0-9]{9,20}(\.[0-9]{1,9})?", re.ASCII)
# Upper ends of seconds, milliseconds and microseconds: each magnitude covers 1973 to 5138.
_SECONDS_BELOW, _MILLIS_BELOW, _MICROS_BELOW, _NANOS_BELOW = 10**11, 10**14, 10**17, 10**20


def to_us(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime."""
    return (moment - _EPOCH) // _ONE_US


def parse_timestamp(value: object) -> tuple[int, bool]:
    """UTC microseconds of an ISO 8601 text, or of an epoch in s, ms, µs or ns (told by its magnitude).

    Returns:
        The microseconds, and whether the text had no zone and was taken as UTC.

    Raises:
        RowRejected: missing_timestamp or invalid_timestamp.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return _other_text(value)
        if moment.tzinfo is None:
            return to_us(moment.replace(tzinfo=UTC)), True
        return to_us(moment), False
    if value is None:
        raise RowRejected(QuarantineReason.MISSING_TIMESTAMP, "timestamp is absent or null")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _epoch(value, value), False
    raise RowRejected(QuarantineReason.INVALID_TIMESTAMP, f"timestamp: {shown(value)} is not a text or a number")


def _other_text(value: str) -> tuple[int, bool]:
    text = value.strip()
    if not text:
        raise RowRejected(QuarantineReason.MISSING_TIMESTAMP, "timestamp is empty")
    if match := _EPOCH_DIGITS.fullmatch(text):
        return _epoch(float(text) if match[1] else int(text), value), False
    # Lower-case marks, spaces around the text or before the zone (SQL dumps) are worth one more try.
    again = re.sub(r"\s+(?=[+-]\d|UTC$|Z$)", "", text.upper()).removesuffix("UTC")
    zone = "Z" if text.upper().endswith("UTC") else ""
    if again + zone == value:
        raise RowRejected(QuarantineReason.INVALID_TIMESTAMP, f"timestamp: {shown(value)} is not ISO 8601")
    try:
        moment = datetime.fromisoformat(again + zone)
    except ValueError:
        raise RowRejected(QuarantineReason.INVALID_TIMESTAMP, f"timestamp: {shown(value)} is not ISO 8601") from None
    naive = moment.tzinfo is None
    return to_us(moment.replace(tzinfo=UTC) if naive else moment), naive


def _epoch(number: int | float, value: object) -> int:
    size = abs(number)
    if size < _SECONDS_BELOW:
        return round(number * 1_000_000)
    if size < _MILLIS_BELOW:
        return round(number * 1_000)
    if size < _MICROS_BELOW:
        return round(number)
    if size < _NANOS_BELOW:
        return int(number) // 1_000
    # NaN and infinity end here too: they compare as not below anything.
    raise RowRejected(QuarantineReason.INVALID_TIMESTAMP, f"timestamp: {shown(value)} is no epoch in s, ms, us or ns")
