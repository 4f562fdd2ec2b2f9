"""One LLM call with all its attempts, as it ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call with all its attempts, as it ended.

    Attributes:
        called_at: start of the first attempt, UTC.
        kind: a chat call becomes `$ai_generation`, an embedding call `$ai_embedding`.
        model: name of the model that was asked.
        provider: who runs it, such as `openai`.
        subject: what it was about: `trace <id>`, `128 texts`, a clustering run id.
        attempts: requests sent, the last one included.
        latency_s: seconds from the first attempt to the end, waits included.
        input_tokens: tokens read, cached ones included; None where the server did not say.
        cached_input_tokens: those of the input tokens that were read from the server's cache.
        output_tokens: tokens written.
        cost_usd: None where the price is not known.
        stop_reason: why the model stopped, in the server's words.
        error: why the call failed; None where it did not.
        is_batch: whether it went through a batch API, at its price.
        prompt_version: version of the prompt, where there is one.
        input: the text sent; only where recording content was asked for.
        output: the text received; likewise.
    """

    called_at: datetime
    kind: Literal["chat", "embedding"]
    model: str
    provider: str
    subject: str
    attempts: int
    latency_s: float
    input_tokens: int | None
    cached_input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    stop_reason: str | None
    error: str | None
    is_batch: bool = False
    prompt_version: str | None = None
    input: str | None = None
    output: str | None = None
