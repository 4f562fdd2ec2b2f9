"""Summaries by a model: many calls at once, few texts in memory, every item accounted for."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Literal, Self

from llma_assets.errors import FailFast, InputRejected, LlmaError, RetryLater
from llma_assets.llm.answer import read_object
from llma_assets.llm.background import BackgroundLoop
from llma_assets.llm.client import ChatAnswer, LlmClient, RetryPolicy
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.failures import ItemFailed
from llma_assets.llm.fence import new_fence
from llma_assets.llm.prices import PRICES, Price, cost_usd
from llma_assets.llm.prompts import load_prompt
from llma_assets.settings import Settings
from llma_assets.summarization.outcome import ItemText, SummaryOutcome
from llma_assets.summarization.prompt import SCHEMA_NAME, build_messages, repair_messages, summary_schema
from llma_assets.summarization.response import read_summary
from llma_assets.summarization.summary import Summary
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

PROMPT_VERSION = "summarize.v1"
MODEL_SETTING = "LLMA_OPENAI_SUMMARY_MODEL"
# A summary takes about 1,000 tokens; models that think first count their thoughts as output.
MAX_OUTPUT_TOKENS = 8_000
# When this many items fail and none has succeeded, the server is taken to be down.
CIRCUIT_ITEMS = 5


class OpenAISummarizer:
    """Asks an OpenAI-compatible server for a summary of each item.

    Args:
        model_name: as the server calls it.
        concurrency: calls in flight at once.
        price: US dollars for a million tokens; by default the list price where it is known.
        fence: gives the random mark of each call.
    """

    prompt_version = PROMPT_VERSION

    def __init__(
        self,
        model_name: str,
        *,
        mode: Literal["minimal", "detailed"] = "detailed",
        endpoint: Endpoint | None = None,
        concurrency: int = 10,
        policy: RetryPolicy | None = None,
        price: Price | None = None,
        fence: Callable[[], str] = new_fence,
    ):
        self.model = f"openai/{model_name}"
        self.mode: str = mode
        self._model_name = model_name
        self._endpoint = endpoint or Endpoint()
        self._concurrency = concurrency
        self._policy = policy or RetryPolicy()
        self._price = price or (PRICES.get(model_name) if self._endpoint.is_openai else None)
        self._fence = fence
        self._prompt = load_prompt(PROMPT_VERSION)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The summarizer that the settings describe."""
        return cls(
            settings.openai_summary_model,
            mode=settings.summary_mode,
            endpoint=Endpoint(settings.openai_base_url, settings.openai_timeout_s),
            concurrency=settings.openai_concurrency,
        )

    def summarize(self, items: Iterable[ItemText]) -> Iterator[SummaryOutcome]:
        """One outcome for each item, as calls finish. At most twice `concurrency` texts are held at once.

        The first item goes ahead alone, so that a wrong key or model costs one call.

        Raises:
            FailFast: no call can succeed as things are set; calls that were under way have been yielded before.
            RetryLater: each of the first `CIRCUIT_ITEMS` items failed for the server's fault; none was yielded.
                FailFast instead, if it rejected them for good.
        """
        source = iter(items)
        first = next(source, None)
        if first is None:
            return
        with BackgroundLoop() as loop:
            talk = _Talk(self, loop)
            talk.submit(first)
            # A name that stays would keep this text alive for the whole run.
            del first
            try:
                yield from _flow(source, talk, _Progress(2 * self._concurrency))
            finally:
                talk.close()

    async def outcome(self, client: LlmClient, item: ItemText) -> SummaryOutcome:
        """Summarizes one item: one answer and, if it cannot be used, one more.

        Raises:
            FailFast: no call can succeed as things are set.
        """
        fence = self._fence()
        messages = build_messages(self._prompt, item.representation, self.mode, fence)
        answers: list[ChatAnswer] = []
        summary, reason = None, None
        try:
            for is_repair in (False, True):
                left = self._policy.max_attempts - sum(answer.took.attempts for answer in answers)
                answer = await client.chat(messages, SCHEMA_NAME, summary_schema(), MAX_OUTPUT_TOKENS, max(1, left))
                answers.append(answer)
                if answer.refused:
                    reason = Reason.REFUSED
                    break
                summary, problem = self._read(answer, item, fence)
                if summary is not None:
                    break
                log.warning("%s: an answer is of no use: %s", self.model, problem)
                if is_repair:
                    reason = Reason.INVALID_RESPONSE
                messages = repair_messages(self._prompt, messages, answer.content, {"problem": problem})
        except ItemFailed as failed:
            log.warning("%s: %s", self.model, failed)
            reason = failed.reason
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
        took = [answer.took for answer in answers]
        return SummaryOutcome(
            key=item.key,
            summary=summary,
            reason=reason,
            text_repr_length=len(item.representation.text),
            input_tokens=_total([one.input_tokens for one in took]),
            output_tokens=_total([one.output_tokens for one in took]),
            cost_usd=cost_usd(self._price, took),
            latency_s=sum(one.latency_s for one in took) if took else None,
        )

    def open_client(self) -> LlmClient:
        """A client for one run over items.

        Raises:
            FailFast: there is no usable key.
        """
        return LlmClient(self._endpoint, self._policy, self._model_name, MODEL_SETTING, self._concurrency)


