"""Vectors and names that a budget, a server or a kill cut short: kept, marked, and never paid for twice."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from llma_assets.errors import FailFast, RetryLater
from llma_assets.lake import Lake
from llma_assets.llm.endpoint import Endpoint
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.versions import is_part, whole_version
from llma_assets_tests import ROOT
from llma_assets_tests.llm.llm_day import DAY, Day, questions, requested, statuses
from llma_assets_tests.llm.server import EMBEDDING_MODEL, Altered, Reply, Server
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import LOG, cluster, embed, summarize

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

Ingest = Callable[..., Any]


@pytest.fixture(autouse=True)
def _one_generation_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_MAX_GENERATIONS_PER_HOUR", "1")


@pytest.fixture
def day(lake: Lake, endpoint: Endpoint) -> Day:
    return Day(lake, endpoint)


# --- vectors ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def vectors(day: Day, ingest: Ingest, server: Server, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A day of summaries, to be embedded five to a call; every text that was answered with a vector."""
    monkeypatch.setattr("llma_assets.llm.embedder.MAX_BATCH_TEXTS", 5)
    ingest(questions(40))
    summarize(day.lake, DAY)
    embedded: list[str] = []
    counted = server.count

    def count(request: Any, reply: Reply) -> None:
        counted(request, reply)
        if request.path.endswith("/embeddings") and reply.status == 200:
            embedded.extend(request.body["input"])

    server.count = count  # type: ignore[method-assign]
    return embedded


