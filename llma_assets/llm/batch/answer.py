"""Reads what a batch answered to one request, as `client` reads a direct answer."""

from collections.abc import Mapping
from typing import Any

from llma_assets.errors import FailFast
from llma_assets.llm.batch.file import ENDPOINT, BatchResult
from llma_assets.llm.client import CallUsage, ChatAnswer
from llma_assets.llm.endpoint import OPENAI_URL
from llma_assets.llm.failures import ItemFailed, Transient, classify
from llma_assets.llm.meter import Usage
from llma_assets.vocabulary import Reason


def read_answer(result: BatchResult, model_setting: str, cost_usd: float | None) -> ChatAnswer:
    """The answer of a request that was carried out.

    Args:
        model_setting: the setting that holds the model's name, for messages.
        cost_usd: what it cost.

    Raises:
        ItemFailed: refused, too long, or failed at the server.
        FailFast: no request can succeed as things are set.
    """
    if result.status_code != 200:
        failure = _failure(result, model_setting)
        # Another attempt would take another day: what a direct call tries again is here a reason.
        raise ItemFailed(Reason.LLM_ERROR, failure.what) if isinstance(failure, Transient) else failure
    choices = result.body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise ItemFailed(Reason.LLM_ERROR, "an answer that is not of OpenAI's protocol")
    content = message.get("content")
    return ChatAnswer(
        content=content if isinstance(content, str) else "",
        refused=bool(message.get("refusal")) or choice.get("finish_reason") == "content_filter",
        cut=choice.get("finish_reason") == "length",
        spent=CallUsage(1, 0.0, usage_of(result.body), cost_usd),
    )


def usage_of(body: Mapping[str, Any]) -> Usage:
    """Tokens that an answer reports."""
    usage = _dict(body.get("usage"))
    cached = _dict(usage.get("prompt_tokens_details")).get("cached_tokens")
    return Usage(_count(usage.get("prompt_tokens")), _count(cached), _count(usage.get("completion_tokens")))


def _failure(result: BatchResult, model_setting: str) -> FailFast | ItemFailed | Transient:
    """The failure sorted as that of a direct call: through the error that the SDK would have raised."""
    import httpx2
    import openai

    status = result.status_code or 500
    response = httpx2.Response(status, request=httpx2.Request("POST", OPENAI_URL + ENDPOINT.removeprefix("/v1")))
    error = _dict(result.body.get("error")) or dict(result.body)
    return classify(openai.APIStatusError(str(error.get("message", "")), response=response, body=error), model_setting)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
