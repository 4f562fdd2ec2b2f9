"""B8 to B10: which rows are kept, which are refused, and with which reason."""

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.ingest.event_rows import EventRow, EventRows, day_of
from llma_assets.ingest.limits import Limits
from llma_assets.ingest.quarantine import QuarantineReason, RowRejected
from llma_assets.ingest.timestamps import parse_timestamp

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)


def event(**changes: Any) -> dict[str, Any]:
    base = {
        "uuid": "0191-a",
        "event": "$ai_generation",
        "distinct_id": "person",
        "timestamp": "2026-01-05T10:00:00Z",
        "properties": {"$ai_trace_id": "t1", "$ai_model": "m"},
    }
    return base | changes


def properties(**changes: Any) -> dict[str, Any]:
    return event(properties={"$ai_trace_id": "t1"} | {f"$ai_{key}": value for key, value in changes.items()})


def build(item: Any) -> EventRow:
    return EventRows(AT, Limits()).from_object(item)


def reason_of(item: Any) -> QuarantineReason:
    with pytest.raises(RowRejected) as caught:
        build(item)
    assert caught.value.detail.isprintable() and caught.value.detail.isascii() and len(caught.value.detail) <= 300
    return caught.value.reason


@pytest.mark.parametrize(
    "trace_id",
    [
        "'",
        ".",
        "..",
        "/",
        "\\",
        ":",
        "|",
        "%",
        "../../etc/passwd",
        "É",
        "e\u0301",
        "T1",
        "t1",
        " t1",
        "\u200bt",
        "🦆" * 1_000,
    ],
)
def test_every_printable_trace_id_is_kept_as_it_came(trace_id: str) -> None:
    assert build(properties(trace_id=trace_id)).trace_id == trace_id


@pytest.mark.parametrize(
    ("trace_id", "reason"),
    [
        (None, QuarantineReason.MISSING_TRACE_ID),
        ("", QuarantineReason.MISSING_TRACE_ID),
        (" \n", QuarantineReason.MISSING_TRACE_ID),
        ("x" * 1_001, QuarantineReason.INVALID_TRACE_ID),
        ("x" * 10_000, QuarantineReason.INVALID_TRACE_ID),
        ("a\x00b", QuarantineReason.INVALID_TRACE_ID),
        ("a\nb", QuarantineReason.INVALID_TRACE_ID),
        ("a\x1b[31mb", QuarantineReason.INVALID_TRACE_ID),
        ("a\u2028b", QuarantineReason.INVALID_TRACE_ID),
        (1.5, QuarantineReason.INVALID_TRACE_ID),
        (True, QuarantineReason.INVALID_TRACE_ID),
        (["t"], QuarantineReason.INVALID_TRACE_ID),
    ],
)
def test_other_trace_ids_are_refused(trace_id: object, reason: QuarantineReason) -> None:
    assert reason_of(properties(trace_id=trace_id)) is reason


def test_events_of_ours_and_unknown_ones_need_no_trace_id() -> None:
    for name in ("$ai_trace_clusters", "$ai_trace_summary", "$ai_tag", "$ai_something_new"):
        assert build(event(event=name, properties={})).trace_id == ""
    for name in ("$ai_generation", "$ai_span", "$ai_trace", "$ai_metric", "$ai_evaluation"):
        assert reason_of(event(event=name, properties={})) is QuarantineReason.MISSING_TRACE_ID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event": None}, QuarantineReason.MISSING_EVENT),
        ({"event": ""}, QuarantineReason.MISSING_EVENT),
        ({"event": "$pageview"}, QuarantineReason.NOT_AN_AI_EVENT),
        ({"event": "$ai_\n"}, QuarantineReason.INVALID_EVENT),
        ({"event": "$ai_" + "x" * 200}, QuarantineReason.INVALID_EVENT),
        ({"event": 5}, QuarantineReason.INVALID_EVENT),
        ({"uuid": "a\nb"}, QuarantineReason.INVALID_UUID),
        ({"uuid": "x" * 201}, QuarantineReason.INVALID_UUID),
        ({"uuid": 5}, QuarantineReason.INVALID_UUID),
        ({"properties": []}, QuarantineReason.INVALID_PROPERTIES),
        ({"properties": "[1]"}, QuarantineReason.INVALID_PROPERTIES),
        ({"properties": "{"}, QuarantineReason.INVALID_PROPERTIES),
        ({"properties": 5}, QuarantineReason.INVALID_PROPERTIES),
        ({"properties": None}, QuarantineReason.MISSING_TRACE_ID),
        ({"timestamp": None}, QuarantineReason.MISSING_TIMESTAMP),
        ({"timestamp": "soon"}, QuarantineReason.INVALID_TIMESTAMP),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, QuarantineReason.TIMESTAMP_OUT_OF_RANGE),
        ({"timestamp": "9999-12-31T23:59:59-14:00"}, QuarantineReason.TIMESTAMP_OUT_OF_RANGE),
        ({"timestamp": 0}, QuarantineReason.TIMESTAMP_OUT_OF_RANGE),
        ({"timestamp": "2019-12-31T23:59:59.999999Z"}, QuarantineReason.TIMESTAMP_OUT_OF_RANGE),
        ({"timestamp": "2026-01-11T12:00:00.000001Z"}, QuarantineReason.TIMESTAMP_OUT_OF_RANGE),
    ],
)
def test_other_reasons(changes: dict[str, Any], reason: QuarantineReason) -> None:
    assert reason_of(event(**changes)) is reason


