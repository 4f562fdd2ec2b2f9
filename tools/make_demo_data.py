"""Make the demo's data out of published traces: `python tools/make_demo_data.py SOURCE_FOLDER`.

SOURCE_FOLDER holds the PostHog-shaped event files that llma_assets/demo/SOURCE.md describes. What is
kept: for `airline`, every tau2-bench airline trace that began on one of three days; for `assistant`,
the arena-hard prompts of the first seven days, one model's answer each. Parquet with zstd, because
an agent's events repeat their history.
"""

import gzip
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TARGET = Path(__file__).parent.parent / "llma_assets" / "demo" / "data"
AIRLINE_DAYS = {"2026-03-03", "2026-03-08", "2026-03-09"}
ASSISTANT_LAST_DAY = "2025-06-07"


def main(source: Path) -> None:
    """Write both files and print their sizes."""
    airline = _traces(source / "tau2_airline_events.jsonl.gz")
    _write("airline", [events for events in airline.values() if _day(events) in AIRLINE_DAYS])
    assistant = _traces(source / "arena_hard_v01_events.jsonl.gz")
    chosen: dict[str, list[dict]] = {}
    for trace_id in sorted(assistant):
        events = assistant[trace_id]
        if _day(events) <= ASSISTANT_LAST_DAY:
            prompt = events[0]["distinct_id"]
            chosen.setdefault(prompt, events)
    _write("assistant", list(chosen.values()))


def _traces(path: Path) -> dict[str, list[dict]]:
    traces: dict[str, list[dict]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            # Ground truth for scoring; no part of a pipeline's input.
            event["properties"] = {k: v for k, v in event["properties"].items() if not k.startswith("source")}
            traces.setdefault(event["properties"]["$ai_trace_id"], []).append(event)
    return traces


def _day(events: list[dict]) -> str:
    return min(event["timestamp"] for event in events)[:10]


def _write(team: str, traces: list[list[dict]]) -> None:
    events = sorted(
        (e for trace in traces for e in trace),
        key=lambda e: (e["properties"]["$ai_trace_id"], e["timestamp"], e["uuid"]),
    )
    columns = {name: [event[name] for event in events] for name in ("uuid", "event", "distinct_id", "timestamp")}
    columns["properties"] = [json.dumps(event["properties"], ensure_ascii=False, sort_keys=True) for event in events]
    TARGET.mkdir(parents=True, exist_ok=True)
    path = TARGET / f"{team}.parquet"
    pq.write_table(
        pa.table(columns), path, compression="zstd", compression_level=22, use_dictionary=["event", "distinct_id"]
    )
    print(f"{path.name}: {len(traces)} traces, {len(events)} events, {path.stat().st_size / 1e6:.2f} MB")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
