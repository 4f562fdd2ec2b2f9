"""Killed or stopped while a server is being paid: what was answered is kept, and nothing is paid for twice.

A process that has everything imported forks a child for each run, so that fifty kills take seconds.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pipeline import cluster, embed, summarize
from real_traces import demo_events
from server import CHAT_MODEL, EMBEDDING_MODEL, KEY, Hang, Server

from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.llm import embedder as llm_embedder
from llma_assets.llm.access import Access
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.schemas import CLUSTER_LABELS, TRACE_SUMMARIES
from llma_assets.stages.embed import _VECTORS, EmbedDay
from llma_assets.stages.label import LabelClusters
from llma_assets.team_day import TeamDay

pytest_plugins = ["llm_fixtures"]

TESTS = Path(__file__).parent.parent
LLMA = str(Path(sys.executable).parent / "llma")
DAY = TeamDay("acme", date(2025, 6, 2))
CONCURRENCY = 8
KILLS = 50
PRICES = {CHAT_MODEL: {"input_usd": 1.0, "cached_input_usd": 0.5, "output_usd": 2.0}}
# What a run measures of itself; all else is the same in every run.
MEASURED = "latency_s"
SCHEMAS = {"trace_summaries": TRACE_SUMMARIES, "embeddings": _VECTORS, "cluster_labels": CLUSTER_LABELS}

Ingest = Callable[..., Any]

# Forks before any thread has started. A line in is a job; the lines out are the child's pid, then how it ended.
NURSERY = f"""
import json, os, sys
sys.path[:0] = {[str(TESTS), str(TESTS / "stages"), str(TESTS / "llm"), str(TESTS / "faults")]!r}
import openai, duckdb, numpy, pyarrow.parquet, pyarrow.compute
import test_llm_kills
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        test_llm_kills.work(*json.loads(line))
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def work(stage: str, root: str, url: str) -> None:
    """One stage of a day, as its asset runs it."""
    lake = Lake(root)
    endpoint = Endpoint(url, timeout_s=10.0)
    access = Access(endpoint, concurrency=CONCURRENCY, price_overrides=PRICES)
    if stage == "trace_summaries":
        summarize(lake, DAY, OpenAISummarizer(CHAT_MODEL, access))
    elif stage == "embeddings":
        # So that a small day takes many calls.
        llm_embedder.MAX_BATCH_TEXTS = 2
        EmbedDay(lake, OpenAIEmbedder(EMBEDDING_MODEL, access, dimensions=32), "test", _Silent()).run(DAY)  # type: ignore[arg-type]
    else:
        LabelClusters(lake, OpenAILabeler(CHAT_MODEL, access), _Silent()).run(DAY)  # type: ignore[arg-type]


class _Silent:
    def info(self, *_: Any) -> None:
        """Says nothing."""

    warning = exception = info


class Nursery:
    """Runs stages in processes that can be killed."""

    def __init__(self, lake: Lake, server: Server):
        self._lake, self._server = lake, server
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen([sys.executable, "-c", NURSERY], env=environment, text=True, **pipes)  # type: ignore[call-overload]

    def run(self, stage: str, kill_after_s: float | None = None) -> int:
        """How the run ended: 0, or -9 where it was killed before its end."""
        self._process.stdin.write(json.dumps([stage, self._lake.root, self._server.url]) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            os.kill(pid, signal.SIGKILL)
        code = int(self._process.stdout.readline())
        # What had been sent is answered and billed, whoever is still there to read it.
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 0.03:
            time.sleep(0.005)
            if self._server.in_flight:
                quiet_since = time.monotonic()
        return code

    def close(self) -> None:
        self._process.stdin.close()
        assert self._process.wait() == 0


@pytest.fixture
def nursery(lake: Lake, server: Server) -> Iterator[Nursery]:
    one = Nursery(lake, server)
    yield one
    one.close()


def kept(lake: Lake, stage: str) -> set[Any]:
    """Which pieces of work a run that is started now would not ask for again."""
    with Checkpoint(lake, stage, DAY, SCHEMAS[stage]) as checkpoint:
        parts = [checkpoint.read()]
    names = {"trace_summaries": ["level", "item_id"], "embeddings": ["content_hash"]}.get(stage, ["clustering_run_id"])
    if lake.exists(stage, DAY):
        parts.append(lake.read(stage, DAY))
    return {tuple(row.values()) for part in parts for row in part.select(names).to_pylist()}


def timeless(lake: Lake, stage: str) -> pa.Table:
    table = lake.read(stage, DAY)
    return table.drop_columns([MEASURED]) if MEASURED in table.column_names else table


def forget(lake: Lake, stage: str) -> None:
    Path(lake.path(stage, DAY)).unlink()


@pytest.mark.slow
def test_fifty_kills_while_summarizing_cost_at_most_what_was_in_flight(
    ingest: Ingest, lake: Lake, server: Server, nursery: Nursery
) -> None:
    """F2: seeded moments over the length of a run, each over what the one before left; when it is done, anew."""
    ingest(demo_events("assistant", 30, DAY.day.isoformat()))
    server.answer_s = 0.02
    nursery.run("trace_summaries")
    forget(lake, "trace_summaries")
    begun, paid = time.monotonic(), server.paid
    assert nursery.run("trace_summaries") == 0
    whole_s, needed = time.monotonic() - begun, server.paid - paid
    clean = timeless(lake, "trace_summaries")
    assert needed == clean["status"].to_pylist().count("summarized") >= 40
    generator = random.Random(50)
    kills, in_the_middle = 0, 0
    forget(lake, "trace_summaries")
    while kills < KILLS:
        before, paid = kept(lake, "trace_summaries"), server.paid
        ended = nursery.run("trace_summaries", generator.uniform(0.0, whole_s))
        after = kept(lake, "trace_summaries")
        assert before <= after, "what was kept stays kept"
        lost = (server.paid - paid) - len(after - before)
        assert 0 <= lost <= CONCURRENCY
        kills += ended == -9
        in_the_middle += 0 < len(after) < needed
        if lake.exists("trace_summaries", DAY):
            assert nursery.run("trace_summaries") == 0
            assert timeless(lake, "trace_summaries").equals(clean)
            forget(lake, "trace_summaries")
    assert in_the_middle > KILLS // 4, "most kills must hit the calls, or this shows nothing"
    have, paid = kept(lake, "trace_summaries"), server.paid
    assert nursery.run("trace_summaries") == 0
    assert server.paid - paid == needed - len(have)
    assert timeless(lake, "trace_summaries").equals(clean)
