"""Search among 100,000 vectors, and the export of a million rows: time and memory, each in a fresh process.

    python benchmarks/search.py

Writes benchmarks/results/search.json. The vectors are random directions of 384 numbers over 30 days, beside the
summaries of the demo's airline traces, again and again; how far apart vectors are does not change what a scan takes.
Wall times are the best of five, as another process can only make them worse.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

RESULT = Path(__file__).parent / "results" / "search.json"
ITEMS, DIM, DAYS, RUNS = 100_000, 384, 30, 5
ROWS = 1_000_000
FIRST = date(2026, 1, 1)
MODEL = "benchmark"


def write_lake(home: Path, items: int, with_vectors: bool) -> None:
    """Summaries, vectors and one clustering run a day of `items` items over 30 days; the windows are one day long."""
    from llma_assets.emission.identity import clustering_run_id
    from llma_assets.lake import Lake
    from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
    from llma_assets.tables.embeddings import EMBEDDINGS
    from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
    from llma_assets.team_day import TeamDay

    lake, random = Lake(str(home)), np.random.default_rng(0)
    texts = _summaries()
    a_day = items // DAYS + 1
    for number in range(DAYS):
        day = TeamDay("acme", FIRST + timedelta(days=number))
        ids = [f"t{number}-{n}" for n in range(a_day)]
        item = {"team_id": day.team, "date": day.day, "level": "trace", "trace_timestamp": day.start}
        named = [item | {"item_id": item_id, "trace_id": item_id} for item_id in ids]
        summaries = [texts[n % len(texts)] | one for n, one in enumerate(named)]
        lake.write("trace_summaries", day, pa.Table.from_pylist(summaries, TRACE_SUMMARIES.schema))
        if with_vectors:
            vectors = random.standard_normal((a_day, DIM)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            fixed = {"status": "embedded", "model": MODEL, "dim": DIM, "content_hash": "h"}
            rows = [one | fixed | {"embedding": made} for one, made in zip(named, vectors, strict=True)]
            lake.write("embeddings", day, pa.Table.from_pylist(rows, EMBEDDINGS.schema))
        run = dict.fromkeys(CLUSTER_ASSIGNMENTS.names) | {
            "team_id": day.team, "date": day.day, "level": "trace", "job_id": "", "job_name": "", "status": "clustered",
            "clustering_run_id": clustering_run_id(day.team, "trace", day.end), "window_start": day.start,
            "window_end": day.end, "min_items": 1, "items_in_window": a_day, "items_other_model": 0,
            "items_analyzed": a_day, "items_clustered": a_day, "items_noise": 0, "method": "m", "params": "{}",
            "seed": 1, "algorithm_version": "1", "guard_path": [], "content_hash": "h", "clusters": [],
        }  # fmt: skip
        place = {"cluster_id": 0, "probability": 1.0, "outlier_score": 0.0, "distance_to_centroid": 0.1}
        run["items"] = [
            place
            | {"item_id": item_id, "trace_id": item_id, "trace_timestamp": day.start, "rank": n, "x": 0.0, "y": 0.0}
            for n, item_id in enumerate(ids)
        ]
        lake.write("cluster_assignments", day, pa.Table.from_pylist([run], CLUSTER_ASSIGNMENTS.schema))


def _summaries() -> list[dict[str, Any]]:
    """Rows of trace_summaries of the demo's airline traces of one day."""
    import logging

    from llma_assets.cli.ingest import ingest_files
    from llma_assets.cli.project import Project
    from llma_assets.clustering_jobs import clustering_jobs
    from llma_assets.lake import Lake
    from llma_assets.settings import load_settings
    from llma_assets.sources.lake_event_source import lake_event_source
    from llma_assets.stages.trace_summaries import SummarizeDay
    from llma_assets.summarization.local import ExtractiveSummarizer
    from llma_assets.team_day import TeamDay
    from llma_assets.vocabulary import Level

    now, day = datetime(2026, 11, 1, tzinfo=UTC), TeamDay("airline", date(2026, 3, 8))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LLMA_HOME"] = folder
        from importlib.resources import as_file, files

        with as_file(files("llma_assets.demo") / "data" / "airline.parquet") as path:
            ingest_files(Project(), [path], "airline", now)
        settings, lake = load_settings(), Lake(folder)
        source = lake_event_source(settings, lake)
        jobs = [job for job in clustering_jobs(day.team, settings) if job.level == Level.TRACE]
        log = logging.getLogger(__name__)
        SummarizeDay(lake, source, ExtractiveSummarizer(), jobs, settings, now, log).run(day)
        return lake.read("trace_summaries", day).to_pylist()


def search_once() -> dict[str, float]:
    """In a fresh process: the views, the nearest of all vectors, their titles and clusters; without the model."""
    from llma_assets.cli.project import Project
    from llma_assets.queries.search import Scope, nearest_items, newest_model

    started = time.perf_counter()
    scope = Scope(None, "trace", FIRST, FIRST + timedelta(days=DAYS))
    vector = np.random.default_rng(1).standard_normal(DIM).astype(np.float32)
    with Project().views() as connection:
        opened = time.perf_counter()
        searched = newest_model(connection, scope)
        assert searched is not None
        rows = nearest_items(connection, scope, searched, vector, 10)
        ended = time.perf_counter()
    assert len(rows) == 10 and rows[0]["clustering_run_id"], rows
    return {"vectors": searched.items, "views_s": round(opened - started, 3), "search_s": round(ended - opened, 3)}


def export_once(form: str) -> dict[str, float]:
    """In a fresh process: all items of the period to a file."""
    from llma_assets.cli.export import export

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        export(out=f"{folder}/rows", form=form, team="acme", first=str(FIRST))
        size = Path(folder, "rows").stat().st_size
    return {"wall_s": round(time.perf_counter() - started, 1), "file_mib": round(size / 2**20)}


def in_process(*task: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, *task], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    result: dict[str, Any] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "pyarrow": version("pyarrow"),
    }
    with tempfile.TemporaryDirectory() as folder:
        write_lake(Path(folder), ITEMS, True)
        os.environ["LLMA_HOME"] = folder
        found = [in_process("search") for _ in range(RUNS)]
        best = min(found, key=lambda one: one["search_s"])
        result["search"] = {"days": DAYS, "dim": DIM} | best | {"search_s_each": [one["search_s"] for one in found]}
    with tempfile.TemporaryDirectory() as folder:
        write_lake(Path(folder), ROWS, False)
        os.environ["LLMA_HOME"] = folder
        result["export"] = {"rows": ROWS // DAYS * DAYS + DAYS, "duckdb_memory_limit": "2GB"} | {
            form: in_process("export", form) for form in ("csv", "parquet", "jsonl")
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        told = search_once() if sys.argv[1] == "search" else export_once(sys.argv[2])
        print(json.dumps(told | {"peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
    else:
        main()
