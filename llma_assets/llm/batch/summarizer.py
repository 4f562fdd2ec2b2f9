"""Summaries through the Batch API: at half the price, within a day. Each run collects what is there and hands over
what is missing; nothing waits inside a run."""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Literal, Self

from llma_assets.errors import FailFast, InputRejected, LlmaError, WaitingForBatch
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.answer import read_object
from llma_assets.llm.background import BackgroundLoop
from llma_assets.llm.batch.answer import read_answer, usage_of
from llma_assets.llm.batch.api import BatchApi
from llma_assets.llm.batch.collect import Collection, tidy
from llma_assets.llm.batch.file import BatchResult, ResultFile
from llma_assets.llm.batch.state import BatchRow, BatchState, custom_id
from llma_assets.llm.batch.submit import Submission
from llma_assets.llm.client import ChatAnswer
from llma_assets.llm.failures import ItemFailed
from llma_assets.llm.fence import new_fence
from llma_assets.llm.meter import Meter
from llma_assets.llm.prices import cost_usd
from llma_assets.llm.prompts import load_prompt
from llma_assets.llm.summarizer import MAX_OUTPUT_TOKENS, MODEL_SETTING, PROMPT_VERSION, max_text_chars
from llma_assets.settings import Settings
from llma_assets.summarization.outcome import ItemText, Keep, SummaryOutcome, forget
from llma_assets.summarization.prompt import build_messages
from llma_assets.summarization.response import read_summary
from llma_assets.summarization.summary import Summary
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

# An item whose batch ended before its turn is submitted again; after this many times the server is at fault.
MAX_SUBMISSIONS = 3


class OpenAIBatchSummarizer:
    """Has an OpenAI-compatible server summarize the items of one (team, day) in batches.

    What it asks and how it reads answers is the same as for direct calls, and so are `model`, `mode` and
    `prompt_version`. An answer of no use is not repaired: that would take another day.

    Args:
        model_name: as the server calls it.
        access: its task says which (team, day) this is.
        lake: where it is noted what the (team, day) waits for. Its writer must hold the lock of the partition.
        fence: gives the random mark of each request.

    Raises:
        InputRejected: a budget is set, and the model's price is not known.
    """

    prompt_version = PROMPT_VERSION

    def __init__(
        self,
        model_name: str,
        access: Access,
        lake: Lake,
        *,
        mode: Literal["minimal", "detailed"] = "detailed",
        max_text_chars: int | None = None,
        fence: Callable[[], str] = new_fence,
    ):
        self.model = f"openai/{model_name}"
        self.mode: str = mode
        self.max_text_chars = max_text_chars
        self._model_name = model_name
        self._access, self._lake = access, lake
        self._price = access.price(model_name)
        # For its check that a budget can be kept.
        Meter(self._price, access.budget, model_name, MODEL_SETTING)
        self._fence = fence
        self._prompt = load_prompt(PROMPT_VERSION)

    @classmethod
    def from_settings(cls, settings: Settings, access: Access, lake: Lake) -> Self:
        """The summarizer that the settings describe."""
        most = max_text_chars(settings, access)
        return cls(settings.openai_summary_model, access, lake, mode=settings.summary_mode, max_text_chars=most)

    def summarize(self, items: Iterable[ItemText], keep: Keep = forget) -> Iterator[SummaryOutcome]:
        """The outcomes that are there; items without one are handed over. One text is held at a time.

        Args:
            keep: called with each outcome before it is yielded.

        Raises:
            WaitingForBatch: some items have no outcome yet; everything that is there has been yielded before.
            BudgetExhausted: what has no outcome could cost more than is left, and nothing is waited for.
            FailFast, RetryLater: no request can succeed as things are; or the server is down or busy.
        """
        source = iter(items)
        first = next(source, None)
        if first is None:
            return
        state = BatchState(self._lake, self._access.task.team_day)
        with BackgroundLoop() as loop, ResultFile() as results:
            api = BatchApi(self._access, MODEL_SETTING)
            try:
                collection = Collection(api, state, self._access, MODEL_SETTING)
                loop.run(collection.collect(results))
                submission = Submission(
                    loop,
                    api,
                    state,
                    self._access,
                    self._price,
                    self._model_name,
                    _room(collection),
                    MAX_OUTPUT_TOKENS,
                )
                try:
                    batch_day = _BatchDay(self, state, collection, results, submission)
                    for outcome in batch_day.outcomes(first, source):
                        keep(outcome)
                        yield outcome
                    batch_day.finish()
                finally:
                    submission.close()
            finally:
                loop.cancel()
                loop.run(api.close())

    def written(self) -> None:
        """The partition is written: open batches are of items that have changed since, and nothing more is wanted.

        They are cancelled, and all files deleted at the server, as far as it lets itself be reached.
        """
        state = BatchState(self._lake, self._access.task.team_day)
        if not state.rows:
            return
        try:
            with BackgroundLoop() as loop:
                api = BatchApi(self._access, MODEL_SETTING)
                try:
                    loop.run(tidy(api, state))
                finally:
                    loop.run(api.close())
        except LlmaError as error:
            log.warning("files of %d batches stay at the server: %s", len(state.batch_ids()), error)
        state.rows.clear()
        state.save()

    def request(self, item: ItemText) -> tuple[list[dict[str, str]], str]:
        """The messages of a request, and their mark."""
        fence = self._fence()
        return build_messages(self._prompt, item.representation, self.mode, fence), fence

    def read(self, item: ItemText, row: BatchRow, result: BatchResult) -> SummaryOutcome:
        """The outcome of a request that was carried out.

        Raises:
            FailFast: no request can succeed as things are set.
        """
        usage = usage_of(result.body)
        tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens)
        usd = cost_usd(self._price, *tokens, is_batch=True)
        summary, reason = None, None
        try:
            answer = read_answer(result, MODEL_SETTING, usd)
            summary, reason = self._summary(item, row.fence, answer)
        except ItemFailed as failed:
            log.warning("%s: %s", self.model, failed)
            reason = failed.outcome
        return SummaryOutcome(
            key=item.key,
            summary=summary,
            reason=reason,
            text_repr_length=len(item.representation.text),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usd,
        )

    def _summary(self, item: ItemText, fence: str, answer: ChatAnswer) -> tuple[Summary | None, Reason | None]:
        if answer.refused:
            return None, Reason.REFUSED
        try:
            if answer.cut:
                raise InputRejected("it was cut off because it became too long")
            return read_summary(read_object(answer.content), item.representation, self.mode, fence), None
        except InputRejected as problem:
            log.warning("%s: an answer is of no use: %s", self.model, problem)
            return None, Reason.INVALID_RESPONSE


