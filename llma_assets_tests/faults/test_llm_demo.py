"""Whole runs with a model behind a server: the demo, its books, and a capture endpoint that is dead."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from llma_assets.instance import execute
from llma_assets.lake import Lake
from llma_assets.llm import capture
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.server import KEY, Server
from llma_assets_tests.real_traces import demo_events

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

LLMA = str(Path(sys.executable).parent / "llma")
# One of the demo's teams, a few items an hour, so that it takes seconds; and prices, of which a local server has none.
PRICES = {
    "gpt-4.1-mini": {"input_usd": 0.4, "cached_input_usd": 0.1, "output_usd": 1.6},
    "text-embedding-3-large": {"input_usd": 0.13},
}
SETTINGS = {
    "LLMA_START_DATE": "2026-03-01",
    "LLMA_MAX_TRACES_PER_HOUR": "8",
    "LLMA_MAX_GENERATIONS_PER_HOUR": "8",
    "LLMA_PRICES": json.dumps(PRICES),
    "OPENAI_API_KEY": KEY,
    "NO_COLOR": "1",
}


def llma(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | SETTINGS
    return subprocess.run([LLMA, *arguments], env=environment, capture_output=True, text=True, check=False)


def answer(*arguments: str) -> list[dict[str, Any]]:
    done = llma(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.on_request
def test_the_demo_by_a_model_runs_to_its_end_and_accounts_for_every_call(server: Server) -> None:
    server.any_model = True
    demo = ("demo", "--provider", "openai", "--base-url", server.url)
    first = llma(*demo)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Traceback" not in first.stderr and "POSTHOG" not in first.stderr
    paid = server.paid
    assert paid > 50

    spend = answer("sql", "SELECT * FROM llm_spend")
    assert sum(row["calls"] for row in spend) == sum(row["attempts"] for row in spend) == paid
    assert {row["asset"] for row in spend} == {"trace_summaries", "embeddings", "cluster_labels"}
    assert all(row["calls_unpriced"] == row["calls_failed"] == 0 for row in spend)
    # The server counts a token for each four characters of what it read.
    read = sum(len(request.text) // 4 for request in server.requests if request.path.endswith("/chat/completions"))
    assert sum(row["input_tokens"] for row in spend if row["asset"] != "embeddings") == read
    for row in spend:
        price = PRICES[row["model"]]
        cost = row["input_tokens"] * price["input_usd"] + (row["output_tokens"] or 0) * price.get("output_usd", 0.0)
        assert row["cost_usd"] == pytest.approx(cost / 1e6)

    status = answer("status")
    for figure, column in (("llm_calls", "calls"), ("llm_input_tokens", "input_tokens"), ("llm_cost_usd", "cost_usd")):
        assert sum(row[figure] for row in status) == pytest.approx(sum(row[column] for row in spend))
    assert "shown" in {row["status"] for row in status if row["team_id"] == "airline"}
    named = answer("sql", "SELECT title, label_source FROM clusters")
    assert any(row["label_source"] == "llm" for row in named)

    again = llma(*demo)
    assert again.returncode == 0, again.stdout + again.stderr
    assert server.paid == paid, "what was paid for is kept"


@pytest.fixture
def endpoint_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Points capture at an endpoint that is dead or that never answers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))

    def _use(kind: str) -> None:
        monkeypatch.setattr(capture, "_open", {})
        if kind != "none":
            monkeypatch.setenv("POSTHOG_API_KEY", "phc_fakeKeyForTests0123456789")
            # Taken connections wait in the queue of a listener that nobody accepts from; without it, none is taken.
            monkeypatch.setenv("POSTHOG_HOST", f"http://127.0.0.1:{listener.getsockname()[1]}")
        if kind == "hangs":
            listener.listen(50)

    yield _use
    listener.close()


@pytest.mark.slow
def test_a_capture_endpoint_that_is_dead_changes_no_result_no_duration_and_no_attempt(
    ingest: Callable[..., Any],
    lake: Lake,
    server: Server,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    endpoint_of: Callable[[str], None],
) -> None:
    """F31, over whole Dagster runs of trace_summaries and embeddings."""
    monkeypatch.setenv("LLMA_SUMMARIZER", "openai")
    monkeypatch.setenv("LLMA_OPENAI_BASE_URL", server.url)
    # All of them: which are taken depends on the team.
    monkeypatch.setenv("LLMA_MAX_GENERATIONS_PER_HOUR", "100")
    server.any_model = True
    waits: list[tuple[float | None, bool]] = []

    class Watched(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            super().join(timeout)
            if self.name == "posthog-flush":
                waits.append((timeout, self.is_alive()))

    monkeypatch.setattr(threading, "Thread", Watched)
    for team, kind in (("first", "none"), ("alpha", "none"), ("bravo", "dead"), ("delta", "hangs")):
        ingest(demo_events("airline", 3, "2026-03-09"), team)
        endpoint_of(kind)
        day = TeamDay(team, date(2026, 3, 9))
        waits.clear()
        result = execute("summarize_traces", day, instance, log_level="CRITICAL")
        assert result.success
        # A process waits in vain once at most, whatever the endpoint does.
        assert {timeout for timeout, _ in waits} <= {capture.DELIVERY_WAIT_S}
        assert sum(in_vain for _, in_vain in waits) <= 1
        assert bool(waits) == (kind != "none")
        assert not [event for event in result.all_events if "RETRY" in event.event_type_value]
        assert lake.files("llm_calls", day)
        assert bool(capture._open) == (kind != "none"), "it was in use"
    tables = [lake.read("trace_summaries", TeamDay(team, date(2026, 3, 9))) for team in ("alpha", "bravo", "delta")]
    own = ["team_id", "batch_run_id", "event_uuid", "latency_s"]
    first, *others = (table.drop_columns(own) for table in tables)
    assert all(other.equals(first) for other in others)