def test_vectors_cut_short_are_a_valid_part_and_the_next_run_pays_the_rest(
    day: Day, vectors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_BUDGET_USD", "0.0012")
    first = day.embed()
    rows = day.rows("embeddings")
    done = [row for row in rows if row["embedding"] is not None]
    left = [row for row in rows if row["reason"] == "budget_exhausted"]
    assert done and left and len(done) + len(left) == len(rows)
    assert first.figures["is_partial"] == 1 and is_part(day.version("embeddings"))
    assert {row["status"] for row in done} == {"embedded"}
    assert len(vectors) == len({row["content_hash"] for row in done})
    monkeypatch.delenv("LLMA_BUDGET_USD")
    part = day.version("embeddings")
    second = day.embed()
    assert second.figures["is_partial"] == 0
    assert len(vectors) == len(set(vectors)) == len({row["content_hash"] for row in rows})
    assert day.version("embeddings") == whole_version(part) != part


@pytest.mark.parametrize("failure", [Reply(500), Reply(401)], ids=["down", "key"])
def test_a_batch_that_fails_loses_no_other_that_was_paid_for(
    day: Day, vectors: list[str], server: Server, failure: Reply
) -> None:
    server.when("number 7 ", failure)
    with pytest.raises((RetryLater, FailFast)):
        day.embed()
    before = list(vectors)
    assert before, "batches ahead of the one that fails"
    assert not day.lake.exists("embeddings", DAY)
    server._rules.clear()
    report = day.embed()
    assert report.figures["embeddings_failed"] == 0
    assert report.figures["cache_hits"] == len(before)
    assert len(vectors) == len(set(vectors)), "no text was paid for twice"


def test_a_wrong_row_reaches_no_partition(day: Day, vectors: list[str], server: Server) -> None:
    """F17, at the stage."""

    def without_direction(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [rows[0] | {"embedding": [0.0] * len(rows[0]["embedding"])}, *rows[1:]]

    server.script(Altered(without_direction))
    day.embed()
    found = statuses(day.rows("embeddings"))
    assert found[("failed", "invalid_embedding")] >= 1
    bad = [row for row in day.rows("embeddings") if row["reason"] == "invalid_embedding"]
    assert all(row["embedding"] is None for row in bad)
    assert not is_part(day.version("embeddings"))
    asked = len(vectors)
    report = day.embed()
    assert report.figures["embeddings_failed"] == 0, "a later run asks for it again"
    assert len(vectors) == asked + 1


def test_another_model_or_length_reuses_no_vector(day: Day, vectors: list[str], server: Server) -> None:
    """F18: a vector of another model is never taken from the cache, nor are two kept side by side."""
    server.any_model = True
    day.embed()
    once = len(vectors)
    assert day.embed().figures["cache_hits"] > 0 and len(vectors) == once
    for number, (model, dimensions, dim) in enumerate(
        [("other-vectors", None, 32), (EMBEDDING_MODEL, 16, 16), (EMBEDDING_MODEL, None, 32)], start=2
    ):
        report = day.embed(model, dimensions)
        assert report.figures["cache_hits"] == 0
        assert len(vectors) == number * once
        rows = day.rows("embeddings")
        name = f"openai/{model}" + (f"/{dimensions}" if dimensions else "")
        assert {(row["model"], row["dim"], len(row["embedding"])) for row in rows} == {(name, dim, dim)}


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clustered(day: Day, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Day:
    monkeypatch.setenv("LLMA_MAX_GENERATIONS_PER_HOUR", "100")
    ingest(demo_events("assistant", 40, DAY.day.isoformat()))
    summarize(day.lake, DAY)
    embed(day.lake, DAY)
    cluster(day.lake, DAY, "kmeans")
    runs = [run for run in day.rows("cluster_assignments") if run["items_analyzed"]]
    assert len(runs) == 2 and all(run["clusters"] for run in runs)
    return day


def test_names_cut_short_are_keywords_and_the_next_run_names_them(
    clustered: Day, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_BUDGET_USD", "0")
    report = clustered.label()
    rows = [row for row in clustered.rows("cluster_labels") if row["source"] != "fixed"]
    assert {(row["source"], row["reason"]) for row in rows} == {("keywords", "budget_exhausted")}
    assert all(row["title"] for row in rows)
    assert report.figures["is_partial"] == 1 and is_part(clustered.version("cluster_labels"))
    assert server.requests == []
    monkeypatch.delenv("LLMA_BUDGET_USD")
    report = clustered.label()
    named = [row for row in clustered.rows("cluster_labels") if row["source"] == "llm"]
    assert named and report.figures["is_partial"] == 0
    assert not any(row["reason"] == "budget_exhausted" for row in clustered.rows("cluster_labels"))
    assert not is_part(clustered.version("cluster_labels"))
    asked = len(server.requests)
    again = clustered.label()
    assert len(server.requests) == asked, "a whole partition is not asked for again"
    assert again.figures["cache_hits"] == again.items
    assert again.written.sha256 == report.written.sha256


KILLED = f"""
import sys
sys.path.append({str(ROOT)!r})
from llma_assets_tests.llm.llm_day import Day
from llma_assets.lake import Lake
from llma_assets.llm.endpoint import Endpoint
Day(Lake(sys.argv[1]), Endpoint(sys.argv[2])).label()
"""


@pytest.mark.slow
def test_killed_between_two_clustering_runs_the_first_is_not_paid_twice(clustered: Day, server: Server) -> None:
    command = [sys.executable, "-c", KILLED, clustered.lake.root, server.url]
    killed = subprocess.run(command, env=os.environ | {"LLMA_KILL_AT": "after_checkpoint"}, check=False)
    assert killed.returncode == -9
    assert not clustered.lake.exists("cluster_labels", DAY)
    of_first = server.paid
    assert of_first >= 1
    report = clustered.label()
    assert 0 < report.figures["cache_hits"] < report.items
    asked = [request.text for request in server.requests]
    assert not set(asked[of_first:]) & set(asked[:of_first])
    runs = {row["clustering_run_id"] for row in clustered.rows("cluster_labels")}
    assert len(runs) == 2


def test_labels_that_failed_at_the_server_are_due_once_a_day(
    clustered: Day,
    server: Server,
    instance: dg.DagsterInstance,
) -> None:
    server.always(Reply(500))
    clustered.label()
    EmitEvents(clustered.lake, LOG).run(DAY)
    assert is_part(clustered.version("cluster_labels"))
    cursor: str | None = None
    asked = []
    for hours in (0, 1, 13, 14):
        requests, cursor = requested(instance, cursor, NOW + timedelta(hours=hours))
        asked.append([request.job_name for request in requests])
    assert asked == [["cluster_traces"], [], ["cluster_traces"], []]
    server.always(None)
    clustered.label()
    EmitEvents(clustered.lake, LOG).run(DAY)
    assert clustered.at(NOW + timedelta(days=9)).due() == []
