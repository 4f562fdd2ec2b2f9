"""Parsing one JSON row from an unknown sender: strict and fast first, lenient where that is safe. Pure.

orjson refuses four things that real senders write: lone surrogates (JavaScript cuts strings in the
middle of an emoji), bytes that are not UTF-8, NaN and Infinity (Python's json writes them), and
numbers beyond a double. The first two become U+FFFD; the others become null and are counted.
Of a key that appears twice the last value counts, as in every common parser.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from llma_assets.ingest.limits import MIB, Limits
from llma_assets.ingest.quarantine import QuarantineReason, RowRejected

# orjson writes nothing nested deeper, so nothing deeper can be stored in canonical form.
MAX_DEPTH = 254

_COUNTED_FROM_BYTES = 4 * MIB

# Every escape is one token, so that the second backslash of `\\ud800` starts no escape; group 1 is
# a surrogate without its partner.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# What the standard parser accepts and orjson does not.
_BEYOND_DOUBLE = re.compile(rb"NaN|Infinity|[0-9]{300}|[0-9][eE]\+?[0-9]{3}")
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([\[{])|([\]}])', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed row; `repaired`: text was replaced by U+FFFD, `nulled`: numbers that became null."""

    value: Any
    repaired: bool = False
    nulled: int = 0


def parse(raw: bytes, limits: Limits) -> Parsed:
    """Parse one JSON document.

    Raises:
        RowRejected: invalid_json, too_deep or too_many_values.
    """
    if len(raw) > _COUNTED_FROM_BYTES:
        values = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
        if values > limits.max_values:
            raise RowRejected(QuarantineReason.TOO_MANY_VALUES, f"{values} values, at most {limits.max_values}")
    try:
        return Parsed(orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        return _parse_leniently(raw, str(error))


def _parse_leniently(raw: bytes, problem: str) -> Parsed:
    text = raw.decode("utf-8", "replace").encode()
    if _SURROGATE.search(text):
        text = _ESCAPE.sub(lambda match: rb"\ufffd" if match[1] else match[0], text)
    repaired = text != raw
    if repaired:
        try:
            return Parsed(orjson.loads(text), repaired=True)
        except orjson.JSONDecodeError as error:
            problem = str(error)
    lenient = _BEYOND_DOUBLE.search(text)
    # The standard parser recurses: look before it leaps.
    if problem.startswith("depth limit") or (lenient and _depth(text) > MAX_DEPTH):
        raise RowRejected(QuarantineReason.TOO_DEEP, f"nested deeper than {MAX_DEPTH}")
    if not lenient:
        raise RowRejected(QuarantineReason.INVALID_JSON, problem)
    return _parse_beyond_double(text.decode(), problem, repaired)


def _parse_beyond_double(text: str, problem: str, repaired: bool) -> Parsed:
    nulled = 0

    def null(_: str) -> float | None:
        nonlocal nulled
        nulled += 1
        return None

    def real(digits: str) -> float | None:
        number = float(digits)
        return null(digits) if number in (float("inf"), float("-inf")) else number

    def integer(digits: str) -> int | float | None:
        # As orjson reads them: 64 bits are exact, more become a double.
        if len(digits) <= 20 and -(1 << 63) <= (number := int(digits)) < 1 << 64:
            return number
        return real(digits)

    try:
        value = json.loads(text, parse_constant=null, parse_float=real, parse_int=integer)
    except (ValueError, RecursionError):
        raise RowRejected(QuarantineReason.INVALID_JSON, problem) from None
    return Parsed(value, repaired, nulled)


def _depth(text: bytes) -> int:
    """Deepest nesting of brackets outside strings; stops counting soon after `MAX_DEPTH`."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[1]:
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif match[2]:
            depth -= 1
    return deepest


def canonical(value: Any) -> bytes:
    """`value` as JSON with sorted keys, in UTF-8: equal values give equal bytes.

    Raises:
        RowRejected: too_deep.
    """
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        if "ecursion" in str(error):
            raise RowRejected(QuarantineReason.TOO_DEEP, f"nested deeper than {MAX_DEPTH}") from None
        raise RowRejected(QuarantineReason.INVALID_PROPERTIES, str(error)) from None
