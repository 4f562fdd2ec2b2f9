"""The one way to a server: every call, its attempts, its deadline, what it took and what it cost."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from llma_assets.errors import BudgetExhausted, FailFast, LlmaError, RetryLater
from llma_assets.llm.access import Access
from llma_assets.llm.call_record import CallRecord
from llma_assets.llm.circuit import Circuit
from llma_assets.llm.dialect import Dialect
from llma_assets.llm.failures import ItemFailed, Transient, classify, is_certainly_unpaid, words_of
from llma_assets.llm.meter import Meter, Usage
from llma_assets.llm.pace import Pace
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

Raw = TypeVar("Raw")
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class CallUsage:
    """What a call took. `latency_s` is of the attempt that succeeded; cost None where it is not known."""

    attempts: int
    latency_s: float
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None


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
    spent: CallUsage


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """Vectors as sent: nothing about their number, order, length or values has been checked."""

    vectors: list[Any]
    indexes: list[Any]
    spent: CallUsage


@dataclass(frozen=True, slots=True)
class _Call:
    """One call as its attempts and its record see it. `request` makes the arguments for a dialect."""

    kind: Literal["chat", "embedding"]
    subject: str
    prompt_version: str | None
    request: Callable[[Dialect], dict[str, Any]]
    max_output_tokens: int
    max_attempts: int


class LlmClient:
    """Calls to one model of one server. Belongs to the event loop that first uses it.

    Args:
        model: its name at the server.
        model_setting: the setting that holds that name, for messages.

    Attributes:
        circuit: stops everything when too much fails; whoever reads answers tells it whether they were of use.

    Raises:
        FailFast: there is no usable key.
        InputRejected: a budget is set, and the model's price is not known.
    """

    def __init__(self, access: Access, model: str, model_setting: str):
        self.circuit = Circuit(model_setting)
        self._access = access
        self._policy = access.policy
        self._model, self._model_setting = model, model_setting
        self._pace = Pace(access.concurrency, access.policy.sleep)
        self._meter = Meter(access.price(model), access.budget, model, model_setting)
        self._stopped: LlmaError | None = None
        self._sdk = access.endpoint.open()

    async def close(self) -> None:
        """Closes the connections."""
        await self._sdk.close()

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        schema_name: str,
        schema: Mapping[str, Any],
        max_output_tokens: int,
        *,
        subject: str = "",
        prompt_version: str | None = None,
        max_attempts: int | None = None,
    ) -> ChatAnswer:
        """One structured answer.

        Args:
            schema: strict JSON schema of the answer. Not every server enforces it: check what comes back.
            subject, prompt_version: for the record of the call.
            max_attempts: fewer than the policy's, where attempts were spent already.

        Raises:
            FailFast, RetryLater: no call can succeed as things are; from then on no call is made.
            BudgetExhausted: the call could cost more than is left; from then on no call is made.
            ItemFailed: refused, too long, rejected, or every attempt failed.
        """
        safe = [{**message, "content": self._redacted(message["content"])} for message in messages]

        def request(dialect: Dialect) -> dict[str, Any]:
            return {"model": self._model} | dialect.request(safe, schema_name, schema, max_output_tokens)

        call = _Call(
            "chat", subject, prompt_version, request, max_output_tokens, max_attempts or self._policy.max_attempts
        )
        (_, choice), spent = await self._run(call, self._complete, _first_choice)
        content = choice.message.content
        return ChatAnswer(
            content=content if isinstance(content, str) else "",
            refused=bool(getattr(choice.message, "refusal", None)) or choice.finish_reason == "content_filter",
            cut=choice.finish_reason == "length",
            spent=spent,
        )

    async def embed(self, texts: Sequence[str], dimensions: int | None = None, subject: str = "") -> EmbeddingAnswer:
        """Vectors of `texts`, one call. The encoding (base64 of float32) is the SDK's choice.

        Args:
            dimensions: length of the vectors, for models that can shorten them.

        Raises:
            FailFast, RetryLater, BudgetExhausted, ItemFailed: as for `chat`.
        """
        wanted: dict[str, Any] = {"model": self._model, "input": [self._redacted(text) for text in texts]}
        if dimensions is not None:
            wanted["dimensions"] = dimensions
        call = _Call("embedding", subject, None, lambda _: wanted, 0, self._policy.max_attempts)
        (_, rows), spent = await self._run(call, self._embed, _rows)
        return EmbeddingAnswer(
            vectors=[getattr(row, "embedding", None) for row in rows],
            indexes=[getattr(row, "index", None) for row in rows],
            spent=spent,
        )

    async def _complete(self, **request: Any) -> Any:
        from openai.types.chat import ChatCompletion

        # The SDK's typed method walks through the whole request first, which is a quarter of a call's CPU time.
        return await self._sdk.post("/chat/completions", cast_to=ChatCompletion, body=request)

    async def _embed(self, **request: Any) -> Any:
        try:
            return await self._sdk.embeddings.create(**request)
        except (AttributeError, TypeError):
            # The SDK decodes the vectors, and takes every row for an object.
            raise ValueError("not a list of embeddings") from None

    def stop(self, error: LlmaError) -> None:
        """No attempt begins any more; those in flight come to their end."""
        self._stopped = self._stopped or error

    def _redacted(self, text: str) -> str:
        if self._access.redact is None:
            return text
        try:
            return self._access.redact(text)
        except Exception as error:
            # Its message may quote the text.
            raise ItemFailed(Reason.REDACTION_FAILED, f"redaction failed ({type(error).__name__})", True) from None

    async def _run(
        self, call: _Call, send: Callable[..., Awaitable[Raw]], read: Callable[[Raw], Read]
    ) -> tuple[Read, CallUsage]:
        """The answer of a call with all its attempts, recorded however it ends."""
        began, called_at = time.monotonic(), self._access.now()
        attempts: list[float] = []
        try:
            answer, spent = await self._attempts(call, send, read, attempts)
        except (LlmaError, asyncio.CancelledError) as error:
            if isinstance(error, ItemFailed):
                self.circuit.failed(error)
            if attempts:
                said = str(error) or "stopped"
                self._record(call, called_at, CallUsage(len(attempts), time.monotonic() - began), error=said)
            raise
        self.circuit.answered()
        self._record(call, called_at, spent, answer)
        return answer, spent

    async def _attempts(
        self, call: _Call, send: Callable[..., Awaitable[Raw]], read: Callable[[Raw], Read], attempts: list[float]
    ) -> tuple[Read, CallUsage]:
        first_sent_at: float | None = None
        while True:
            sent_at = await self._pace.enter()
            first_sent_at = first_sent_at or sent_at
            try:
                outcome = await self._attempt(call, send, read, attempts)
            finally:
                self._pace.leave()
            if not isinstance(outcome, Transient):
                self._pace.speed_up()
                return outcome
            wait_s = self._policy.wait_s(len(attempts), outcome.retry_after_s)
            self._pace.slow_down(sent_at, wait_s if outcome.retry_after_s is not None else None)
            if len(attempts) >= call.max_attempts:
                raise ItemFailed(Reason.LLM_ERROR, f"{outcome.what}, after {len(attempts)} attempts")
            if time.monotonic() + wait_s - first_sent_at > self._policy.max_call_s:
                limit = f"the limit of {self._policy.max_call_s:g} s for one call"
                raise ItemFailed(Reason.LLM_ERROR, f"{outcome.what}, and another attempt would pass {limit}")
            log.info("%s: attempt %d of %d, again in %.1f s", outcome.what, len(attempts), call.max_attempts, wait_s)
            # A wait that the server names is everybody's: this call meets it when it enters again.
            if outcome.retry_after_s is None:
                await self._policy.sleep(wait_s)

    async def _attempt(
        self, call: _Call, send: Callable[..., Awaitable[Raw]], read: Callable[[Raw], Read], attempts: list[float]
    ) -> tuple[Read, CallUsage] | Transient:
        """One attempt; refusals of the dialect do not count."""
        import openai

        while True:
            dialect = self._dialect
            request = call.request(dialect)
            try:
                reservation = await self._meter.reserve(request, call.max_output_tokens)
            except BudgetExhausted as error:
                if call.kind == "chat" and self._meter.has_room_for_more(call.max_output_tokens):
                    raise ItemFailed(Reason.BUDGET_EXHAUSTED, str(error)) from None
                self.stop(error)
                raise
            usd: float | None = None
            try:
                self._check_stopped()
                attempts.append(time.monotonic())
                # The SDK's own timeout counts from byte to byte: a server that drips one now and then never ends.
                async with asyncio.timeout(self._access.endpoint.timeout_s):
                    raw = await send(**request)
                latency_s = time.monotonic() - attempts[-1]
                usage = _usage(raw)
                usd = self._meter.cost_usd(usage)
                return read(raw), CallUsage(len(attempts), latency_s, usage, usd)
            except (openai.APIError, ValueError, TimeoutError) as error:
                failure = classify(error, self._model_setting)
                if is_certainly_unpaid(error):
                    usd = 0.0
                if self._dialect != dialect or self._learned(dialect, error):
                    attempts.pop()
                    continue
            except LlmaError:
                usd = 0.0
                raise
            finally:
                self._meter.settle(reservation, usd)
            # Raised outside of the handler: the SDK's error, which may quote the key, must not hang on to ours.
            if isinstance(failure, FailFast):
                self.stop(failure)
            if not isinstance(failure, Transient):
                raise failure
            return failure

    @property
    def _dialect(self) -> Dialect:
        return self._access.dialects.get(self._server, Dialect())

    @property
    def _server(self) -> tuple[str, str]:
        return self._access.endpoint.url, self._model

    def _learned(self, used: Dialect, error: Exception) -> bool:
        """Whether the server's refusal was about the dialect, and another one is left to try."""
        status, param, message = words_of(error)
        plainer = used.plainer(status, param, message) if status else None
        if plainer is None:
            return False
        log.info("%s does not take %s; asking in another way", self._access.endpoint.shown_url, used)
        self._access.dialects[self._server] = plainer
        return True

    def _check_stopped(self) -> None:
        error = self._stopped or self.circuit.error
        if error is None and self._access.is_past_deadline():
            error = RetryLater("the time for this work (LLMA_OPENAI_DEADLINE_S) is over; what was finished is kept")
            self.stop(error)
        if error is not None:
            raise error

    def _record(
        self, call: _Call, called_at: datetime, spent: CallUsage, answer: Any = None, error: str | None = None
    ) -> None:
        choice = answer[1] if call.kind == "chat" and answer is not None else None
        wanted = call.request(self._dialect) if self._access.is_content_recorded else {}
        sent = wanted.get("messages", wanted.get("input"))
        self._access.recorder.call(
            CallRecord(
                called_at=called_at,
                kind=call.kind,
                model=self._model,
                provider=self._access.endpoint.provider,
                subject=call.subject,
                attempts=spent.attempts,
                latency_s=spent.latency_s,
                input_tokens=spent.usage.input_tokens,
                cached_input_tokens=spent.usage.cached_tokens,
                output_tokens=spent.usage.output_tokens,
                cost_usd=spent.cost_usd,
                stop_reason=getattr(choice, "finish_reason", None),
                error=error,
                prompt_version=call.prompt_version,
                input=None if sent is None else str(sent),
                output=choice.message.content if choice is not None and self._access.is_content_recorded else None,
            )
        )


def _first_choice(completion: Any) -> tuple[Any, Any]:
    choices = getattr(completion, "choices", None)
    # The SDK does not check: what should be a message may be a text or a list.
    if not isinstance(choices, list) or not choices or not hasattr(getattr(choices[0], "message", None), "content"):
        raise ValueError("not a chat completion")
    return completion, choices[0]


def _rows(answer: Any) -> tuple[Any, list[Any]]:
    rows = getattr(answer, "data", None)
    if not isinstance(rows, list):
        raise ValueError("not a list of embeddings")
    return answer, rows


def _usage(answer: Any) -> Usage:
    usage = getattr(answer, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if written is None and read is not None and _count(usage, "total_tokens") == read:
        written = 0  # embeddings have no output
    return Usage(read, _count(details, "cached_tokens"), written)


def _count(holder: Any, name: str) -> int | None:
    value = getattr(holder, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
