"""Items to summarize, and a policy that does not make tests wait."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow.parquet as pq

from llma_assets.llm.access import Access
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.policy import RetryPolicy
from llma_assets.summarization.outcome import ItemText
from llma_assets.traces.event import Event
from llma_assets.traces.text import render_trace

NO_WAIT = RetryPolicy(first_wait_s=0.001)
ACCESS_FIELDS = {field.name for field in fields(Access)}


def access_of(endpoint: Endpoint, options: dict[str, Any], **usual: Any) -> tuple[Access, dict[str, Any]]:
    """Access as `options` say, and those options that are about something else."""
    mine = {name: value for name, value in options.items() if name in ACCESS_FIELDS}
    others = {name: value for name, value in options.items() if name not in ACCESS_FIELDS}
    chosen: dict[str, Any] = {"endpoint": endpoint, "policy": NO_WAIT, **usual, **mine}
    return Access(**chosen), others


def item(number: int, asked: str = "", **properties: Any) -> ItemText:
    """A small trace: a question, an answer."""
    said = {
        "$ai_model": "m",
        "$ai_input": [{"role": "user", "content": asked or f"Please book train number {number} to Rome"}],
        "$ai_output_choices": [{"role": "assistant", "content": f"Train {number} is booked."}],
    }
    at = datetime(2026, 1, 2, tzinfo=UTC)
    event = Event(f"u{number}", "$ai_generation", at, f"t{number}", properties=said | properties)
    return ItemText(("trace", f"t{number}"), render_trace([event]))


@cache
def real_items(count: int) -> list[ItemText]:
    """The first traces of the airline agent that the demo ships."""
    table = pq.read_table(str(files("llma_assets.demo") / "data" / "airline.parquet"))
    traces: dict[str, list[Event]] = {}
    for row in table.to_pylist():
        properties = json.loads(row["properties"])
        ids = (properties["$ai_trace_id"], properties.get("$ai_span_id"), properties.get("$ai_parent_id"))
        event = Event(row["uuid"], row["event"], datetime.fromisoformat(row["timestamp"]), *ids, properties)
        traces.setdefault(event.trace_id, []).append(event)
    return [ItemText(("trace", trace_id), render_trace(traces[trace_id])) for trace_id in sorted(traces)[:count]]
