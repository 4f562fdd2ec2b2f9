"""B9: every way to write a moment ends at the same microsecond, or is refused with a reason."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.ingest.quarantine import QuarantineReason, RowRejected
from llma_assets.ingest.timestamps import parse_timestamp, to_us

MOMENT = datetime(2025, 6, 1, 5, 29, 16, 123456, tzinfo=UTC)
US = to_us(MOMENT)


@pytest.mark.parametrize(
    ("value", "us", "naive"),
    [
        ("2025-06-01T05:29:16.123456Z", US, False),
        ("2025-06-01T05:29:16.123456+00:00", US, False),
        ("2025-06-01T10:59:16.123456+05:30", US, False),
        ("2025-05-31T19:29:16.123456-10:00", US, False),
        ("2025-06-01T05:29:16.123456789Z", US, False),
        ("2025-06-01T05:29:16.123Z", US - 456, False),
        ("2025-06-01 05:29:16.123456", US, True),
        ("2025-06-01 05:29:16.123456+00", US, False),
        ("2025-06-01 05:29:16.123456 UTC", US, False),
        ("2025-06-01 05:29:16.123456 +0000", US, False),
        (" 2025-06-01t05:29:16.123456z ", US, False),
        ("2025-06-01", to_us(datetime(2025, 6, 1, tzinfo=UTC)), True),
        ("20250601", to_us(datetime(2025, 6, 1, tzinfo=UTC)), True),
        (1_748_755_756, US - 123_456, False),
        (1_748_755_756.123456, US, False),
        (1_748_755_756_123, US - 456, False),
        (1_748_755_756_123_456, US, False),
        (1_748_755_756_123_456_789, US, False),
        ("1748755756", US - 123_456, False),
        ("1748755756.123456", US, False),
        ("1748755756123", US - 456, False),
        ("1748755756123456789", US, False),
        ("9999-12-31T23:59:59Z", to_us(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)), False),
    ],
)
def test_every_notation_is_the_same_moment(value: object, us: int, naive: bool) -> None:
    assert parse_timestamp(value) == (us, naive)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_missing(value: object) -> None:
    with pytest.raises(RowRejected) as caught:
        parse_timestamp(value)
    assert caught.value.reason is QuarantineReason.MISSING_TIMESTAMP


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2025-13-01",
        "2025-02-30T00:00:00Z",
        "01/06/2025",
        "2025-06-01T25:00:00Z",
        True,
        [],
        {},
        float("nan"),
        float("inf"),
        1e300,
        10**30,
        "\x00",
        "9" * 10_000,
    ],
)
def test_invalid(value: object) -> None:
    with pytest.raises(RowRejected) as caught:
        parse_timestamp(value)
    assert caught.value.reason is QuarantineReason.INVALID_TIMESTAMP
    assert caught.value.detail.isprintable()


@given(
    st.integers(0, 10**9).map(lambda seconds: MOMENT + timedelta(seconds=seconds, microseconds=seconds % 10**6)),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_any_offset_is_read_back(utc: datetime, zone: timezone) -> None:
    moment = utc.astimezone(zone)
    assert parse_timestamp(moment.isoformat()) == (to_us(moment), False)
    assert parse_timestamp(to_us(moment)) == (to_us(moment), False)


@given(st.text(max_size=20) | st.floats() | st.integers())
def test_anything_else_is_a_number_or_a_reason(value: object) -> None:
    try:
        us, _ = parse_timestamp(value)
    except RowRejected:
        return
    assert isinstance(us, int)
