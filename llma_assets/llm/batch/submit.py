"""Items on their way into batches: rendered, redacted, charged to the budget, on disk until they are sent."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from llma_assets.errors import BudgetExhausted
from llma_assets.llm.access import Access
from llma_assets.llm.background import BackgroundLoop
from llma_assets.llm.batch.api import BatchApi
from llma_assets.llm.batch.file import MAX_REQUESTS, RequestFile, request_line
from llma_assets.llm.batch.state import SUBMITTED, BatchRow, BatchState, custom_id
from llma_assets.llm.budget import Reservation
from llma_assets.llm.dialect import Dialect
from llma_assets.llm.failures import ItemFailed
from llma_assets.llm.prices import Price, cost_usd
from llma_assets.summarization.outcome import ItemText
from llma_assets.summarization.prompt import SCHEMA_NAME, ChatMessage, summary_schema
from llma_assets.vocabulary import Reason

# What a server adds to a request on its own: marks around messages, and the schema in another form.
_OVERHEAD_TOKENS = 200


class Submission:
    """Collects the requests of one run and sends them, in as few batches as the limits allow.

    Args:
        max_requests: how many may be sent at all; None: all, in as many batches as it takes.
        max_output_tokens: of each answer.

    Attributes:
        exhausted: the budget had no room for one item; those after it are not sent either.
        sent: number of requests that the server has taken.
        batches: what they are in, with the time at which they were handed over.
        left: number of items for which there was no room at the server.
    """

    def __init__(
        self,
        loop: BackgroundLoop,
        api: BatchApi,
        state: BatchState,
        access: Access,
        price: Price | None,
        model_name: str,
        max_requests: int | None,
        max_output_tokens: int,
    ):
        self._loop, self._api, self._state, self._access, self._price = loop, api, state, access, price
        self._model_name, self._max_requests, self._max_output_tokens = model_name, max_requests, max_output_tokens
        self._file = RequestFile()
        self._rows: list[BatchRow] = []
        self.exhausted: BudgetExhausted | None = None
        self.sent = 0
        self.batches: dict[str, datetime] = {}
        self.left = 0

    def close(self) -> None:
        """Throw away what has not been sent, and give back what the budget was charged with for it."""
        for row in self._rows:
            if self._access.budget is not None and row.reservation is not None:
                self._access.budget.settle(row.reservation, 0.0)
        self._rows = []
        self._file.handle.close()

    def add(
        self,
        item: ItemText,
        of_summarizer: tuple[str, str, str],
        messages: list[ChatMessage],
        fence: str,
        submission: int,
    ) -> None:
        """Add an item, unless neither budget nor server has room for it.

        Args:
            of_summarizer: model, mode and prompt version.
            submission: how often the item is submitted, this time included.

        Raises:
            ItemFailed: redaction failed.
            FailFast, RetryLater: a batch was full, and could not be sent.
        """
        if self.exhausted is not None:
            return
        if self._max_requests is not None and self.sent + len(self._rows) >= self._max_requests:
            self.left += 1
            return
        name = custom_id(*item.key, item.content_hash, *of_summarizer)
        line = request_line(name, self._body(messages))
        if not self._file.has_room(line, self._max_requests or MAX_REQUESTS):
            self.send()
        reservation: Reservation | None = None
        if self._access.budget is not None and self._price is not None:
            # A token stands for at least one byte, so this is never too little.
            most_usd = cost_usd(self._price, len(line) + _OVERHEAD_TOKENS, 0, self._max_output_tokens, is_batch=True)
            reservation = self._access.budget.reserve(most_usd or 0.0)
            if reservation is None:
                self.exhausted = self._access.budget.exhausted()
                return
        self._file.add(line)
        model, mode, prompt_version = of_summarizer
        self._rows.append(
            BatchRow(
                level=item.key[0],
                item_id=item.key[1],
                content_hash=item.content_hash,
                model=model,
                mode=mode,
                prompt_version=prompt_version,
                custom_id=name,
                fence=fence,
                batch_key="",
                batch_id=None,
                status=SUBMITTED,
                submission=submission,
                max_requests=self._max_requests,
                reserved_units=reservation.units if reservation else None,
                reserved_scope=reservation.day_scope if reservation else None,
                submitted_at=self._access.now(),
            )
        )

    def send(self) -> None:
        """Make a batch of what was added. Its key is noted before, its id after.

        Raises:
            FailFast, RetryLater: it could not be made, or it is not known whether it was; the next run finds out.
        """
        if not self._rows:
            return
        key, now = uuid.uuid4().hex, self._access.now()
        rows = [replace(row, batch_key=key, submitted_at=now) for row in self._rows]
        self._state.put(rows)
        self._state.save()
        self._rows = []
        file_id = self._loop.run(self._api.upload(self._file, f"llma-{key}.jsonl"))
        batch_id = self._loop.run(self._api.create(file_id, key))
        self._state.put(replace(row, batch_id=batch_id) for row in rows)
        self._state.save()
        self.sent += len(rows)
        self.batches[batch_id] = now
        self._file.handle.close()
        self._file = RequestFile()

    def _body(self, messages: list[ChatMessage]) -> dict[str, object]:
        """The body of a direct call."""
        redact = self._access.redact
        safe = [{**turn, "content": _redacted(redact, turn["content"])} for turn in messages] if redact else messages
        dialect = self._access.dialects.get((self._access.endpoint.url, self._model_name), Dialect())
        wanted = dialect.request(safe, SCHEMA_NAME, summary_schema(), self._max_output_tokens)
        return {"model": self._model_name} | wanted


def _redacted(redact: Callable[[str], str], text: str) -> str:
    try:
        return redact(text)
    except Exception as error:
        # Its message may quote the text.
        raise ItemFailed(Reason.REDACTION_FAILED, f"redaction failed ({type(error).__name__})", True) from None