class _Talk:
    """Calls under way, and those that have come back."""

    def __init__(self, summarizer: OpenAISummarizer, loop: BackgroundLoop):
        self._summarizer = summarizer
        self._loop = loop
        self._client = summarizer.open_client()
        self._finished: SimpleQueue[Future[SummaryOutcome]] = SimpleQueue()
        self.waiting = 0

    def submit(self, item: ItemText) -> None:
        self._loop.submit(self._summarizer.outcome(self._client, item)).add_done_callback(self._finished.put)
        self.waiting += 1

    def has_finished(self) -> bool:
        return not self._finished.empty()

    def next_finished(self) -> "Future[SummaryOutcome]":
        done = self._finished.get()
        self.waiting -= 1
        return done

    def server_is_down(self) -> LlmaError:
        failure = self._client.last_failure
        message = f"each of the first {CIRCUIT_ITEMS} items failed at the server, the last one with: {failure}"
        return FailFast(message) if failure is not None and failure.permanent else RetryLater(message)

    def close(self) -> None:
        self._loop.cancel()
        self._loop.run(self._client.close())


class _Progress:
    """What the outcomes so far say about the server, and so how many items may be under way."""

    def __init__(self, most: int):
        self._most = most
        self._works = False
        self.held: list[SummaryOutcome] = []
        self.error: Exception | None = None
        self.exhausted = False

    @property
    def window(self) -> int:
        if self._works:
            return self._most
        return min(self._most, CIRCUIT_ITEMS - len(self.held)) if self.held else 1

    def take(self, done: "Future[SummaryOutcome]") -> Iterator[SummaryOutcome]:
        """What can be yielded now. Failures are held back until something shows that the server works."""
        try:
            outcome = done.result()
        except Exception as error:
            # Calls that are under way are paid for: they are waited for before the error is raised.
            self.error = self.error or error
            self.exhausted = True
            return
        self._works = self._works or outcome.reason != Reason.LLM_ERROR
        self.held.append(outcome)
        if self._works:
            held, self.held = self.held, []
            yield from held


def _flow(source: Iterator[ItemText], talk: _Talk, progress: _Progress) -> Iterator[SummaryOutcome]:
    """Outcomes as they come, with as many items under way as `progress` allows. The first is under way already."""
    while talk.waiting or not progress.exhausted:
        if talk.waiting < progress.window and not progress.exhausted and not talk.has_finished():
            item = next(source, None)
            if item is None:
                progress.exhausted = True
            else:
                talk.submit(item)
                del item
            continue
        yield from progress.take(talk.next_finished())
        if len(progress.held) == CIRCUIT_ITEMS:
            raise talk.server_is_down()
    yield from progress.held
    if progress.error is not None:
        raise progress.error


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
