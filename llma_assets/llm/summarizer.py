"""Summaries by a model: many calls at once, few texts in memory, every item accounted for."""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Self

from llma_assets.errors import InputRejected
from llma_assets.llm.access import Access
from llma_assets.llm.answer import read_object
from llma_assets.llm.client import ChatAnswer, LlmClient
from llma_assets.llm.failures import ItemFailed
from llma_assets.llm.fan_out import fan_out
from llma_assets.llm.fence import new_fence
from llma_assets.llm.prices import context_window
from llma_assets.llm.prompts import load_prompt
from llma_assets.settings import Settings
from llma_assets.summarization.outcome import ItemText, Keep, SummaryOutcome, forget
from llma_assets.summarization.prompt import SCHEMA_NAME, build_messages, repair_messages, summary_schema
from llma_assets.summarization.response import read_summary
from llma_assets.summarization.summary import Summary
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

PROMPT_VERSION = "summarize.v1"
MODEL_SETTING = "LLMA_OPENAI_SUMMARY_MODEL"
# A summary takes about 1,000 tokens; models that think first count their thoughts as output.
MAX_OUTPUT_TOKENS = 8_000
# Our instructions and the schema.
PROMPT_TOKENS = 1_500
# Traces have about 3.5 characters a token (benchmarks/tokens.py); lower, so that few turn out too long.
CHARS_PER_TOKEN = 2.8
MIN_TEXT_CHARS = 2_000
# Items after which the calls so far are written to llm_calls; a killed run loses the records of fewer.
FLUSH_ITEMS = 200


class OpenAISummarizer:
    """Asks an OpenAI-compatible server for a summary of each item.

    Args:
        model_name: as the server calls it.
        max_text_chars: longest text that the model can read; None if that is not known.
        fence: gives the random mark of each call.
    """

    prompt_version = PROMPT_VERSION

    def __init__(
        self,
        model_name: str,
        access: Access,
        *,
        mode: Literal["minimal", "detailed"] = "detailed",
        max_text_chars: int | None = None,
        fence: Callable[[], str] = new_fence,
    ):
        self.model = f"openai/{model_name}"
        self.mode: str = mode
        self.max_text_chars = max_text_chars
        self._model_name = model_name
        self._access = access
        self._fence = fence
        self._prompt = load_prompt(PROMPT_VERSION)

    @classmethod
    def from_settings(cls, settings: Settings, access: Access) -> Self:
        """The summarizer that the settings describe."""
        most = max_text_chars(settings, access)
        return cls(settings.openai_summary_model, access, mode=settings.summary_mode, max_text_chars=most)

    def summarize(self, items: Iterable[ItemText], keep: Keep = forget) -> Iterator[SummaryOutcome]:
        """One outcome for each item, as calls finish. At most twice the concurrency of texts are held at once.

        Args:
            keep: called with each outcome the moment it is known, in a thread of its own.

        Raises:
            FailFast, RetryLater: no call can succeed as things are; BudgetExhausted: the next could cost too much.
                Calls that were under way have been kept and yielded before.
        """

        count = itertools.count(1)

        async def one(client: LlmClient, item: ItemText) -> SummaryOutcome:
            outcome = await self.outcome(client, item)
            # Before anything else is done: what is paid for must outlive this process.
            keep(outcome)
            if next(count) % FLUSH_ITEMS == 0:
                self._access.recorder.flush()
            return outcome

        return fan_out(items, one, self.open_client, 2 * self._access.concurrency)

    def written(self) -> None:
        """Nothing was left anywhere else."""

    async def outcome(self, client: LlmClient, item: ItemText) -> SummaryOutcome:
        """Summarizes one item: one answer and, if it cannot be used, one more.

        Raises:
            FailFast, RetryLater, BudgetExhausted: as for `summarize`.
        """
        fence = self._fence()
        messages = build_messages(self._prompt, item.representation, self.mode, fence)
        subject = f"{item.key[0]} {item.key[1]}"
        answers: list[ChatAnswer] = []
        summary, reason = None, None
        try:
            for is_repair in (False, True):
                answer = await client.chat(
                    messages,
                    SCHEMA_NAME,
                    summary_schema(),
                    MAX_OUTPUT_TOKENS,
                    subject=subject,
                    prompt_version=PROMPT_VERSION,
                    max_attempts=max(1, self._access.policy.max_attempts - _attempts(answers)),
                )
                answers.append(answer)
                if answer.refused:
                    reason = Reason.REFUSED
                    break
                summary, problem = self._read(answer, item, fence)
                if summary is not None:
                    client.circuit.useful()
                    break
                log.warning("%s: an answer is of no use: %s", self.model, problem)
                if is_repair:
                    reason = Reason.INVALID_RESPONSE
                    client.circuit.useless(problem)
                messages = repair_messages(self._prompt, messages, answer.content, {"problem": problem})
        except ItemFailed as failed:
            log.warning("%s: %s", self.model, failed)
            reason = failed.outcome
        return self._finished(item, summary, reason, answers)

    def _read(self, answer: ChatAnswer, item: ItemText, fence: str) -> tuple[Summary | None, str]:
        """The summary, or what is wrong with the answer."""
        try:
            if answer.cut:
                raise InputRejected("it was cut off because it became too long")
            return read_summary(read_object(answer.content), item.representation, self.mode, fence), ""
        except InputRejected as problem:
            return None, str(problem)

    def _finished(
        self, item: ItemText, summary: Summary | None, reason: Reason | None, answers: list[ChatAnswer]
    ) -> SummaryOutcome:
        spent = [answer.spent for answer in answers]
        costs = [call.cost_usd for call in spent]
        return SummaryOutcome(
            key=item.key,
            summary=summary,
            reason=reason,
            text_repr_length=len(item.representation.text),
            input_tokens=_total([call.usage.input_tokens for call in spent]),
            output_tokens=_total([call.usage.output_tokens for call in spent]),
            cost_usd=None if None in costs or not costs else sum(filter(None, costs)),
            latency_s=sum(call.latency_s for call in spent) if spent else None,
        )

    def open_client(self) -> LlmClient:
        """A client for one run over items.

        Raises:
            FailFast: there is no usable key.
            InputRejected: a budget is set, and the model's price is not known.
        """
        return LlmClient(self._access, self._model_name, MODEL_SETTING)


def max_text_chars(settings: Settings, access: Access) -> int | None:
    """Characters of text that the model for summaries can read beside the rest of a call; None if not known."""
    listed = context_window(settings.openai_summary_model, access.endpoint.is_openai)
    tokens = settings.openai_context_tokens or listed
    if tokens is None:
        return None
    # Of a small context the answer gets a third at most.
    return max(MIN_TEXT_CHARS, int((tokens - min(MAX_OUTPUT_TOKENS, tokens // 3) - PROMPT_TOKENS) * CHARS_PER_TOKEN))


def _attempts(answers: list[ChatAnswer]) -> int:
    return sum(answer.spent.attempts for answer in answers)


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
