"""One team-day of 500 real traces, local provider, each in one fresh process.

`python benchmarks/team_day.py SOURCE_FOLDER` takes the event files that llma_assets/demo/SOURCE.md
describes (tau2-airline: agents; arena-hard: single prompts), moves 500 traces of each set into one
day, spread over its hours, and measures `llma run` from the start of Python: wall, CPU and peak RSS.
Ingestion is measured apart. Results go to benchmarks/results/team_day.json.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

DAY = datetime(2026, 3, 9, tzinfo=UTC)
TRACES = 500
SETS = {"tau2_airline": "tau2_airline_events.jsonl.gz", "arena_hard": "arena_hard_v01_events.jsonl.gz"}
RESULT = Path(__file__).parent / "results" / "team_day.json"


def main(source: Path) -> None:
    """Measure both sets and write the result."""
    cases = []
    for name, file in SETS.items():
        with tempfile.TemporaryDirectory() as folder:
            events = one_day(source / file, Path(folder, "events.jsonl"))
            environment = os.environ | {"LLMA_HOME": str(Path(folder, "home"))}
            ingest = measure(["ingest", str(Path(folder, "events.jsonl")), "--team", "bench"], environment)
            run = measure(["run", "--team", "bench", "--date", DAY.date().isoformat(), "--json"], environment)
            answer = json.loads(run.pop("output"))
            ingest.pop("output")
            again = measure(["run", "--team", "bench", "--date", DAY.date().isoformat(), "--json"], environment)
            again.pop("output")
            (status,) = answer["status"]
            cases.append({"set": name, "traces": TRACES, "events": events, "items": status["items"],
                          "summarized": status["summarized"], "clusters": status["clusters"],
                          "ingest": ingest, "run": run, "run_again": again})  # fmt: skip
            print(json.dumps(cases[-1]))
    versions = {name: version(name) for name in ("dagster", "duckdb", "onnxruntime", "hdbscan", "numpy", "pyarrow")}
    facts = {"cores": os.cpu_count(), "python": sys.version.split()[0], "versions": versions, "cases": cases}
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")


def one_day(source: Path, target: Path) -> int:
    """Write the events of the first traces by id, each trace moved whole into the day; return their number."""
    traces: dict[str, list[dict]] = {}
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            traces.setdefault(event["properties"]["$ai_trace_id"], []).append(event)
    written = 0
    with target.open("w", encoding="utf-8") as file:
        for n, trace_id in enumerate(sorted(traces)[:TRACES]):
            begin = min(datetime.fromisoformat(event["timestamp"]) for event in traces[trace_id])
            moved = DAY + timedelta(seconds=n * 86_000 / TRACES) - begin
            for event in traces[trace_id]:
                event["timestamp"] = (datetime.fromisoformat(event["timestamp"]) + moved).isoformat()
                file.write(json.dumps(event) + "\n")
                written += 1
    return written


def measure(arguments: list[str], environment: dict[str, str]) -> dict:
    """Run `llma` in a process of its own: seconds of wall and CPU, peak RSS, what it printed."""
    command = [str(Path(sys.executable).parent / "llma"), *arguments]
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return {
        "wall_s": round(time.monotonic() - started, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_rss_mib": round(usage.ru_maxrss / 1024 / (1 if sys.platform != "darwin" else 1024)),
        "output": output.decode(),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
