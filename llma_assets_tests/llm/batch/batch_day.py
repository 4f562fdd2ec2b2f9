"""One (team, day) whose summaries go through the Batch API, as the stage works on it."""

from datetime import date
from typing import Any

import pytest

from llma_assets.errors import WaitingForBatch
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.batch.summarizer import OpenAIBatchSummarizer
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.task import LlmTask
from llma_assets.summarization.outcome import ItemText, SummaryOutcome
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.llm_items import NO_WAIT
from llma_assets_tests.llm.server import CHAT_MODEL

TEAM_DAY = TeamDay("acme", date(2026, 1, 2))
PRICES = {CHAT_MODEL: {"input_usd": 1.0, "output_usd": 2.0}}
Outcomes = dict[str, SummaryOutcome]


class Day:
    """One (team, day) as the stage works on it: what was kept is not asked for again."""

    def __init__(self, lake: Lake, endpoint: Endpoint, **options: Any):
        self.lake = lake
        self.options: dict[str, Any] = {"endpoint": endpoint, "policy": NO_WAIT, "price_overrides": PRICES, **options}
        self.items: list[ItemText] = []
        self.kept: dict[tuple[tuple[str, str], str], SummaryOutcome] = {}

    def summarizer(self, **options: Any) -> OpenAIBatchSummarizer:
        access = Access(task=LlmTask("trace_summaries", TEAM_DAY), **self.options)
        return OpenAIBatchSummarizer(CHAT_MODEL, access, self.lake, **options)

    def run(self) -> Outcomes:
        """One run of the partition, to its end. Raises as the summarizer does."""
        hashes = {item.key: item.content_hash for item in self.items}

        def keep(outcome: SummaryOutcome) -> None:
            if outcome.summary is not None:
                self.kept[outcome.key, hashes[outcome.key]] = outcome

        todo = [item for item in self.items if (item.key, item.content_hash) not in self.kept]
        made = {outcome.key[1]: outcome for outcome in self.summarizer().summarize(todo, keep)}
        made |= {key[1]: one for (key, content_hash), one in self.kept.items() if hashes[key] == content_hash}
        self.summarizer().written()
        return made

    def submit(self) -> str:
        """A run that ends in waiting; what it says."""
        with pytest.raises(WaitingForBatch) as caught:
            self.run()
        return str(caught.value)

    @property
    def waiting_for(self) -> list[dict[str, Any]]:
        return self.lake.read("llm_batches", TEAM_DAY).to_pylist()


def titles(outcomes: Outcomes) -> dict[str, str | None]:
    """Title of each item, by its id."""
    return {name: None if outcome.summary is None else outcome.summary.title for name, outcome in outcomes.items()}


def expected(numbers: Any) -> dict[str, str]:
    """The titles of small items, by id."""
    return {f"t{number}": f"Please book train number {number} to Rome" for number in numbers}
