"""The explorer's page over a window of 5,000 real traces: time, memory, size, and how much of the traces it holds.

`python benchmarks/report.py SOURCE_FOLDER [LAKE]` takes the event files that llma_assets/demo/SOURCE.md describes,
spreads 5,000 traces over a week and runs the whole pipeline on them; LAKE, if given, is kept and used again. Then
`llma report` builds the page in a fresh process, measured from the start of Python, for several budgets and
contents. Results go to benchmarks/results/report.json.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

FIRST_DAY = datetime(2026, 3, 3, tzinfo=UTC)
DAYS, TRACES = 7, 5_000
# Agents with tools, single prompts with long answers, short prompts: taken in turn.
SETS = (
    "tau2_airline_events.jsonl.gz",
    "taubench1_gpt4o_airline_events.jsonl.gz",
    "arena_hard_v01_events.jsonl.gz",
    "gorilla_torchhub_events.jsonl.gz",
    "gorilla_tensorflowhub_events.jsonl.gz",
)
CASES = [("text", 6_000_000), ("text", 3_000_000), ("text", 20_000_000), ("summaries", 6_000_000), ("none", 6_000_000)]
RESULT = Path(__file__).parent / "results" / "report.json"
LLMA = str(Path(sys.executable).parent / "llma")


def main(source: Path, home: Path) -> None:
    """Make the lake, build each page, write the result."""
    # Trace level is what is measured: of generations, one an hour.
    environment = os.environ | {"LLMA_HOME": str(home), "LLMA_MAX_GENERATIONS_PER_HOUR": "1"}
    last = (FIRST_DAY + timedelta(days=DAYS - 1)).date().isoformat()
    if not (home / "cluster_events").exists():
        home.mkdir(parents=True, exist_ok=True)
        write_week(source, home / "events.jsonl")
        for arguments in (["ingest", str(home / "events.jsonl"), "--team", "bench"],
                          ["run", "--team", "bench", "--date", last]):  # fmt: skip
            subprocess.run([LLMA, *arguments], env=environment, check=True)
    cases = []
    for content, max_bytes in CASES:
        chosen = environment | {"LLMA_REPORT_CONTENT": content, "LLMA_REPORT_MAX_BYTES": str(max_bytes)}
        shutil.rmtree(home / "cluster_report", ignore_errors=True)
        cases.append({"content": content, "max_bytes": max_bytes} | measure(chosen))
        print(json.dumps(cases[-1]))
    versions = {name: version(name) for name in ("duckdb", "numpy", "pyarrow", "orjson")}
    facts = {"cores": os.cpu_count(), "python": sys.version.split()[0], "versions": versions, "cases": cases}
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")


def write_week(source: Path, target: Path) -> None:
    """Write `TRACES` traces of the sets, each moved whole to its place in the week."""
    queues = [list(traces_of(source / name)) for name in SETS]
    chosen: list[list[dict[str, Any]]] = []
    while len(chosen) < TRACES:
        for queue in queues:
            if queue and len(chosen) < TRACES:
                chosen.append(queue.pop(0))
    with target.open("w", encoding="utf-8") as file:
        for n, events in enumerate(chosen):
            begin = min(datetime.fromisoformat(event["timestamp"]) for event in events)
            moved = FIRST_DAY + timedelta(days=DAYS) * (n / TRACES) - begin
            for event in events:
                event["timestamp"] = (datetime.fromisoformat(event["timestamp"]) + moved).isoformat()
                file.write(json.dumps(event) + "\n")


def traces_of(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The events of each trace of a file, by trace id."""
    traces: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            traces.setdefault(event["properties"]["$ai_trace_id"], []).append(event)
    yield from (traces[trace_id] for trace_id in sorted(traces))


def measure(environment: dict[str, str]) -> dict[str, Any]:
    """Build the page in a process of its own: seconds, peak RSS, and what is in the page."""
    command = [sys.executable, __file__, "--page"]
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, costs = process.communicate()
    wall_s = time.monotonic() - started
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}: {costs}")
    told = json.loads(output)
    cpu_s, peak_kib = costs.split()[-2:]
    names = ("bytes", "items", "items_shown", "details", "texts", "excerpts")
    if not told["is_new"]:
        raise SystemExit("the page was there already: nothing was measured")
    measured = {
        "wall_s": round(wall_s, 2),
        "cpu_s": round(float(cpu_s), 2),
        "peak_rss_mib": round(int(peak_kib) / 1024),
    }
    return measured | {name: told[name] for name in names}


def page() -> None:
    """What the measured process does. Peak memory is its own (VmHWM, Linux): getrusage keeps its parent's."""
    from llma_assets.cli.app import app

    app(["report", "--team", "bench", "--json"], standalone_mode=False)
    lines = Path("/proc/self/status").read_text().splitlines()
    peak_kib = next(line for line in lines if line.startswith("VmHWM")).split()[1]
    print(time.process_time(), peak_kib, file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:] == ["--page"]:
        page()
    elif len(sys.argv) == 3:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(sys.argv[1]), Path(folder, "home"))
