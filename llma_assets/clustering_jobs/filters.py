"""Filters on the properties of events, and the line of text that each is written as. Pure."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from llma_assets.clustering_jobs.regex import check_regex
from llma_assets.errors import InputRejected

MAX_PROPERTY_CHARS = 200
MAX_VALUE_CHARS = 500
# JSON's numbers: "007" and "nan" are none.
NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"


class Operator(StrEnum):
    """How a property is compared with the value."""

    EXACT = "exact"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    GT = "gt"
    LT = "lt"
    IS_SET = "is_set"
    IS_NOT_SET = "is_not_set"
    REGEX = "regex"


_WITHOUT_VALUE = (Operator.IS_SET, Operator.IS_NOT_SET)
_NUMERIC = (Operator.GT, Operator.LT)
_OPERATORS = ", ".join(Operator)


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """One condition on an event.

    Attributes:
        name: of the property, literally; `event` and `distinct_id` are the event's own.
        value: text, whatever it is compared as; None for `is_set` and `is_not_set`.

    Raises:
        InputRejected: the name or the value is not one that the operator takes.
    """

    name: str
    operator: Operator
    value: str | None = None

    def __post_init__(self) -> None:
        _check_text("property", self.name, 1, MAX_PROPERTY_CHARS)
        if self.operator in _WITHOUT_VALUE:
            if self.value is not None:
                raise InputRejected(f"value: {self.value!r} after {self.operator}, which takes none")
            return
        if self.value is None:
            raise InputRejected(f"value: {self.operator} needs one, as in: {self.name} {self.operator} VALUE")
        may_be_empty = self.operator in (Operator.EXACT, Operator.IS_NOT)
        _check_text("value", self.value, 0 if may_be_empty else 1, MAX_VALUE_CHARS)
        if self.operator in _NUMERIC and self.number is None:
            raise InputRejected(f"value: {self.value!r} after {self.operator} is not a finite number like 2.5")
        if self.operator == Operator.REGEX:
            check_regex(self.value)

    @property
    def number(self) -> float | None:
        """The value as a number; None if it is none, or not a finite one."""
        if self.value is None or not re.fullmatch(NUMBER, self.value):
            return None
        number = float(self.value)
        return number if abs(number) != float("inf") else None

    def __str__(self) -> str:
        """The line that `parse_filter` reads: `$ai_model exact gpt-4o`; in double quotes, as JSON, what needs them."""
        bare = self.name.isprintable() and not self.name.startswith('"') and not any(map(str.isspace, self.name))
        parts = [self.name if bare else json.dumps(self.name), str(self.operator)]
        if self.value is not None:
            text = self.value
            bare = bool(text) and text == text.strip() and text.isprintable() and not text.startswith('"')
            parts.append(text if bare else json.dumps(text))
        return " ".join(parts)


def parse_filter(text: str) -> PropertyFilter:
    """The filter that a line says: `PROPERTY OPERATOR VALUE`, the value up to the end of the line.

    Raises:
        InputRejected: there is no property or operator, a quote is not closed, or the filter is wrong.
    """
    if not isinstance(text, str):
        raise InputRejected(f"filter: {text!r} is not text like: $ai_model exact gpt-4o (put it into single quotes)")
    rest = text.strip()
    if rest.startswith('"'):
        name, end = _quoted("property", rest)
        rest = rest[end:]
    else:
        name = rest.split(maxsplit=1)[0] if rest else ""
        rest = rest[len(name) :]
    operator, *value = rest.split(maxsplit=1) or [""]
    if operator not in list(Operator):
        has = f"operator {operator!r}" if operator else "no operator"
        raise InputRejected(f"filter: {text!r} has {has}; it must be one of {_OPERATORS}")
    if not value:
        return PropertyFilter(name, Operator(operator))
    found = value[0].rstrip()
    if found.startswith('"'):
        found, end = _quoted("value", found)
        if end != len(value[0].rstrip()):
            raise InputRejected(f"value: {value[0]!r} goes on after the closing quote")
    return PropertyFilter(name, Operator(operator), found)


def _quoted(field: str, text: str) -> tuple[str, int]:
    """The JSON string that `text` begins with, and where it ends."""
    try:
        return json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        raise InputRejected(f"{field}: {text!r} is not a quoted text as in JSON: {error.msg}") from None


def _check_text(field: str, text: str, least: int, most: int) -> None:
    if not isinstance(text, str) or not least <= len(text) <= most:
        raise InputRejected(f"{field}: {text!r:.80} must be text of {least} to {most} characters")
    if "\0" in text or (not text.isascii() and re.search("[\ud800-\udfff]", text)):
        raise InputRejected(f"{field}: {text!r} holds a NUL or half a character")
