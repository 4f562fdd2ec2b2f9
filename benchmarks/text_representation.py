"""How fast traces become text and summaries, and how much smaller the text is than what was sent.

    python benchmarks/text_representation.py DATA_FOLDER

Properties are held as JSON strings, as the lake holds them. One core, processor time, best of `REPEATS`:
`parse_s` reads the strings (orjson), `render_s` builds the events and renders every trace, `summarize_s`
makes every extractive summary. `hostile` measures single traces that are made to hurt.
"""

import argparse
import gzip
import json
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import orjson

from llma_assets.summarization.extractive import summarize
from llma_assets.traces.event import Event
from llma_assets.traces.representation import TextRepresentation
from llma_assets.traces.text import render_trace

RESULT = Path(__file__).parent / "results" / "text_representation.json"
FILES = (
    "tau2_airline",
    "taubench1_gpt4o_airline",
    "arena_hard_v01",
    "gorilla_tensorflowhub",
    "gorilla_torchhub",
)
REPEATS = 3

Result = TypeVar("Result")
# uuid, event, timestamp, and the properties as a JSON string
Row = tuple[str, str, datetime, bytes]


def rows(path: Path) -> list[Row]:
    """The events of a file as the lake holds them."""
    with gzip.open(path) as lines:
        return [
            (row["uuid"], row["event"], datetime.fromisoformat(row["timestamp"]), orjson.dumps(row["properties"]))
            for row in map(orjson.loads, lines)
        ]


def traces(events: list[Row], properties: list[dict[str, Any]]) -> list[list[Event]]:
    """Events by trace."""
    grouped: defaultdict[str, list[Event]] = defaultdict(list)
    for (uuid, event, timestamp, _), body in zip(events, properties, strict=True):
        trace_id = body["$ai_trace_id"]
        parent = body.get("$ai_parent_id")
        grouped[trace_id].append(Event(uuid, event, timestamp, trace_id, body.get("$ai_span_id"), parent, body))
    return list(grouped.values())


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Processor seconds of the fastest run, and what it gave."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


def measure(events: list[Row]) -> dict[str, Any]:
    """Times and sizes of one file."""
    parse_s, properties = timed(lambda: [orjson.loads(row[3]) for row in events])
    render_s, texts = timed(lambda: [render_trace(trace) for trace in traces(events, properties)])
    summarize_s, summaries = timed(lambda: [summarize(text) for text in texts])
    lengths = [len(text.text) for text in texts]
    sent = sum(len(row[3]) for row in events)
    return {
        "traces": len(texts),
        "events": len(events),
        "properties_mb": round(sent / 1e6, 2),
        "text_mb": round(sum(lengths) / 1e6, 2),
        "text_chars_median": int(statistics.median(lengths)),
        "text_chars_max": max(lengths),
        "lines_median": int(statistics.median(text.line_count for text in texts)),
        "bullets_mean": round(statistics.mean(len(summary.bullets) for summary in summaries), 1),
        "parse_s": round(parse_s, 2),
        "render_s": round(render_s, 2),
        "parse_and_render_s": round(parse_s + render_s, 2),
        "summarize_s": round(summarize_s, 2),
        "render_ms_per_trace": round(1000 * render_s / len(texts), 2),
    }


def hostile() -> dict[str, float]:
    """Processor seconds of one trace each."""
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def span(i: int, parent: str, body: dict[str, Any]) -> Event:
        return Event(f"u{i}", "$ai_span", start + timedelta(milliseconds=i), "t", f"s{i}", parent, body)

    def said(content: Any) -> list[Event]:
        return [
            Event("g", "$ai_generation", start, "t", properties={"$ai_input": [{"role": "user", "content": content}]})
        ]

    made: dict[str, list[Event]] = {
        "spans_50000_nested": [span(i, f"s{i - 1}", {"$ai_output_state": f"out {i}"}) for i in range(50_000)],
        "spans_50000_flat": [span(i, "t", {"$ai_output_state": f"out {i}"}) for i in range(50_000)],
        "spans_50000_in_one_cycle": [span(i, f"s{(i + 1) % 50_000}", {}) for i in range(50_000)],
        "text_50_mb_in_one_line": said("word " * 10_000_000),
        "base64_50_mb": said("data:image/png;base64," + "iVBORw0KGgo1" * 4_000_000),
        "parts_1000000": said([{"type": "text", "text": "x"}] * 1_000_000),
    }

    def render(events: list[Event]) -> TextRepresentation:
        return render_trace(events)

    return {name: round(timed(lambda events=events: render(events))[0], 2) for name, events in made.items()}  # type: ignore[misc]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the *_events.jsonl.gz files")
    data = parser.parse_args().data
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "libraries": {"orjson": version("orjson")},
        "repeats": REPEATS,
        "files": {},
    }
    for name in FILES:
        result["files"][name] = measure(rows(data / f"{name}_events.jsonl.gz"))
        print(name, result["files"][name], flush=True)
    result["hostile_s"] = hostile()
    print(result["hostile_s"])
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
