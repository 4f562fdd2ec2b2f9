"""Sends what was recorded to PostHog through its SDK, where a key is set. Never raises, hardly ever waits.

The SDK queues events and sends them from a daemon thread. What could still do harm is bounded here: finished work
waits at most `DELIVERY_WAIT_S` for its last events, and not again in this process once that was too short; the SDK
itself takes one second when the process ends; and what it logs becomes one line, without the key, said once.
"""

import logging
import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llma_assets.traces.safe_text import one_line
from llma_assets.vocabulary import OWN_TRAFFIC_PROPERTY

if TYPE_CHECKING:
    from posthog import Client

log = logging.getLogger(__name__)

# The names that PostHog's own guides and tools use for the project's key; the first one that is set is taken.
KEY_VARIABLES = ("POSTHOG_API_KEY", "POSTHOG_PROJECT_API_KEY")
HOST_VARIABLE = "POSTHOG_HOST"
OPT_OUT_VARIABLE = "OPT_OUT_CAPTURE"
# Personal keys read and change a whole account; an event carries its key in the open.
PERSONAL_KEY_PREFIX = "phx_"

DISTINCT_ID = "llma_assets"

# What one finished piece of work may wait for its last events to arrive.
DELIVERY_WAIT_S = 1.0
REQUEST_TIMEOUT_S = 5.0
MAX_RETRIES = 1
# Events without content are about 2 KB each.
MAX_QUEUED = 10_000
# Content is left out of events beyond this, so that a dead endpoint costs megabytes and not gigabytes.
MAX_QUEUED_WITH_CONTENT = 1_000
# The SDK drops an event whose JSON passes 900 KiB, and JSON needs up to 12 bytes for one character.
MAX_CONTENT_CHARS = 20_000

_ON, _OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})
_KEY = re.compile(r"[!-~]{1,200}")

# Columns of `llm_calls` and the properties that hold them.
_PROPERTIES = {
    "trace_id": "$ai_trace_id",
    "model": "$ai_model",
    "provider": "$ai_provider",
    "input_tokens": "$ai_input_tokens",
    "cached_input_tokens": "$ai_cache_read_input_tokens",
    "output_tokens": "$ai_output_tokens",
    "latency_s": "$ai_latency",
    "cost_usd": "$ai_total_cost_usd",
    "stop_reason": "$ai_stop_reason",
    "is_error": "$ai_is_error",
    "error": "$ai_error",
}
# Sums of a trace would be added to those of its calls: they go under names of our own.
_SUMS = {"attempts", "input_tokens", "cached_input_tokens", "output_tokens", "cost_usd"}
_OWN = ("team_id", "date", "asset", "clustering_job", "dagster_run_id", "subject", "attempts", "is_batch",
        "prompt_version", "outcome", "items", "cache_hits", "calls", "calls_failed", "calls_unpriced")  # fmt: skip

_open_lock = threading.Lock()
_open: dict[tuple[str, str | None], "Capture"] = {}


def open_capture(environ: Mapping[str, str] = os.environ) -> "Capture | None":
    """The way to PostHog that the environment asks for; None where it asks for none or it cannot be had.

    One is shared by all work of a process: the SDK wants one client a process. Never raises; what is wrong with
    the settings is logged once, without any value of theirs that may be secret.

    Args:
        environ: a key in `POSTHOG_API_KEY` or `POSTHOG_PROJECT_API_KEY` turns it on, `OPT_OUT_CAPTURE` off again;
            `POSTHOG_HOST` is where events go, by default the SDK's own default.
    """
    variable, key = next(
        ((name, found) for name in KEY_VARIABLES if (found := environ.get(name, "").strip())), ("", "")
    )
    if not key or is_opted_out(environ.get(OPT_OUT_VARIABLE)):
        return None
    if key.startswith(PERSONAL_KEY_PREFIX) or not _KEY.fullmatch(key):
        _warn_once(f"{variable} does not hold the key of a project; nothing is sent to PostHog")
        return None
    host = environ.get(HOST_VARIABLE, "").strip() or None
    if host is not None and not _is_plain_url(host):
        _warn_once(f"{HOST_VARIABLE} is not a plain http:// or https:// address; nothing is sent to PostHog")
        return None
    with _open_lock:
        if (key, host) not in _open:
            client = _client(key, host)
            if client is None:
                return None
            _open[key, host] = Capture(client)
        return _open[key, host]


def is_opted_out(value: str | None) -> bool:
    """Whether `OPT_OUT_CAPTURE` says so: 1, true, yes or on in any case.

    Unset, blank, 0, false, no and off do not. Anything else is taken as yes, the private side, with a warning.
    """
    word = (value or "").strip().lower()
    if word in _ON | _OFF:
        return word in _ON
    _warn_once(
        f"{OPT_OUT_VARIABLE}: {one_line(word, 40)!r} is not one of 1, true, yes, on, 0, false, no, off;"
        " taken as yes: nothing is sent to PostHog"
    )
    return True


