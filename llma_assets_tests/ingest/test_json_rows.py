"""B12 and what real senders write that strict JSON does not allow."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.ingest.json_rows import MAX_DEPTH, canonical, parse
from llma_assets.ingest.limits import Limits
from llma_assets.ingest.quarantine import QuarantineReason, RowRejected

LIMITS = Limits()


def reason_of(raw: bytes, limits: Limits = LIMITS) -> QuarantineReason:
    with pytest.raises(RowRejected) as caught:
        canonical(parse(raw, limits).value)
    assert caught.value.detail.isprintable()
    return caught.value.reason


@pytest.mark.parametrize(
    ("raw", "value", "repaired", "nulled"),
    [
        (rb'{"a":1,"a":2}', {"a": 2}, False, 0),
        (rb'{"a":"\ud83d\ude00"}', {"a": "😀"}, False, 0),
        (rb'{"a":"cut \ud83d"}', {"a": "cut \ufffd"}, True, 0),
        (rb'{"a":"\ude00\ud83d\ude00\ud83d"}', {"a": "\ufffd😀\ufffd"}, True, 0),
        # The backslash before u is itself escaped here: this is text, not a surrogate.
        (rb'{"a":"\\ud83d","b":"\ud83d"}', {"a": "\\ud83d", "b": "\ufffd"}, True, 0),
        (b'{"a":"\xff"}', {"a": "\ufffd"}, True, 0),
        (b'{"a":NaN,"b":[Infinity,-Infinity],"c":"NaN"}', {"a": None, "b": [None, None], "c": "NaN"}, False, 3),
        (b'{"a":1e400,"b":-1e400,"c":1e30}', {"a": None, "b": None, "c": 1e30}, False, 2),
        (b'{"a":' + b"9" * 5_000 + b',"b":18446744073709551615}', {"a": None, "b": 2**64 - 1}, False, 1),
        (b'{"a":123456789012345678901234567890}', {"a": 1.2345678901234568e29}, False, 0),
        (b'{"a":NaN,"b":123456789012345678901234567890}', {"a": None, "b": 1.2345678901234568e29}, False, 1),
        (b'{"a":NaN,"b":"\xff"}', {"a": None, "b": "\ufffd"}, True, 1),
    ],
)
def test_what_strict_json_refuses_is_kept_where_that_is_safe(
    raw: bytes, value: object, repaired: bool, nulled: int
) -> None:
    parsed = parse(raw, LIMITS)
    assert (parsed.value, parsed.repaired, parsed.nulled) == (value, repaired, nulled)
    canonical(parsed.value)


@pytest.mark.parametrize(
    "raw", [b"{", b'{"a":}', b"nope", b"{'a': 1}", b'{"a":1}{"b":2}', b'{"a":NaN', b'{"a":"\x00"}', b'{"a":"\\ud83d}']
)
def test_broken_json_is_rejected(raw: bytes) -> None:
    assert reason_of(raw) is QuarantineReason.INVALID_JSON


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_000, 1_025, 10_000, 1_000_000])
@pytest.mark.parametrize("extra", [b"1", b"NaN", b'"\\ud83d"', b'"\xff"'])
def test_deep_nesting_is_rejected_without_recursion(depth: int, extra: bytes) -> None:
    assert reason_of(b"[" * depth + extra + b"]" * depth) is QuarantineReason.TOO_DEEP


@pytest.mark.parametrize("extra", [b"1", b"NaN", b'"\\ud83d"'])
def test_the_deepest_that_can_be_stored_is_kept(extra: bytes) -> None:
    parsed = parse(b"[" * MAX_DEPTH + extra + b"]" * MAX_DEPTH, LIMITS)
    assert orjson.loads(canonical(parsed.value)) == parsed.value


def test_brackets_in_text_are_no_depth() -> None:
    text = '["' * 1_000
    assert parse(b'{"n":NaN,"a":' + json.dumps(text).encode() + b"}", LIMITS).value["a"] == text


def test_a_million_numbers_are_kept_and_a_row_of_empty_lists_is_not() -> None:
    numbers = parse(b"[" + b"1234567," * 999_999 + b"1]", LIMITS).value
    assert len(numbers) == 1_000_000
    # Parsed, these 12 MB would take a third of a gigabyte.
    assert reason_of(b"[" + b"[]," * 4_000_000 + b"1]") is QuarantineReason.TOO_MANY_VALUES


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_canonical_form_is_stable_and_lossless(value: object) -> None:
    once = canonical(parse(json.dumps(value).encode(), LIMITS).value)
    assert orjson.loads(once) == value
    assert canonical(orjson.loads(once)) == once


@given(st.text(st.characters(codec=None, categories=None), max_size=30))  # surrogates too
def test_any_text_that_json_can_write_is_kept_as_unicode(text: str) -> None:
    kept = parse(json.dumps({"a": text}).encode(), LIMITS).value["a"]
    # Neighbouring halves of a pair are one character once they are written as JSON.
    assert kept == json.loads(json.dumps(text)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_rejected(raw: bytes) -> None:
    try:
        canonical(parse(raw, LIMITS).value)
    except RowRejected as error:
        assert error.detail.isprintable()
