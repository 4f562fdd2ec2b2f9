"""How many tokens a text is for a model, without the model's tokenizer.

Tokenizers first split a text into pieces (a word, up to three digits, a run of punctuation, a line break) and then
pieces into tokens. The first step is nearly the same everywhere and cheap to follow; the second is one number.
"""

import re
from dataclasses import dataclass
from typing import Self

_ASCII_PIECE = re.compile(r"[A-Z]?[a-z]{1,12}|[A-Z]{1,4}|[0-9]{1,3}|[!-/:-@\[-`{-~]{1,4}|\s*\n\s*|[ \t]{2,}")
_OTHER_SCRIPT = re.compile(r"[^\x00-\x7f]+")
_OTHER_BYTES_PER_PIECE = 3
_OPENAI_NAME = re.compile(r"(ft:)?(gpt-|chatgpt-|o\d|text-embedding-)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Range:
    """A number that is not known exactly: it is likely to lie in [low, high]."""

    low: float = 0.0
    point: float = 0.0
    high: float = 0.0

    @classmethod
    def exactly(cls, value: float) -> Self:
        """A number that is known."""
        return cls(value, value, value)

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.point + other.point, self.high + other.high)

    def __mul__(self, other: "Range | float") -> "Range":
        by = other if isinstance(other, Range) else Range.exactly(other)
        return Range(self.low * by.low, self.point * by.point, self.high * by.high)


# Tokens for each piece: benchmarks/tokens.py, from the input tokens that providers reported for 4,108 real calls
# (customer service in English, with tool calls and JSON). The 5th percentile, the median and the 95th over traces.
OPENAI_TOKENS_PER_PIECE = Range(1.04, 1.08, 1.11)
# Five other families: the least of their medians, the median of them, the most of their 95th percentiles.
OTHER_TOKENS_PER_PIECE = Range(1.08, 1.21, 1.66)


def pieces_of(text: str) -> int:
    """Pieces of a text. Other scripts than Latin count a piece for each three bytes, which errs on the long side."""
    count = len(_ASCII_PIECE.findall(text))
    if not text.isascii():
        for run in _OTHER_SCRIPT.findall(text):
            count += -(-len(run.encode("utf-8", "replace")) // _OTHER_BYTES_PER_PIECE)
    return count


def tokens_per_piece(model: str) -> Range:
    """What one piece is for a model, by the family that its name tells."""
    return OPENAI_TOKENS_PER_PIECE if _OPENAI_NAME.match(model) else OTHER_TOKENS_PER_PIECE
