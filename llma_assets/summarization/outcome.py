"""What goes into a summarizer and what comes out, one item at a time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from llma_assets.summarization.summary import Summary
from llma_assets.traces.text import TextRepresentation
from llma_assets.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class ItemText:
    """One item to summarize. `key` is (level, item id); `content_hash` is of its events."""

    key: tuple[str, str]
    representation: TextRepresentation
    content_hash: str = ""


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


Keep = Callable[[SummaryOutcome], None]


def forget(outcome: SummaryOutcome) -> None:
    """For callers that need nothing to outlive a crash."""


class Summarizer(Protocol):
    """Whoever writes summaries. `model`, `mode` and `prompt_version` are part of the cache key.

    Attributes:
        max_text_chars: longest text that it can read; None for any.
    """

    model: str
    mode: str
    prompt_version: str
    max_text_chars: int | None

    def summarize(self, items: Iterable[ItemText], keep: Keep = forget) -> Iterator[SummaryOutcome]:
        """One outcome for each item, in any order; `keep` gets each first, the moment it is known.

        Raises:
            BudgetExhausted: the items without an outcome can be paid for another day.
            WaitingForBatch: the items without an outcome are being worked on elsewhere.
        """
        ...

    def written(self) -> None:
        """The partition is written: what was left elsewhere for a restart is no longer needed."""
        ...
