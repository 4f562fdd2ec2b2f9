"""The Batch API: files up and down, batches made, found and asked about. Nothing is sent twice without a look first."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from llma_assets.errors import FailFast, RetryLater
from llma_assets.llm.access import Access
from llma_assets.llm.batch.file import ENDPOINT, RequestFile, ResultFile
from llma_assets.llm.endpoint import URL_SETTING
from llma_assets.llm.failures import Transient, classify

log = logging.getLogger(__name__)

KEY_NAME = "llma_batch_key"
DELIVERY_SETTING = "LLMA_OPENAI_DELIVERY"
# Of the rate at which a file may be sent or fetched at the slowest, and of clocks that differ.
_SLOWEST_BYTES_S = 250_000
_MAX_DOWNLOAD_S = 1_800.0
_CLOCK_SLACK = timedelta(hours=1)
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the server shows it.

    Attributes:
        status: the server's word.
        error_codes: why it failed as a whole; only codes, never the server's text.
        file_ids: of its requests, results and errors, as far as there are any.
        result_file_ids: of its results and errors.
    """

    batch_id: str
    status: str
    created_at: datetime
    ended_at: datetime | None
    error_codes: tuple[str, ...]
    file_ids: tuple[str, ...]
    result_file_ids: tuple[str, ...]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.status in _ENDED


