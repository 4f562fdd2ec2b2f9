"""The one way to a server: every call, its attempts, its deadline, and what it took."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from llma_assets.errors import FailFast
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.failures import ItemFailed, Transient, classify
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

Raw = TypeVar("Raw")
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is tried, and how long is waited between two attempts.

    The waits double from `first_wait_s` up to `max_wait_s`, shortened by up to half at random so that calls that
    failed together do not come back together. A wait that the server names is kept, up to `max_retry_after_s`.
    """

    max_attempts: int = 4
    first_wait_s: float = 1.0
    max_wait_s: float = 30.0
    max_retry_after_s: float = 60.0
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep

    def wait_s(self, failed_attempts: int, retry_after_s: float | None) -> float:
        """Seconds to wait after that many failed attempts (1 or more)."""
        if retry_after_s is not None:
            return min(retry_after_s, self.max_retry_after_s)
        return min(self.max_wait_s, self.first_wait_s * 2 ** (failed_attempts - 1)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Took:
    """What a call took. Tokens are None where the server does not say; `latency_s` is of the attempt that
    succeeded."""

    attempts: int
    latency_s: float
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A model's answer.

    Attributes:
        content: as sent; empty where there is none.
        refused: the model or the server's filter declined.
        cut: the answer ended because it reached the limit of its length.
    """

    content: str
    refused: bool
    cut: bool
    took: Took


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """Vectors as sent: nothing about their number, order, length or values has been checked."""

    vectors: list[Any]
    indexes: list[Any]
    took: Took


class LlmClient:
    """Calls to one model of one server. Belongs to the event loop that first uses it.

    Args:
        model: its name at the server.
        model_setting: the setting that holds that name, for messages.
        concurrency: calls in flight at once. A call that waits for its next attempt counts: when the server is
            busy, that slows everything down.

    Attributes:
        last_failure: what went wrong last, for whoever has to say why nothing works.

    Raises:
        FailFast: there is no usable key.
    """

    def __init__(self, endpoint: Endpoint, policy: RetryPolicy, model: str, model_setting: str, concurrency: int = 1):
        self.last_failure: ItemFailed | None = None
        self._policy = policy
        self._slots = asyncio.Semaphore(concurrency)
        self._timeout_s = endpoint.timeout_s
        self._model = model
        self._model_setting = model_setting
        self._fatal: FailFast | None = None
        self._sdk = endpoint.open()

    async def close(self) -> None:
        """Closes the connections."""
        await self._sdk.close()

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        schema_name: str,
        schema: Mapping[str, Any],
        max_output_tokens: int,
        max_attempts: int | None = None,
    ) -> ChatAnswer:
        """One structured answer.

        Args:
            schema: strict JSON schema of the answer. Not every server enforces it: check what comes back.
            max_attempts: fewer than the policy's, where attempts were spent already.

        Raises:
            FailFast: no call can succeed as things are set; from then on no call is made.
            ItemFailed: refused, too long, rejected, or every attempt failed.
        """
        response_format = {
            "type": "json_schema",
            "json_schema": {"name": schema_name, "strict": True, "schema": dict(schema)},
        }

        async def send() -> Any:
            return await self._sdk.chat.completions.create(
                model=self._model,
                messages=cast(Any, list(messages)),
                response_format=cast(Any, response_format),
                max_completion_tokens=max_output_tokens,
            )

        raw, attempts, latency_s = await self._attempt(send, _first_choice, max_attempts)
        completion, choice = raw
        content = choice.message.content
        return ChatAnswer(
            content=content if isinstance(content, str) else "",
            refused=bool(getattr(choice.message, "refusal", None)) or choice.finish_reason == "content_filter",
            cut=choice.finish_reason == "length",
            took=_took(completion, attempts, latency_s),
        )

    async def embed(self, texts: Sequence[str]) -> EmbeddingAnswer:
        """Vectors of `texts`, one call. The encoding (base64 of float32) is the SDK's choice.

        Raises:
            FailFast, ItemFailed: as for `chat`.
        """

        async def send() -> Any:
            return await self._sdk.embeddings.create(model=self._model, input=list(texts))

        (answer, rows), attempts, latency_s = await self._attempt(send, _rows, None)
        return EmbeddingAnswer(
            vectors=[getattr(row, "embedding", None) for row in rows],
            indexes=[getattr(row, "index", None) for row in rows],
            took=_took(answer, attempts, latency_s),
        )

    async def _attempt(
        self, send: Callable[[], Awaitable[Raw]], read: Callable[[Raw], Read], max_attempts: int | None
    ) -> tuple[Read, int, float]:
        """The answer, the number of attempts, and the seconds of the last one."""
        try:
            async with self._slots:
                return await self._attempt_in_slot(send, read, max_attempts or self._policy.max_attempts)
        except ItemFailed as failed:
            self.last_failure = failed
            raise

    async def _attempt_in_slot(
        self, send: Callable[[], Awaitable[Raw]], read: Callable[[Raw], Read], limit: int
    ) -> tuple[Read, int, float]:
        import openai

        for attempt in range(1, limit + 1):
            if self._fatal is not None:
                raise self._fatal
            started = time.monotonic()
            try:
                # The SDK's own timeout counts from byte to byte: a server that drips one now and then never ends.
                async with asyncio.timeout(self._timeout_s):
                    answer = read(await send())
                return answer, attempt, time.monotonic() - started
            except (openai.APIError, ValueError, TimeoutError) as error:
                failure = classify(error, self._model_setting)
            # Raised outside of the handler: the SDK's error, which may quote the key, must not hang on to ours.
            if isinstance(failure, FailFast):
                self._fatal = failure
            if not isinstance(failure, Transient):
                raise failure
            if attempt == limit:
                raise ItemFailed(Reason.LLM_ERROR, f"{failure.what}, after {attempt} attempts")
            wait_s = self._policy.wait_s(attempt, failure.retry_after_s)
            log.info("%s: attempt %d of %d failed, waiting %.1f s", failure.what, attempt, limit, wait_s)
            await self._policy.sleep(wait_s)
        raise ItemFailed(Reason.LLM_ERROR, "no attempt was allowed")


def _first_choice(completion: Any) -> tuple[Any, Any]:
    choices = getattr(completion, "choices", None)
    if not isinstance(choices, list) or not choices or getattr(choices[0], "message", None) is None:
        raise ValueError("not a chat completion")
    return completion, choices[0]


def _rows(answer: Any) -> tuple[Any, list[Any]]:
    rows = getattr(answer, "data", None)
    if not isinstance(rows, list):
        raise ValueError("not a list of embeddings")
    return answer, rows


def _took(answer: Any, attempts: int, latency_s: float) -> Took:
    usage = getattr(answer, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    return Took(
        attempts=attempts,
        latency_s=latency_s,
        input_tokens=_count(usage, "prompt_tokens"),
        cached_tokens=_count(details, "cached_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
    )


def _count(holder: Any, name: str) -> int | None:
    value = getattr(holder, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
