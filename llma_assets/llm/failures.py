"""What a failed call means: for the run, for this item, or only for now.

No message repeats what the server wrote: it may quote the key, or the customer's text.
"""

import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass

from llma_assets.errors import FailFast, LlmaError
from llma_assets.llm.endpoint import KEY_VARIABLE, URL_SETTING
from llma_assets.vocabulary import Reason

_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated"})
_REFUSED = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "invalid_prompt"})
_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"})
# Each server words it in its own way and several give no code. "request too large" is a limit per minute that one
# item alone exceeds: waiting does not help.
_TOO_LONG_TEXT = re.compile(
    r"context[ _](?:length|window|size)|maximum (?:input|context|sequence) length|too many (?:input )?tokens"
    r"|request too large|(?:input|prompt) is too long|reduce the length"
)
_REFUSED_TEXT = re.compile(r"content (?:management|filter|policy)|flagged")
# A word or a small number: nothing that could be a key.
_CODE = re.compile(r"[A-Za-z_]{1,60}|[0-9]{1,6}")
_BUSY = frozenset({408, 409, 425, 429})


class ItemFailed(LlmaError):
    """This item cannot be had; the others may.

    Attributes:
        reason: what the data says.
        permanent: the same call would fail again.
    """

    def __init__(self, reason: Reason, message: str, permanent: bool = False):
        super().__init__(message)
        self.reason = reason
        self.permanent = permanent

    @property
    def outcome(self) -> Reason:
        """What the data says of an item that only this happened to: refused, where another try would be, too."""
        return Reason.REFUSED if self.permanent and self.reason == Reason.LLM_ERROR else self.reason


@dataclass(frozen=True, slots=True)
class Transient:
    """The same call may succeed later; `retry_after_s` is the server's wish, where it has one."""

    what: str
    retry_after_s: float | None = None


def classify(error: Exception, model_setting: str) -> FailFast | ItemFailed | Transient:
    """Sort what the SDK raised.

    Args:
        error: an `openai.APIError`, a timeout, or a ValueError for an answer that cannot be read.
        model_setting: the setting that holds the model's name, for the message.
    """
    import openai

    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return Transient("no answer in time")
    if isinstance(error, openai.APIConnectionError):
        return Transient(f"no connection to the server of {URL_SETTING}")
    if not isinstance(error, openai.APIStatusError):
        return Transient("an answer that is not of OpenAI's protocol")
    codes = {str(value).lower() for value in (error.code, error.type) if value is not None}
    return _of_status(error.status_code, codes, str(error.message).lower(), error.response.headers, model_setting)


def _of_status(
    status: int, codes: set[str], message: str, headers: Mapping[str, str], model_setting: str
) -> FailFast | ItemFailed | Transient:
    shown = f"HTTP {status}" + "".join(f" {code}" for code in sorted(codes) if _CODE.fullmatch(code))
    if status == 402 or codes & _QUOTA:
        return FailFast(f"the quota or credit of the account behind {KEY_VARIABLE} is used up ({shown})")
    if status in (400, 403, 413, 422, 429):
        if status == 413 or codes & _TOO_LONG or _TOO_LONG_TEXT.search(message):
            return ItemFailed(Reason.CONTEXT_TOO_LONG, f"the text is too long for the model ({shown})", True)
        if codes & _REFUSED or (status in (400, 403) and _REFUSED_TEXT.search(message)):
            return ItemFailed(Reason.REFUSED, f"the server's content filter refused the text ({shown})", True)
    if status == 401:
        return FailFast(f"the server refuses the key in {KEY_VARIABLE} ({shown})")
    if status == 403:
        return FailFast(f"the key in {KEY_VARIABLE} has no access to the model in {model_setting} ({shown})")
    if status == 404 or "model_not_found" in codes:
        return FailFast(f"the server has no such model or path ({shown}); check {model_setting} and {URL_SETTING}")
    if status < 400:
        return FailFast(f"the server redirects elsewhere ({shown}); set {URL_SETTING} to the final address")
    if status in _BUSY or status >= 500:
        return Transient(shown, retry_after_s(headers))
    if codes & {"unsupported_parameter", "unsupported_value", "unknown_parameter", "invalid_model"}:
        return FailFast(f"the model in {model_setting} does not take such a request ({shown})")
    # One odd item may cause it; whether it is the setting shows when the others fail as well.
    return ItemFailed(Reason.LLM_ERROR, f"the server rejects the request ({shown}); check {model_setting}", True)


def words_of(error: Exception) -> tuple[int, str | None, str]:
    """Status, parameter and message of a refusal, to find out what it is about; 0 where no server answered.

    The message may quote the key or the text: it is for comparing, never for showing.
    """
    import openai

    if not isinstance(error, openai.APIStatusError):
        return 0, None, ""
    param = error.param if isinstance(error.param, str) else None
    return error.status_code, param, f"{error.message} {error.body}"


def is_certainly_unpaid(error: Exception) -> bool:
    """Whether no tokens can have been billed: the server refused, or was never reached."""
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return True
    return isinstance(error, openai.APIConnectionError) and isinstance(
        error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait; None where it does not say, or says nonsense.

    A date is read relative to the answer's own `Date`, so that no clock of ours is involved.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value):
            return float(value) * unit_s
    try:
        then = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        now = email.utils.parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError):
        return None