class BatchApi:
    """The batches of one account. Belongs to the event loop that first uses it.

    Args:
        model_setting: the setting that holds the model's name, for messages.

    Raises:
        FailFast: there is no usable key.
    """

    def __init__(self, access: Access, model_setting: str):
        self._access, self._model_setting = access, model_setting
        self._timeout_s = access.endpoint.timeout_s
        self._sdk = access.endpoint.open()

    async def close(self) -> None:
        """Closes the connections."""
        await self._sdk.close()

    async def upload(self, file: RequestFile, name: str) -> str:
        """The id of an uploaded file of requests.

        Raises:
            FailFast, RetryLater: as for every method here: no call can succeed as things are set; or the server is
                down or busy, after all attempts.
        """
        limit_s = self._timeout_s + file.size_bytes / _SLOWEST_BYTES_S

        async def send() -> Any:
            file.handle.seek(0)
            return await self._sdk.files.create(file=(name, file.handle), purpose="batch", timeout=limit_s)

        return (await self._call(send, limit_s)).id

    async def create(self, file_id: str, key: str) -> str:
        """The id of a new batch that is known by `key`. Where an attempt came to nothing, it looks for it first."""
        began_at = self._access.now()
        attempts = 0

        async def send() -> str:
            nonlocal attempts
            attempts += 1
            batch = await self._sdk.batches.create(
                input_file_id=file_id,
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={KEY_NAME: key},
                extra_headers={"Idempotency-Key": key},
            )
            return batch.id

        async def look() -> str | None:
            return await self.find(key, began_at)

        batch_id = await self._call(send, self._timeout_s, look)
        # An attempt that seemed to come to nothing may have been carried out late.
        return batch_id if attempts == 1 else await look() or batch_id

    async def find(self, key: str, made_after: datetime) -> str | None:
        """The batch that is known by `key`, or None. Should there be several, all but the first are cancelled.

        Args:
            made_after: no batch of that key can be older.
        """
        oldest = (made_after - _CLOCK_SLACK).timestamp()
        found: list[Any] = []
        after: dict[str, str] = {}
        while True:

            async def send(after: dict[str, str] = after) -> Any:
                return await self._sdk.batches.list(limit=100, **after)  # type: ignore[arg-type]

            page = await self._call(send, self._timeout_s)
            found += [batch for batch in page.data if (batch.metadata or {}).get(KEY_NAME) == key]
            if not page.data or not page.has_more or page.data[-1].created_at < oldest:
                break
            after = {"after": page.data[-1].id}
        for superfluous in found[:-1]:
            log.warning("batch %s was made twice; the later one is cancelled", key)
            await self.cancel(superfluous.id)
        return found[-1].id if found else None

    async def get(self, batch_id: str) -> Batch:
        """A batch as it is now.

        Raises:
            FailFast: also where the server does not know it: it was made with another key, or at another server.
        """
        unknown = (
            f"the server of {URL_SETTING} does not know the batch {batch_id}, which was made with another key or at "
            "another server; go back to these, or delete the partition's llm_batches file to submit it again"
        )
        made = await self._call(lambda: self._sdk.batches.retrieve(batch_id), self._timeout_s, unknown=unknown)
        ended_at = made.completed_at or made.expired_at or made.cancelled_at or made.failed_at
        codes = [error.code or "" for error in (made.errors.data if made.errors else None) or []]
        results = [file_id for file_id in (made.output_file_id, made.error_file_id) if file_id]
        return Batch(
            batch_id=batch_id,
            status=made.status,
            created_at=datetime.fromtimestamp(made.created_at, UTC),
            ended_at=datetime.fromtimestamp(ended_at, UTC) if ended_at else None,
            error_codes=tuple(dict.fromkeys(code for code in codes if _CODE.fullmatch(code))),
            file_ids=(made.input_file_id, *results),
            result_file_ids=tuple(results),
        )

    async def fetch(self, batch: Batch, into: ResultFile) -> None:
        """Put the results of a batch that has ended into a file. A result file that is gone has none."""
        for file_id in batch.result_file_ids:

            async def send(file_id: str = file_id) -> bool:
                into.rewind()
                async with self._sdk.files.with_streaming_response.content(file_id) as answer:
                    async for chunk in answer.iter_bytes():
                        into.handle.write(chunk)
                return True

            if await self._call_unless_gone(send, _MAX_DOWNLOAD_S):
                into.index(batch.batch_id)
            else:
                into.rewind()
                log.warning("the results of batch %s are no longer at the server", batch.batch_id)

    async def cancel(self, batch_id: str) -> None:
        """Stop a batch, if it has not ended."""
        import openai

        async def send() -> None:
            try:
                await self._sdk.batches.cancel(batch_id)
            except (openai.BadRequestError, openai.ConflictError):
                log.info("batch %s had ended already", batch_id)

        await self._call_unless_gone(send, self._timeout_s)

    async def delete_file(self, file_id: str) -> None:
        """Delete a file, if it is there."""
        await self._call_unless_gone(lambda: self._sdk.files.delete(file_id), self._timeout_s)

    async def _call_unless_gone(self, send: Callable[[], Awaitable[Answer]], limit_s: float) -> Answer | None:
        """The answer; None where what it is about is not there."""
        import openai

        async def send_or_none() -> Answer | None:
            try:
                return await send()
            except openai.NotFoundError:
                return None

        return await self._call(send_or_none, limit_s)

    async def _call(
        self,
        send: Callable[[], Awaitable[Answer]],
        limit_s: float,
        look: Callable[[], Awaitable[Answer | None]] | None = None,
        unknown: str = f"the server of {URL_SETTING} has no Batch API; set {DELIVERY_SETTING}=direct",
    ) -> Answer:
        """One call with all its attempts.

        Args:
            look: before another attempt, finds what the last one may have made after all.
            unknown: what a 404 means.
        """
        policy = self._access.policy
        failed = 0
        while True:
            if self._access.is_past_deadline():
                raise RetryLater("the time for this work (LLMA_OPENAI_DEADLINE_S) is over; what was finished is kept")
            outcome = await self._attempt(send, limit_s, unknown)
            if not isinstance(outcome, Transient):
                return outcome
            failed += 1
            if failed >= policy.max_attempts:
                raise RetryLater(f"{outcome.what}, after {failed} attempts")
            wait_s = policy.wait_s(failed, outcome.retry_after_s)
            log.info("%s: attempt %d of %d, again in %.1f s", outcome.what, failed, policy.max_attempts, wait_s)
            await policy.sleep(wait_s)
            found = await look() if look else None
            if found is not None:
                return found

    async def _attempt(self, send: Callable[[], Awaitable[Answer]], limit_s: float, unknown: str) -> Answer | Transient:
        import httpx2
        import openai

        try:
            # The SDK's own timeout counts from byte to byte: a server that drips one now and then never ends.
            async with asyncio.timeout(limit_s):
                return await send()
        except openai.NotFoundError:
            failure: Exception | Transient = FailFast(f"{unknown} (HTTP 404)")
        except (openai.APIError, ValueError, TimeoutError) as error:
            failure = classify(error, self._model_setting)
        except httpx2.HTTPError:
            # While a file comes in, the SDK passes these on as they are.
            failure = Transient(f"the connection to the server of {URL_SETTING} broke")
        # Raised outside of the handler: the SDK's error, which may quote the key, must not hang on to ours.
        if isinstance(failure, Transient):
            return failure
        raise failure if isinstance(failure, FailFast) else FailFast(str(failure))
