"""Records what the pipeline itself asks of LLMs: the table `llm_calls`, and PostHog where that is wanted.

Recording is optional to the work that it records: nothing here raises, and a call is noted in microseconds.
"""

import logging
import math
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from llma_assets.emission.identity import NAMESPACE
from llma_assets.lake import Lake
from llma_assets.lake.writer import TableWriter
from llma_assets.llm.call_record import CallRecord
from llma_assets.llm.capture import Capture
from llma_assets.llm.task import LlmTask
from llma_assets.tables.llm_calls import LLM_CALLS, LlmCallRow
from llma_assets.traces.safe_text import one_line

log = logging.getLogger(__name__)

TABLE = "llm_calls"
EVENTS = {"chat": "$ai_generation", "embedding": "$ai_embedding"}
TRACE_EVENT = "$ai_trace"

MAX_NAME_CHARS = 200
MAX_ERROR_CHARS = 500
# Rows kept for another try while the lake cannot be written; about 1 KB each.
MAX_UNWRITTEN_ROWS = 50_000
# A server that reports more than this is mistaken, and one such figure would drown every sum.
MAX_TOKENS = 10**9

_SUMMED = ("attempts", "input_tokens", "cached_input_tokens", "output_tokens", "cost_usd")


class Recorder:
    """Records the calls of one task. Thread-safe; nothing is written before `flush` or `close`.

    Args:
        lake: where the table is.
        task: what the calls are made for.
        capture: sends the same to PostHog; None does not.
        now: the clock, UTC; it says when the task began.
    """

    def __init__(self, lake: Lake, task: LlmTask, capture: Capture | None, now: Callable[[], datetime]):
        self._lake, self._task, self._capture, self._now = lake, task, capture, now
        self._began_at = now()
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()
        self._records: list[tuple[int, CallRecord]] = []
        self._recorded = 0
        self._closed = False
        self._sums = _Sums()
        self._unwritten: list[LlmCallRow] = []
        self._has_warned = False

    def call(self, record: CallRecord) -> None:
        """Note one call. Takes microseconds; after `close` it does nothing."""
        with self._lock:
            if not self._closed:
                self._records.append((self._recorded, record))
                self._recorded += 1

    def flush(self) -> None:
        """Write what was noted since the last flush as one more file of the partition. Never raises.

        Rows that could not be written wait for the next flush.
        """
        with self._swallowing(), self._flush_lock:
            self._write(self._take())

    def totals(self) -> dict[str, int | float | None]:
        """What the calls so far took: their number, dollars (None where none is known) and tokens."""
        with self._lock:
            waiting = [record for _, record in self._records]
            calls = self._recorded
        known = self._sums.columns()

        def total(name: str) -> Any:
            values = [known[name], *(getattr(record, name) for record in waiting)]
            found = [value for value in values if value is not None]
            return sum(found) if found else None

        names = {"cost_usd": "llm_cost_usd_of_this_run", "input_tokens": "llm_input_tokens_of_this_run",
                 "output_tokens": "llm_output_tokens_of_this_run"}  # fmt: skip
        return {"llm_calls_of_this_run": calls} | {shown: total(name) for name, shown in names.items()}

    def close(self, outcome: str, figures: Mapping[str, int | float]) -> None:
        """Write what is left and the `$ai_trace` row of the task. Never raises; a second time does nothing.

        Args:
            outcome: how the task ended: `ok`, `partial`, or `waiting: …` or `failed: …` with the reason.
            figures: what it did; `items` and `cache_hits` have columns of their own.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with self._swallowing(), self._flush_lock:
            rows = self._take()
            self._write([*rows, self._trace_row(outcome, figures)])
        if self._capture is not None:
            self._capture.deliver()

    def _take(self) -> list[LlmCallRow]:
        with self._lock:
            records, self._records = self._records, []
        rows = []
        for number, record in records:
            with self._swallowing():
                rows.append(_call_row(self._task, number, record))
        self._sums.add(rows)
        return rows

    def _write(self, rows: list[LlmCallRow]) -> None:
        self._unwritten.extend(rows)
        if self._capture is not None:
            self._capture.send(rows)
        if not self._unwritten:
            return
        # Named by its first row: if a write fails after the file appeared, the next try replaces that file.
        path = self._lake.path(TABLE, self._task.team_day, f"{self._unwritten[0]['uuid']}.parquet")
        try:
            table = LLM_CALLS.arrow(self._unwritten)
            with TableWriter(self._lake, TABLE, path, ("uuid", "input", "output")) as writer:
                writer.write(table)
                writer.commit()
        except Exception:
            del self._unwritten[MAX_UNWRITTEN_ROWS:]
            raise
        self._unwritten = []

    def _trace_row(self, outcome: str, figures: Mapping[str, int | float]) -> LlmCallRow:
        shown = one_line(outcome, MAX_ERROR_CHARS)
        failed = shown.startswith("failed")
        latency_s = max(0.0, (self._now() - self._began_at).total_seconds())
        row = _row(self._task, TRACE_EVENT, "trace", self._began_at) | {
            "latency_s": latency_s,
            "is_error": failed,
            "error": shown if failed else None,
            "outcome": shown,
            "items": _count(figures.get("items")),
            "cache_hits": _count(figures.get("cache_hits")),
            "figures": orjson.dumps(dict(figures), option=orjson.OPT_SORT_KEYS).decode(),
        }
        return cast("LlmCallRow", row | self._sums.columns())

    @contextmanager
    def _swallowing(self) -> Iterator[None]:
        """Errors of recording end here; they are told, not raised."""
        try:
            yield
        except Exception as error:
            with suppress(Exception):
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        # Once a task: a full disk would otherwise be told at every flush.
        level = logging.DEBUG if self._has_warned else logging.WARNING
        self._has_warned = True
        reason = one_line(str(error), MAX_ERROR_CHARS)
        log.log(level, "LLM calls of %s %s are not recorded: %s", self._task.asset, self._task.team_day, reason)


class NullRecorder:
    """Records nothing, for work without calls and for tests."""

    def totals(self) -> dict[str, int | float | None]:
        """Nothing."""
        return {}

    def call(self, record: CallRecord) -> None:
        """Does nothing."""

    def flush(self) -> None:
        """Does nothing."""

    def close(self, outcome: str, figures: Mapping[str, int | float]) -> None:
        """Does nothing."""


class _Sums:
    """What the calls of a task took together. A sum is null as long as nothing of it is known."""

    def __init__(self) -> None:
        self._totals: dict[str, Any] = dict.fromkeys(_SUMMED)
        self._calls = self._failed = self._unpriced = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._calls += 1
            self._failed += row["is_error"]
            self._unpriced += row["cost_usd"] is None and not (row["is_error"] and row["input_tokens"] is None)
            for name in _SUMMED:
                if row[name] is not None:
                    self._totals[name] = (self._totals[name] or 0) + row[name]

    def columns(self) -> dict[str, Any]:
        counts = {"calls": self._calls, "calls_failed": self._failed, "calls_unpriced": self._unpriced}
        return self._totals | counts


def _call_row(task: LlmTask, number: int, record: CallRecord) -> LlmCallRow:
    return _row(task, EVENTS[record.kind], str(number), record.called_at) | {
        "model": _name(record.model),
        "provider": _name(record.provider),
        "subject": _name(record.subject),
        "attempts": _count(record.attempts),
        "input_tokens": _count(record.input_tokens),
        "cached_input_tokens": _count(record.cached_input_tokens),
        "output_tokens": _count(record.output_tokens),
        "cost_usd": _amount(record.cost_usd),
        "latency_s": _amount(record.latency_s),
        "stop_reason": _name(record.stop_reason),
        "is_error": record.error is not None,
        "error": None if record.error is None else one_line(record.error, MAX_ERROR_CHARS),
        "is_batch": record.is_batch,
        "prompt_version": _name(record.prompt_version),
        "input": _unicode(record.input),
        "output": _unicode(record.output),
    }


def _row(task: LlmTask, event: str, number: str, at: datetime) -> LlmCallRow:
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    # The time tells a repeated step's calls from those of the first try, whose trace id and numbers are the same.
    name = f"{task.trace_id}/{number}/{at.isoformat(timespec='microseconds')}"
    return LLM_CALLS.blank() | {
        "team_id": task.team_day.team,
        "date": task.team_day.day,
        "event": event,
        "uuid": str(uuid.uuid5(NAMESPACE, name)),
        "trace_id": task.trace_id,
        "asset": task.asset,
        "clustering_job": None,  # A task names all clustering jobs of its day.
        "dagster_run_id": task.dagster_run_id or None,
        "called_at": at,
    }


def _name(text: str | None) -> str | None:
    return None if text is None else one_line(text, MAX_NAME_CHARS)


def _unicode(text: str | None) -> str | None:
    """Text that Parquet takes: lone surrogates become question marks."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def _count(value: int | float | None) -> int | None:
    return int(value) if value is not None and 0 <= value <= MAX_TOKENS else None


def _amount(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value >= 0 else None