class _BatchDay:
    """One pass over the items of a (team, day)."""

    def __init__(
        self,
        summarizer: OpenAIBatchSummarizer,
        state: BatchState,
        collection: Collection,
        results: ResultFile,
        submission: Submission,
    ):
        self._summarizer, self._state, self._collection = summarizer, state, collection
        self._results, self._submission = results, submission
        self._failure = collection.failure
        self._waiting = 0
        self._waiting_for: dict[str, datetime] = {}

    def outcomes(self, first: ItemText, rest: Iterator[ItemText]) -> Iterator[SummaryOutcome]:
        """What is there. Everything else waits, or is on its way into a batch."""
        item: ItemText | None = first
        del first
        while item is not None:
            outcome = self._outcome(item)
            if outcome is not None:
                yield outcome
            item = next(rest, None)

    def finish(self) -> None:
        """Hand over what is missing, and say what is waited for.

        Raises:
            WaitingForBatch, BudgetExhausted, FailFast, RetryLater: see `OpenAIBatchSummarizer.summarize`.
        """
        self._submission.send()
        if self._failure is not None:
            self._state.save()
            raise self._failure
        waiting = self._waiting + self._submission.sent + self._submission.left
        if waiting:
            batches = self._waiting_for | self._submission.batches or self._collection.open_batches
            first, since = min(batches.items(), key=lambda batch: batch[1])
            raise WaitingForBatch(
                f"{waiting} items wait for {len(batches)} batch(es), the first of them {first}, "
                f"since {since.isoformat(timespec='seconds')}"
            )
        if self._submission.exhausted is not None:
            raise self._submission.exhausted

    def _outcome(self, item: ItemText) -> SummaryOutcome | None:
        of_summarizer = (self._summarizer.model, self._summarizer.mode, self._summarizer.prompt_version)
        row = self._state.rows.get(custom_id(*item.key, item.content_hash, *of_summarizer))
        length = len(item.representation.text)
        submission = 1
        if row is not None and row.batch_id is not None:
            if row.batch_id in self._collection.open_batches:
                self._waiting += 1
                self._waiting_for[row.batch_id] = self._collection.open_batches[row.batch_id]
                return None
            result = self._results.get(row.batch_id, row.custom_id)
            if result is not None and result.is_done:
                return self._read(item, row, result)
            if row.submission >= MAX_SUBMISSIONS:
                log.warning("%s: %d batches ended before an item's turn", self._summarizer.model, row.submission)
                return SummaryOutcome(item.key, None, Reason.LLM_ERROR, length)
            submission = row.submission + 1
        if self._failure is not None:
            return None
        messages, fence = self._summarizer.request(item)
        try:
            self._submission.add(item, of_summarizer, messages, fence, submission)
        except ItemFailed as failed:
            return SummaryOutcome(item.key, None, failed.reason, length)
        return None

    def _read(self, item: ItemText, row: BatchRow, result: BatchResult) -> SummaryOutcome | None:
        try:
            return self._summarizer.read(item, row, result)
        except FailFast as failure:
            # Once the setting is right, the item is to be submitted anew.
            self._state.drop([row])
            self._failure = self._failure or failure
            return None


def _room(collection: Collection) -> int | None:
    """How many requests may be sent now: where room is short, one batch at a time."""
    if collection.max_requests is not None and collection.open_batches:
        return 0
    return collection.max_requests
