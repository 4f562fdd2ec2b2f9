"""What goes into a summarizer and what comes out, one item at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from llma_assets.summarization.summary import Summary
from llma_assets.traces.text import TextRepresentation
from llma_assets.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class ItemText:
    """One item to summarize. `key` is (level, item id)."""

    key: tuple[str, str]
    representation: TextRepresentation


@dataclass(frozen=True, slots=True)
class SummaryOutcome:
    """A summary, or the reason why there is none; and what it took.

    Attributes:
        cost_usd, latency_s, input_tokens, output_tokens: of the paid call; None where there was none.
    """

    key: tuple[str, str]
    summary: Summary | None
    reason: Reason | None = None
    text_repr_length: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None


class Summarizer(Protocol):
    """Whoever writes summaries. `model`, `mode` and `prompt_version` are part of the cache key."""

    model: str
    mode: str
    prompt_version: str

    def summarize(self, items: Iterable[ItemText]) -> Iterator[SummaryOutcome]:
        """One outcome for each item, in any order."""
        ...