class Capture:
    """Events on their way to PostHog. Thread-safe."""

    def __init__(self, client: "Client"):
        self._client = client
        self._may_wait = True

    def send(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Queue one event for each row of `llm_calls`; about 0.1 ms a row. Neither waits for the network nor raises."""
        try:
            for row in rows:
                with_content = self._client.queue.qsize() < MAX_QUEUED_WITH_CONTENT
                self._client.capture(
                    row["event"],
                    distinct_id=DISTINCT_ID,
                    properties=properties_of(row, with_content),
                    timestamp=row["called_at"],
                    uuid=row["uuid"],
                )
        except Exception as error:
            # Not what it says: that may quote the key.
            _warn_once(f"PostHog's SDK failed to take an event ({type(error).__name__})")

    def deliver(self) -> None:
        """Wait until what is queued has arrived, at most `DELIVERY_WAIT_S`. Never raises.

        Once that was not enough, this process waits no more: the rest goes out in the background, or is lost.
        """
        if not self._may_wait:
            return
        # In a thread of its own, because a flush may take longer than it was told.
        waiting = threading.Thread(target=self._flush, name="posthog-flush", daemon=True)
        try:
            waiting.start()
        except RuntimeError:
            # No more threads, or the interpreter is ending: then the SDK's own try at exit has to do.
            return
        waiting.join(DELIVERY_WAIT_S)
        if waiting.is_alive():
            self._may_wait = False
            _warn_once(f"PostHog took no events within {DELIVERY_WAIT_S:g} s; this process does not wait for it again")

    def _flush(self) -> None:
        with suppress(Exception):
            self._client.flush()


def properties_of(row: Mapping[str, Any], with_content: bool = True) -> dict[str, Any]:
    """Properties of the event of one row of `llm_calls`; what is null is left out."""
    is_trace = row["event"] == "$ai_trace"
    names = {column: f"llma_{column}" for column in _OWN} | _PROPERTIES
    if is_trace:
        names |= {column: f"llma_{column}" for column in _SUMS}
    found = {name: row.get(column) for column, name in names.items()}
    found |= {"llma_date": row["date"].isoformat(), "$ai_span_name": row["asset"]}
    if not is_trace:
        found |= {"$ai_span_id": row["uuid"], "$ai_parent_id": row["trace_id"]}
        # Our input tokens include cached ones, whoever the provider is.
        found["$ai_cache_reporting_exclusive"] = False
        if with_content:
            found |= _content(row)
    # No person is behind these calls, and none is made up for them.
    fixed = {OWN_TRAFFIC_PROPERTY: True, "$process_person_profile": False}
    return {name: value for name, value in found.items() if value is not None} | fixed


def _content(row: Mapping[str, Any]) -> dict[str, Any]:
    sent, received = _shortened(row.get("input")), _shortened(row.get("output"))
    is_chat = row["event"] == "$ai_generation"
    found: dict[str, Any] = {}
    if sent is not None:
        found["$ai_input"] = [{"role": "user", "content": sent}] if is_chat else sent
    if received is not None:
        found["$ai_output_choices"] = [{"role": "assistant", "content": received}]
    return found


def _shortened(text: str | None) -> str | None:
    if text is None or len(text) <= MAX_CONTENT_CHARS:
        return text
    edge = MAX_CONTENT_CHARS // 2
    return f"{text[:edge]}\n… ({len(text) - 2 * edge} chars left out) …\n{text[-edge:]}"


def _is_plain_url(host: str) -> bool:
    try:
        parts = urlsplit(host)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is parts.password is None
    except ValueError:
        return False


def _client(key: str, host: str | None) -> "Client | None":
    try:
        import posthog
    except ImportError:
        _warn_once("a PostHog key is set, but its SDK is not installed: pip install 'llma-assets[posthog]'")
        return None
    try:
        logging.getLogger("posthog").addFilter(_sdk_log(key))
        return posthog.Client(
            key,
            host=host,
            max_queue_size=MAX_QUEUED,
            max_retries=MAX_RETRIES,
            timeout=REQUEST_TIMEOUT_S,
            enable_exception_autocapture=False,
            enable_local_evaluation=False,
        )
    except Exception as error:
        _warn_once(f"PostHog's SDK could not be started ({type(error).__name__}); nothing is sent to PostHog")
        return None


class _SdkLog(logging.Filter):
    """What the SDK logs, made fit for ours: one line, without the key, each kind of trouble once."""

    def __init__(self, key: str):
        super().__init__()
        self._key = key
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = one_line(record.getMessage().replace(self._key, "[key]"), 300)
        # A trace-back shows the server's answer on many lines.
        record.msg, record.args, record.exc_info, record.exc_text = text, (), None, None
        # Its first words tell what went wrong, what follows them which event or request it was.
        kind = text[:30]
        is_new = kind not in self._said
        self._said.add(kind)
        return is_new


@cache
def _sdk_log(key: str) -> _SdkLog:
    """One for each key and process: a filter for each client would pile up on the SDK's logger."""
    return _SdkLog(key)


@cache
def _warn_once(text: str) -> None:
    log.warning(text)
