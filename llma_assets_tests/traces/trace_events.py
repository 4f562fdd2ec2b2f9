"""Events for the tests of traces and summaries: made by hand, and a few real ones."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from llma_assets.traces.event import Event
from llma_assets_tests import FIXTURES

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRACE = "trace-1"
# Fifteen events of seven traces: an airline agent, four single prompts, two retrieval prompts
# (MIT: sierra-research/tau2-bench; Apache-2.0: lmarena/arena-hard-auto, ShishirPatil/gorilla).
REAL = FIXTURES / "real_traces.jsonl"


def event(
    kind: str,
    properties: dict[str, Any] | None = None,
    *,
    uuid: str = "",
    span: str | None = None,
    parent: str | None = None,
    at: float = 0.0,
) -> Event:
    """One event, `at` seconds after `START`."""
    name = uuid or span or f"{kind}-{at}"
    moment = START + timedelta(seconds=at)
    return Event(name, f"$ai_{kind}", moment, TRACE, span, parent, properties or {})


def generation(given: Any, answered: Any = None, **place: Any) -> Event:
    return event("generation", {"$ai_model": "m", "$ai_input": given, "$ai_output_choices": answered}, **place)


def real_traces() -> list[list[Event]]:
    """The events of each real trace, in the order of the file."""
    traces: dict[str, list[Event]] = defaultdict(list)
    for line in REAL.read_text().splitlines():
        row = json.loads(line)
        properties = row["properties"]
        traces[properties["$ai_trace_id"]].append(
            Event(
                row["uuid"],
                row["event"],
                datetime.fromisoformat(row["timestamp"]),
                properties["$ai_trace_id"],
                properties.get("$ai_span_id"),
                properties.get("$ai_parent_id"),
                properties,
            )
        )
    return list(traces.values())


def numbers_of(text: str) -> list[int]:
    """The number of every line; fails on a physical line without one."""
    numbers = []
    for line in text.splitlines():
        head, colon, _ = line.partition(": ")
        assert colon and head[0] == "L", line
        numbers.append(int(head[1:]))
    return numbers