@pytest.mark.parametrize("item", [None, 5, "text", [], [event()]])
def test_a_row_that_is_no_object(item: object) -> None:
    assert reason_of(item) is QuarantineReason.NOT_AN_OBJECT


@pytest.mark.parametrize(
    ("timestamp", "day"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-01"),
        ("2026-01-11T12:00:00Z", "2026-01-11"),
        ("2026-01-05T00:00:00Z", "2026-01-05"),
        ("2026-01-05T23:59:59.999999Z", "2026-01-05"),
        ("2026-01-06T00:00:00Z", "2026-01-06"),
        # Late on the 5th in Honolulu is the 6th in UTC.
        ("2026-01-05T23:00:00-10:00", "2026-01-06"),
        (1_767_657_600_000, "2026-01-06"),
    ],
)
def test_an_event_lies_in_exactly_one_utc_day(timestamp: object, day: str) -> None:
    assert day_of(build(event(timestamp=timestamp))) == parse_timestamp(day)[0] // 86_400_000_000


def test_missing_identity_is_made_from_content() -> None:
    first, again = build(event(uuid=None)), build(event(uuid=""))
    other = build(event(uuid=None, distinct_id="somebody else"))
    assert first.uuid == again.uuid != other.uuid
    assert uuid.UUID(first.uuid).version == 5
    assert build(event(distinct_id=None)).distinct_id == "t1"
    assert build(event(distinct_id=42)).distinct_id == "42"


def test_content_hash_covers_what_the_sender_decides_and_nothing_else() -> None:
    base = build(event())
    same = [event(uuid="another"), event(team_id=5), event(properties={"$ai_model": "m", "$ai_trace_id": "t1"})]
    other = [
        event(event="$ai_span"),
        event(distinct_id="x"),
        event(timestamp="2026-01-05T10:00:00.000001Z"),
        event(properties={"$ai_trace_id": "t1", "$ai_model": "n"}),
    ]
    assert {build(item).content_hash for item in same} == {base.content_hash}
    assert len({build(item).content_hash for item in [event(), *other]}) == 5


def test_properties_are_canonical_and_may_come_as_text() -> None:
    given = {"$ai_trace_id": "t1", "b": {"z": 1, "a": "é"}, "a": [1, {"y": None, "x": True}]}
    text = build(event(properties=given)).properties
    assert text == '{"$ai_trace_id":"t1","a":[1,{"x":true,"y":null}],"b":{"a":"é","z":1}}'.encode()
    assert build(event(properties=orjson.dumps(given).decode())).properties == text


def test_own_traffic_is_marked() -> None:
    assert build(event(properties={"$ai_trace_id": "t1", "$llma_assets": "label"})).is_own
    assert not build(event()).is_own


def test_only_kept_rows_count() -> None:
    rows = EventRows(AT, Limits())
    for item in (properties(latency=-1), event(timestamp="2026-01-05T10:00:00"), properties(latency=-1, trace_id="")):
        try:
            rows.from_object(item)
        except RowRejected:
            continue
    rows.from_json(b'{"event":"$ai_x","timestamp":"2026-01-05T10:00:00Z","properties":{"a":NaN,"b":"\\ud83d"}}')
    assert (rows.values_nulled, rows.timestamps_naive, rows.rows_repaired) == (2, 1, 1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["trace_id", "model", "latency", "input_tokens", "total_cost_usd", "is_error", "span_name", "provider"]


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("uuid", "event", "distinct_id", "timestamp"), VALUES)),
    st.dictionaries(st.sampled_from([f"$ai_{key}" for key in KEYS]), VALUES),
)
def test_any_values_are_kept_or_refused(changes: dict[str, Any], given_properties: dict[str, Any]) -> None:
    item = event(properties={"$ai_trace_id": "t1"} | given_properties) | changes
    try:
        row = build(item)
    except RowRejected:
        return
    assert row.event.startswith("$ai_") and row.uuid and row.properties.startswith(b"{")
    assert all(value is None or value >= 0 for value in (row.input_tokens, row.cost_usd, row.latency_s))
