"""The summarizer that needs no model, no key and no network."""

from collections.abc import Iterable, Iterator
from typing import Literal

from llma_assets.summarization.extractive import EXTRACTIVE_VERSION, summarize
from llma_assets.summarization.outcome import ItemText, Keep, SummaryOutcome, forget
from llma_assets.traces.text import TEXT_VERSION


class ExtractiveSummarizer:
    """Picks what was asked, done, failed and answered out of the text, in the item's own words.

    Args:
        is_redacted: whether the texts come without secrets, because a later stage sends the summaries elsewhere.
    """

    model = "extractive"
    max_text_chars: int | None = None
    # Line refs point into the text, so a changed rendering is a changed summary.
    prompt_version = f"v{EXTRACTIVE_VERSION}-text{TEXT_VERSION}"

    def __init__(self, mode: Literal["minimal", "detailed"] = "detailed", is_redacted: bool = False):
        self.mode: str = mode
        if is_redacted:
            self.prompt_version += "-redacted"
        self._mode: Literal["minimal", "detailed"] = mode

    def summarize(self, items: Iterable[ItemText], keep: Keep = forget) -> Iterator[SummaryOutcome]:
        """One outcome for each item, in their order. Never fails and never costs."""
        for item in items:
            summary = summarize(item.representation, self._mode)
            outcome = SummaryOutcome(item.key, summary, text_repr_length=len(item.representation.text))
            keep(outcome)
            yield outcome

    def written(self) -> None:
        """Nothing was left anywhere else."""
