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

from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.llm import embedder as llm_embedder
from llma_assets.llm.access import Access
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.embeddings import _VECTORS, EmbedDay
from llma_assets.tables.cluster_labels import CLUSTER_LABELS
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets_tests import ROOT
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, KEY, Hang, Server
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.pipeline import cluster, embed, summarize

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

LLMA = str(Path(sys.executable).parent / "llma")
DAY = TeamDay("acme", date(2025, 6, 2))
CONCURRENCY = 8
TEXTS_PER_CALL = 2
KILLS = 50
PRICES = {CHAT_MODEL: {"input_usd": 1.0, "cached_input_usd": 0.5, "output_usd": 2.0}}
# What a run measures of itself; all else is the same in every run.
MEASURED = "latency_s"
SCHEMAS = {"trace_summaries": TRACE_SUMMARIES.schema, "embeddings": _VECTORS, "cluster_labels": CLUSTER_LABELS.schema}

Ingest = Callable[..., Any]

# Forks before any thread has started. A line in is a job and after how long to kill it; a line out is how it ended.
NURSERY = f"""
import json, os, signal, sys, time, traceback
sys.path.append({str(ROOT)!r})
import openai, duckdb, numpy, pyarrow.parquet, pyarrow.compute
from llma_assets_tests.faults.test_llm_kills import work
for line in sys.stdin:
    kill_after_s, *job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        try:
            work(*job)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def work(stage: str, root: str, url: str, kill_at: str) -> None:
    """One stage of a day, as its asset runs it."""
    os.environ["LLMA_KILL_AT"] = kill_at
    lake = Lake(root)
    endpoint = Endpoint(url, timeout_s=10.0)
    access = Access(endpoint, concurrency=CONCURRENCY, price_overrides=PRICES)
    if stage == "trace_summaries":
        summarize(lake, DAY, OpenAISummarizer(CHAT_MODEL, access))
    elif stage == "embeddings":
        # So that a small day takes many calls.
        llm_embedder.MAX_BATCH_TEXTS = TEXTS_PER_CALL
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

    def run(self, stage: str, kill_after_s: float | None = None, kill_at: str = "") -> int:
        """How the run ended: 0, or -9 where it was killed before its end."""
        self._process.stdin.write(json.dumps([kill_after_s, stage, self._lake.root, self._server.url, kill_at]) + "\n")
        self._process.stdin.flush()
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


def harass(lake: Lake, server: Server, nursery: Nursery, stage: str, kills: int, most_lost: int, per_call: int) -> None:
    """Kill a stage again and again over what is left, anew when it is done, and run it to its end.

    Args:
        most_lost: paid calls that one kill may cost.
        per_call: pieces of work that one call does.
    """
    assert nursery.run(stage) == 0, "so that the runs measured below find everything warm"
    forget(lake, stage)
    begun, paid = time.monotonic(), server.paid
    assert nursery.run(stage) == 0
    whole_s, needed = time.monotonic() - begun, server.paid - paid
    clean, pieces = timeless(lake, stage), len(kept(lake, stage))
    assert needed >= 30
    forget(lake, stage)
    generator = random.Random(kills)
    in_the_middle = 0
    before: set[Any] = set()
    # Kills that hit no call show nothing: there must be some that do.
    while kills > 0 or in_the_middle < 3:
        paid = server.paid
        # What is kept already makes a run shorter; about as much as this is its start and its end.
        left_s = whole_s * (1.0 - 0.6 * len(before) / pieces)
        kills -= nursery.run(stage, generator.uniform(0.0, left_s)) == -9
        after = kept(lake, stage)
        assert before <= after, "what was kept stays kept"
        assert 0 <= server.paid - paid - len(after - before) // per_call <= most_lost
        in_the_middle += 0 < len(after) < pieces
        before = after
        if lake.exists(stage, DAY):
            assert timeless(lake, stage).equals(clean)
            before = set()
            forget(lake, stage)
    paid = server.paid
    assert nursery.run(stage) == 0
    assert server.paid - paid <= needed - len(before) // per_call
    assert timeless(lake, stage).equals(clean)
    assert server.max_in_flight <= CONCURRENCY


@pytest.mark.on_request
def test_fifty_kills_while_summarizing_cost_at_most_what_was_in_flight(
    ingest: Ingest, lake: Lake, server: Server, nursery: Nursery
) -> None:
    """F2: seeded moments over the length of a run, each over what the one before left."""
    ingest(demo_events("assistant", 30, DAY.day.isoformat()))
    server.answer_s = 0.02
    harass(lake, server, nursery, "trace_summaries", KILLS, CONCURRENCY, 1)
    table = lake.read("trace_summaries", DAY)
    assert len(set(table["item_id"].to_pylist())) == table.num_rows == 60


@pytest.mark.on_request
def test_kills_while_embedding_cost_at_most_what_was_on_its_way(
    ingest: Ingest, lake: Lake, server: Server, nursery: Nursery
) -> None:
    """Vectors are kept by whoever takes them from the calls: twice the concurrency may be on their way."""
    ingest(demo_events("assistant", 60, DAY.day.isoformat()))
    summarize(lake, DAY)
    server.answer_s = 0.1
    harass(lake, server, nursery, "embeddings", 8, 2 * CONCURRENCY, TEXTS_PER_CALL)


@pytest.mark.on_request
def test_killed_while_naming_asks_again_for_one_run_at_most(
    ingest: Ingest, lake: Lake, server: Server, nursery: Nursery
) -> None:
    """Two clustering runs of a day: that of its traces and that of its generations."""
    ingest(demo_events("assistant", 40, DAY.day.isoformat()))
    summarize(lake, DAY)
    embed(lake, DAY)
    cluster(lake, DAY, "kmeans")
    assert nursery.run("cluster_labels") == 0
    clean, needed = timeless(lake, "cluster_labels"), server.paid
    assert "llm" in clean["source"].to_pylist()
    points = [
        ("before_checkpoint", 0, 1),
        ("before_checkpoint@2", 1, 1),
        ("before_write", 2, 0),
        ("before_rename", 2, 0),
    ]
    for kill_at, named, lost in points:
        forget(lake, "cluster_labels")
        paid = server.paid
        assert nursery.run("cluster_labels", kill_at=kill_at) == -9
        assert len(kept(lake, "cluster_labels")) == named
        assert nursery.run("cluster_labels") == 0
        # An answer, and its repair where one was asked for.
        assert server.paid - paid - needed <= 2 * lost
        assert timeless(lake, "cluster_labels").equals(clean)


def until(happened: Callable[[], bool], limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "is_hanging"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGINT, True)],
    ids=["ctrl-c", "sigterm", "server hangs"],
)
def test_a_stopped_run_ends_at_once_and_the_same_command_pays_only_the_rest(
    ingest: Ingest, lake: Lake, server: Server, number: signal.Signals, is_hanging: bool
) -> None:
    """F3: `llma run` is stopped in the middle of its calls."""
    ingest(demo_events("assistant", 24, DAY.day.isoformat()))
    server.any_model = True
    server.answer_s = 0.6
    if is_hanging:
        server.always(Hang(30.0))
    providers = {"LLMA_SUMMARIZER": "openai", "LLMA_OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
    command = [LLMA, "run", "--team", "acme", "--date", DAY.day.isoformat()]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | providers, **pipes) as running:
        until(lambda: server.in_flight > 0 if is_hanging else server.paid >= 15)
        begun = time.monotonic()
        running.send_signal(number)
        rest, message = running.stdout.read(), running.stderr.read()  # type: ignore[union-attr]
    assert time.monotonic() - begun < 5.0
    assert running.returncode == 130, rest + message
    assert message == "stopped; what was finished is kept, the same command goes on from there\n"
    assert not lake.exists("trace_summaries", DAY)
    if number != signal.SIGINT or is_hanging:
        return
    until(lambda: not server.in_flight)
    paid, done = server.paid, len(kept(lake, "trace_summaries"))
    assert paid - 10 <= done <= paid, "ten calls at once"
    server.answer_s = 0.0
    assert subprocess.run(command, env=os.environ | providers, check=False, capture_output=True).returncode == 0
    summarized = timeless(lake, "trace_summaries")["status"].to_pylist().count("summarized")
    assert server.paid - paid == summarized - done
