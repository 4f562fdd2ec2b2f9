"""Speed and memory of ingesting one large file, on one core.

    python benchmarks/ingest.py DATA_FOLDER [--gigabytes 1.0]

DATA_FOLDER holds `*_events.jsonl.gz`. Its events are replayed under new ids until the file has the
wanted size; "many days" also spreads them over 2,300 days, in no order. Each case runs in a process
of its own, whose peak memory is taken. Where other programs run beside it, wall time says more about
them: CPU time is given too (all of the process, imports and all). Writes results/ingest.json.
"""

import argparse
import gzip
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

RESULT = Path(__file__).parent / "results" / "ingest.json"
INGESTED_AT = datetime(2027, 1, 1, tzinfo=UTC)
MANY_DAYS = 2_300
CASES = ("jsonl", "jsonl_many_days", "jsonl_gzip", "parquet")


def events(folder: Path) -> list[tuple[bytes, bytes, bytes, bytes]]:
    """Real events as (line, uuid, trace id, timestamp)."""
    found = []
    for path in sorted(folder.glob("*_events.jsonl.gz")):
        with gzip.open(path) as lines:
            for line in lines:
                event = orjson.loads(line)
                ids = (event["uuid"], event["properties"]["$ai_trace_id"], event["timestamp"])
                found.append((line, *(text.encode() for text in ids)))
    return found


def replay(originals: list[tuple[bytes, bytes, bytes, bytes]], size: int, many_days: bool) -> Iterator[bytes]:
    """The originals again and again under new ids until `size` bytes are written."""
    written = count = turn = 0
    while True:
        mark = b"%06x" % turn
        for line, uuid, trace_id, timestamp in originals:
            line = line.replace(uuid, mark + uuid[6:]).replace(trace_id, mark + trace_id[6:])
            if many_days:
                day = date(2020, 1, 2) + timedelta(days=count * 7_919 % MANY_DAYS)
                line = line.replace(timestamp, day.isoformat().encode() + timestamp[10:])
            yield line
            written += len(line)
            count += 1
            if written >= size:
                return
        turn += 1


def write_parquet(lines: Iterator[bytes], path: Path) -> None:
    """As a warehouse exports it: properties as JSON text, row groups of 100,000 rows."""
    schema = pa.schema([(name, pa.string()) for name in ("uuid", "event", "distinct_id", "timestamp", "properties")])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        for line in lines:
            row = orjson.loads(line)
            row["properties"] = orjson.dumps(row["properties"]).decode()
            rows.append(row)
            if len(rows) == 100_000:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def generate(
    case: str, originals: list[tuple[bytes, bytes, bytes, bytes]], size: int, folder: Path
) -> tuple[Path, int]:
    """The input file of a case, and its size as plain JSON."""
    path = folder / case
    total = 0

    def counted() -> Iterator[bytes]:
        nonlocal total
        for line in replay(originals, size, case == "jsonl_many_days"):
            total += len(line)
            yield line

    if case == "parquet":
        write_parquet(counted(), path)
    else:
        with gzip.open(path, "wb", compresslevel=1) if case == "jsonl_gzip" else open(path, "wb") as file:
            file.writelines(counted())
    return path, total


def peak_rss_mib() -> float:
    """Peak resident memory of this program; Linux's `ru_maxrss` would count the parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)


def measure(path: str, lake: str) -> dict[str, Any]:
    """Ingest in this process, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from llma_assets.ingest import ingest_file
    from llma_assets.lake import Lake

    start = time.perf_counter()
    report = ingest_file(Lake(lake), Path(path), "bench", INGESTED_AT)
    wall_s, cpu_s = time.perf_counter() - start, time.process_time()
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "peak_rss_mib": peak_rss_mib(),
        "rows": report.rows_kept,
        "days": len(report.dates),
    }


def run_case(case: str, originals: list[tuple[bytes, bytes, bytes, bytes]], size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path, json_bytes = generate(case, originals, size, Path(folder))
        command = [sys.executable, __file__, "--measure", str(path), str(Path(folder, "lake"))]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        lake_bytes = sum(file.stat().st_size for file in Path(folder, "lake").rglob("*.parquet"))
        return {
            "case": case,
            "json_mb": round(json_bytes / 1e6, 1),
            "file_mb": round(path.stat().st_size / 1e6, 1),
            "lake_mb": round(lake_bytes / 1e6, 1),
            "rows": found["rows"],
            "days": found["days"],
            "wall_s": round(found["wall_s"], 2),
            "cpu_s": round(found["cpu_s"], 2),
            "json_mb_per_wall_s": round(json_bytes / 1e6 / found["wall_s"], 1),
            "json_mb_per_cpu_s": round(json_bytes / 1e6 / found["cpu_s"], 1),
            "peak_rss_mib": round(found["peak_rss_mib"]),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return
    if arguments.data is None:
        parser.error("the folder with *_events.jsonl.gz is missing")
    originals = events(arguments.data)
    cases = []
    for case in CASES:
        cases.append(run_case(case, originals, int(arguments.gigabytes * 1e9)))
        print(cases[-1])
    versions = {name: version(name) for name in ("orjson", "pyarrow", "fsspec")}
    result = {"cores": 1, "python": platform.python_version(), "versions": versions, "cases": cases}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
