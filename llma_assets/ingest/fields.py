"""Typed columns from an event's properties: a wrong value becomes null and is counted. Pure."""

import math
import re
from typing import Any

# Beyond these a value is a sender's mistake, and one of them would drown every sum and average.
MAX_TOKENS = 10**9
MAX_COST_USD = 1e6
MAX_LATENCY_S = 1e7
MAX_TEXT_CHARS = 1_000

_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


class Fields:
    """Reads typed values from one event's properties.

    Attributes:
        nulled: values that were there but wrong, so far.
    """

    __slots__ = ("_properties", "nulled")

    def __init__(self, properties: dict[str, Any]):
        self._properties = properties
        self.nulled = 0

    def text(self, key: str) -> str | None:
        """A text of at most `MAX_TEXT_CHARS`; whole numbers become text, blank text becomes null."""
        value = self._properties.get(key)
        if value is None:
            return None
        if type(value) is int:
            return str(value)
        if type(value) is str and len(value) <= MAX_TEXT_CHARS:
            return value if value and not value.isspace() else None
        self.nulled += 1
        return None

    def number(self, key: str, most: float) -> float | None:
        """A finite number in [0, most], from a number or its text."""
        value = self._properties.get(key)
        if value is None:
            return None
        if type(value) is str and len(value) <= MAX_TEXT_CHARS and _NUMBER.fullmatch(value):
            value = float(value)
        if (type(value) is float or type(value) is int) and math.isfinite(value) and 0 <= value <= most:
            return float(value)
        self.nulled += 1
        return None

    def tokens(self, key: str) -> int | None:
        """A whole number of tokens in [0, MAX_TOKENS]."""
        number = self.number(key, MAX_TOKENS)
        if number is None or number.is_integer():
            return None if number is None else int(number)
        self.nulled += 1
        return None

    def boolean(self, key: str) -> bool | None:
        """True or false from a boolean, 0, 1, or the text of one in any case."""
        value = self._properties.get(key)
        if value is None or type(value) is bool:
            return value
        if type(value) in (int, float) and value in (0, 1):
            return bool(value)
        if type(value) is str and len(value) <= MAX_TEXT_CHARS:
            word = value.strip().lower()
            if word in _TRUE or word in _FALSE:
                return word in _TRUE
        self.nulled += 1
        return None

    def input_tokens(self, provider: str | None) -> int | None:
        """Input tokens with cached ones, whichever way the SDK reported them.

        `$ai_cache_reporting_exclusive` says whether cached tokens lie outside `$ai_input_tokens`.
        Where it is absent they do for Anthropic, whose API reports them so, and wherever there are
        more of them than input tokens, since then they cannot lie inside.
        """
        total = self.tokens("$ai_input_tokens")
        read = self.tokens("$ai_cache_read_input_tokens")
        write = self.tokens("$ai_cache_creation_input_tokens")
        exclusive = self.boolean("$ai_cache_reporting_exclusive")
        cached = (read or 0) + (write or 0)
        if total is None or not cached:
            return total
        if exclusive is None:
            exclusive = cached > total or (provider or "").lower() == "anthropic"
        return total + cached if exclusive else total

    def cost_usd(self) -> float | None:
        """`$ai_total_cost_usd`, or the sum of its parts where only they are known."""
        total = self.number("$ai_total_cost_usd", MAX_COST_USD)
        if total is not None:
            return total
        parts = [self.number(key, MAX_COST_USD) for key in ("$ai_input_cost_usd", "$ai_output_cost_usd")]
        known = [part for part in parts if part is not None]
        return sum(known) if known else None
