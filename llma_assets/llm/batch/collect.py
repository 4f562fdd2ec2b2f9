"""What has become of the batches that a (team, day) waits for: found, asked about once, fetched, settled, recorded."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from llma_assets.errors import FailFast, LlmaError
from llma_assets.llm.access import Access
from llma_assets.llm.batch.answer import usage_of
from llma_assets.llm.batch.api import Batch, BatchApi
from llma_assets.llm.batch.file import BatchResult, ResultFile
from llma_assets.llm.batch.state import COLLECTED, SUBMITTED, BatchRow, BatchState
from llma_assets.llm.call_record import CallRecord
from llma_assets.llm.endpoint import KEY_VARIABLE
from llma_assets.llm.prices import cost_usd

log = logging.getLogger(__name__)

# OpenAI limits the tokens that wait in batches, by account and model. Smaller than this, a day would take weeks.
_NO_ROOM = "token_limit_exceeded"
_FEWEST_REQUESTS = 50


class Collection:
    """The batches of one (team, day) as they are now.

    Attributes:
        open_batches: those that have not ended, with the time since which they are waited for.
        max_requests: how large a batch may be, where the server had no room for larger ones; None: no limit is known.
        failure: why a batch failed as a whole, if no other would fare better.
    """

    def __init__(self, api: BatchApi, state: BatchState, access: Access, model_setting: str):
        self._api, self._state, self._access, self._model_setting = api, state, access, model_setting
        self.open_batches: dict[str, datetime] = {}
        self.max_requests = min((row.max_requests for row in state.rows.values() if row.max_requests), default=None)
        self.failure: LlmaError | None = None

    async def collect(self, results: ResultFile) -> None:
        """Look at every batch once, and put all results that are there into a file.

        Raises:
            FailFast, RetryLater: the server cannot be asked.
        """
        await self._find_lost()
        for batch_id in self._state.batch_ids():
            rows = self._state.of_batch(batch_id)
            batch = await self._api.get(batch_id)
            if not batch.has_ended:
                self.open_batches[batch_id] = min(row.submitted_at for row in rows)
            elif batch.status == "failed":
                self._give_up(batch, rows)
            else:
                await self._api.fetch(batch, results)
                self._settle_all(batch, rows, results)

    async def _find_lost(self) -> None:
        """Batches whose ids were not noted, because the process that made them died or lost the answer."""
        lost = [row for row in self._state.rows.values() if row.batch_id is None]
        for key in sorted({row.batch_key for row in lost}):
            rows = [row for row in lost if row.batch_key == key]
            batch_id = await self._api.find(key, min(row.submitted_at for row in rows))
            if batch_id is None:
                self._forget(rows)
            else:
                self._state.put(replace(row, batch_id=batch_id) for row in rows)
                self._state.save()

    def _give_up(self, batch: Batch, rows: Sequence[BatchRow]) -> None:
        """A batch that failed as a whole has done nothing."""
        self._forget(rows)
        codes = ", ".join(batch.error_codes) or "no code"
        log.warning("batch %s of %d requests failed: %s", batch.batch_id, len(rows), codes)
        if _NO_ROOM in batch.error_codes:
            self.max_requests = max(_FEWEST_REQUESTS, len(rows) // 2)
        else:
            self.failure = FailFast(
                f"the server does not take the batch {batch.batch_id} ({codes}); check the model in "
                f"{self._model_setting}, and the limits and credit of the account behind {KEY_VARIABLE}"
            )

    def _forget(self, rows: Sequence[BatchRow]) -> None:
        """Rows that cost nothing and wait for nothing."""
        self._state.drop(rows)
        self._state.save()
        for row in rows:
            self._settle(row, 0.0)

    def _settle_all(self, batch: Batch, rows: Sequence[BatchRow], results: ResultFile) -> None:
        """Settle and record the requests of a batch, once."""
        fresh = [row for row in rows if row.status == SUBMITTED]
        if not fresh:
            return
        # First noted, then settled: a crash in between leaves the budget charged with too much, never with too little.
        self._state.put(replace(row, status=COLLECTED) for row in fresh)
        self._state.save()
        for row in fresh:
            result = results.get(batch.batch_id, row.custom_id)
            if result is None or not result.is_done:
                self._settle(row, 0.0)
                continue
            usd = 0.0
            if result.status_code == 200:
                usage = usage_of(result.body)
                known = (usage.input_tokens, usage.cached_tokens, usage.output_tokens)
                # Another model may be set since.
                cost = cost_usd(self._access.price(row.model_name), *known, is_batch=True)
                self._access.recorder.call(self._record(batch, row, result, cost))
                if cost is None:
                    continue
                usd = cost
            else:
                self._access.recorder.call(self._record(batch, row, result, None))
            self._settle(row, usd)

    def _settle(self, row: BatchRow, usd: float) -> None:
        if self._access.budget is not None and row.reservation is not None:
            self._access.budget.settle(row.reservation, usd)

    def _record(self, batch: Batch, row: BatchRow, result: BatchResult, cost: float | None) -> CallRecord:
        usage = usage_of(result.body)
        choice = _first_choice(result.body)
        content = choice.get("message", {}).get("content") if self._access.is_content_recorded else None
        return CallRecord(
            called_at=row.submitted_at,
            kind="chat",
            model=row.model_name,
            provider=self._access.endpoint.provider,
            subject=f"{row.level} {row.item_id}",
            attempts=row.submission,
            # Of one request, a batch says only that it was done before the batch ended.
            latency_s=max(0.0, ((batch.ended_at or batch.created_at) - batch.created_at).total_seconds()),
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=cost,
            stop_reason=choice.get("finish_reason"),
            error=None if result.status_code == 200 else f"HTTP {result.status_code}",
            is_batch=True,
            prompt_version=row.prompt_version,
            output=content if isinstance(content, str) else None,
        )


def _first_choice(body: Mapping[str, Any]) -> dict[str, Any]:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) and isinstance(choice.get("message"), dict) else {}


async def tidy(api: BatchApi, state: BatchState) -> None:
    """Cancel what is open and delete all files at the server.

    Raises:
        FailFast, RetryLater: the server cannot be asked, or does not know a batch.
    """
    lost = {row.batch_key: row.submitted_at for row in state.rows.values() if row.batch_id is None}
    found = [await api.find(key, submitted_at) for key, submitted_at in lost.items()]
    for batch_id in (*state.batch_ids(), *filter(None, found)):
        batch = await api.get(batch_id)
        if not batch.has_ended:
            await api.cancel(batch_id)
        for file_id in batch.file_ids:
            await api.delete_file(file_id)
