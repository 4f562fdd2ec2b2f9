"""What happens at the edges between the parts: odd answers, a source that dies, what records and messages say."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from llma_assets.automation.openai_batch_sensor import openai_batch_sensor
from llma_assets.definitions import resources
from llma_assets.errors import BudgetExhausted, FailFast, RetryLater, WaitingForBatch
from llma_assets.estimation.estimate import EstimateBackfill
from llma_assets.instance import execute
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.batch.state import BatchState
from llma_assets.llm.batch.summarizer import OpenAIBatchSummarizer
from llma_assets.llm.budget import Budget
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.recorder import Recorder
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.llm.task import LlmTask
from llma_assets.llm.work import opened
from llma_assets.partitions import team_day_of
from llma_assets.providers import embedder_of
from llma_assets.queries.views import open_views, query
from llma_assets.resources.providers import Providers
from llma_assets.settings import load_settings
from llma_assets.stages.embeddings import EmbedDay
from llma_assets.summarization.outcome import ItemText, SummaryOutcome
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.batch.batch_day import TEAM_DAY, Day
from llma_assets_tests.llm.llm_items import access_of, item
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, Reply, Server
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import LOG, source, summarize

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

DAY = "2025-06-02"
ACME, OTHER = team_day_of(f"{DAY}|acme"), team_day_of(f"{DAY}|other")


@pytest.fixture
def make(endpoint: Endpoint) -> Callable[..., OpenAISummarizer]:
    def _make(**options: Any) -> OpenAISummarizer:
        access, others = access_of(endpoint, options, concurrency=4)
        return OpenAISummarizer(CHAT_MODEL, access, **others)

    return _make


@pytest.mark.parametrize("message", ["a text", ["a", "list"], 7], ids=["text", "list", "number"])
def test_a_message_that_is_no_object_is_the_item_s_failure(
    make: Callable[..., OpenAISummarizer], server: Server, message: Any
) -> None:
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    odd = Reply(200, headers={"Content-Type": "application/json"}, body=json.dumps(body | {"choices": [choice]}))
    server.when("train number 3 ", odd)
    outcomes = {one.key[1]: one.reason for one in make().summarize([item(n) for n in range(6)])}
    assert outcomes == {f"t{n}": Reason.LLM_ERROR if n == 3 else None for n in range(6)}


@pytest.mark.parametrize("row", [None, "a text", 7], ids=["null", "text", "number"])
def test_a_vector_that_is_no_object_is_no_protocol(endpoint: Endpoint, server: Server, row: Any) -> None:
    body = json.dumps({"object": "list", "model": "m", "data": [row], "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    server.always(Reply(200, headers={"Content-Type": "application/json"}, body=body))
    access, _ = access_of(endpoint, {})
    with pytest.raises(RetryLater, match="not of OpenAI's protocol"):
        OpenAIEmbedder(EMBEDDING_MODEL, access).embed(["a text"])


def test_a_batch_costs_what_its_own_model_costs(endpoint: Endpoint, server: Server, lake: Lake, tmp_path: Path) -> None:
    """Another model is set between the run that hands over and the one that collects."""
    server.any_model = True
    prices = {CHAT_MODEL: {"input_usd": 1.0, "output_usd": 2.0}, "dear": {"input_usd": 1e4, "output_usd": 2e4}}
    budget = Budget(tmp_path, TEAM_DAY, 10.0, None, lambda: datetime(2026, 1, 3, tzinfo=UTC))
    day = Day(lake, endpoint, budget=budget, price_overrides=prices)
    day.items = [item(number) for number in range(3)]
    day.submit()
    most_usd, _ = budget.spent_usd()
    server.batches.finish()
    recorder = Recorder(lake, LlmTask("trace_summaries", TEAM_DAY), None, lambda: datetime(2026, 1, 3, tzinfo=UTC))
    access = Access(task=LlmTask("trace_summaries", TEAM_DAY), recorder=recorder, **day.options)
    with pytest.raises(BudgetExhausted):
        list(OpenAIBatchSummarizer("dear", access, lake).summarize(day.items))
    recorder.close("ok", {})
    assert 0 < budget.spent_usd()[0] < most_usd
    rows = [row for path in lake.files("llm_calls", TEAM_DAY) for row in pq.read_table(path).to_pylist()]
    calls = [row for row in rows if row["event"] == "$ai_generation"]
    assert {row["model"] for row in calls} == {CHAT_MODEL}
    assert sum(row["cost_usd"] for row in calls) == pytest.approx(budget.spent_usd()[0])


def test_what_is_in_flight_when_the_source_of_items_dies_is_kept(
    make: Callable[..., OpenAISummarizer], server: Server
) -> None:
    server.answer_s = 0.5

    def source() -> Iterator[ItemText]:
        yield from (item(n) for n in range(4))
        # Until all of them are under way.
        give_up_at = time.monotonic() + 10
        while server.in_flight < 4 and time.monotonic() < give_up_at:
            time.sleep(0.01)
        raise OSError("a file is broken")

    kept: list[SummaryOutcome] = []
    yielded = []
    with pytest.raises(OSError, match="a file is broken"):
        for outcome in make().summarize(source(), kept.append):
            yielded.append(outcome.key)
    assert server.paid == 4
    assert sorted(one.key for one in kept) == sorted(yielded) == [("trace", f"t{n}") for n in range(4)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (FailFast("the key is refused"), "failed: the key is refused"),
        (WaitingForBatch("3 items wait for 1 batch(es)"), "waiting: 3 items wait for 1 batch(es)"),
        (ValueError("cannot convert 'my card is 4111 1111 1111 1111'"), "failed: ValueError"),
    ],
    ids=["failed", "waiting", "foreign"],
)
def test_the_record_of_a_task_says_how_it_ended_and_quotes_nobody(lake: Lake, error: Exception, outcome: str) -> None:
    task = LlmTask("trace_summaries", ACME)
    with (
        pytest.raises(type(error)),
        opened(load_settings(), task, lake, lambda: datetime(2026, 1, 2, tzinfo=UTC), {}),
    ):
        raise error
    (path,) = lake.files("llm_calls", ACME)
    with lake.open_parquet(path) as file:
        (row,) = file.read().to_pylist()
    assert row["outcome"] == outcome
    assert row["is_error"] is outcome.startswith("failed")


def test_a_batch_that_the_server_does_not_know_holds_up_nobody_else(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    ingest: Callable[..., Any],
    instance: dg.DagsterInstance,
    lake: Lake,
) -> None:
    for name, value in {
        "SUMMARIZER": "openai",
        "OPENAI_DELIVERY": "batch",
        "OPENAI_BASE_URL": server.url,
        "OPENAI_SUMMARY_MODEL": CHAT_MODEL,
    }.items():
        monkeypatch.setenv(f"LLMA_{name}", value)
    for day in (ACME, OTHER):
        ingest(demo_events("assistant", 5, DAY), day.team)
        assert execute("summarize_traces", day, instance, log_level="CRITICAL").success
    server.batches.finish()
    state = BatchState(lake, ACME)
    state.put([replace(row, batch_id="batch_of_another_account") for row in state.rows.values()])
    state.save()
    with dg.build_sensor_context(instance=instance, resources={"lake": resources(load_settings())["lake"]}) as context:
        result: Any = openai_batch_sensor(context)
    assert [request.partition_key for request in result.run_requests] == [f"{DAY}|other"]


def test_the_query_of_the_address_is_in_no_message(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers take their key there."""
    secret = "code=4f1c9d7e"
    server.response_formats = {"json_object", "text"}
    with caplog.at_level(logging.INFO, "llma_assets"):
        access, _ = access_of(Endpoint(f"{server.url}?{secret}"), {})
        (outcome,) = OpenAISummarizer(CHAT_MODEL, access).summarize([item(1)])
    assert outcome.summary is not None and server.requests[0].query == {"code": "4f1c9d7e"}
    assert "asking in another way" in caplog.text and secret not in caplog.text
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(FailFast, match=r"https://llm\.example\.com/v1 ") as caught:
        Endpoint(f"https://llm.example.com/v1?{secret}").open()
    assert secret not in str(caught.value)


def test_a_day_whose_vectors_no_budget_was_left_for_says_so(
    endpoint: Endpoint, ingest: Callable[..., Any], lake: Lake, tmp_path: Path
) -> None:
    ingest(demo_events("assistant", 10, DAY))
    summarize(lake, ACME)
    budget = Budget(tmp_path, ACME, 0.0, None, lambda: NOW)
    access, _ = access_of(endpoint, {}, budget=budget, price_overrides={EMBEDDING_MODEL: {"input_usd": 1.0}})
    settings = load_settings()
    EmbedDay(lake, OpenAIEmbedder(EMBEDDING_MODEL, access), embedder_of(settings).recipe, LOG).run(ACME)
    with open_views(lake, settings) as connection:
        (row,) = query(connection, "SELECT is_partial, reason FROM team_day_status").to_pylist()
    assert row == {"is_partial": True, "reason": "budget_exhausted (20 of 20 vectors)"}


def test_an_estimate_takes_redacted_local_summaries_as_made(
    ingest: Callable[..., Any], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(demo_events("assistant", 10, DAY))
    monkeypatch.setenv("LLMA_EMBEDDER", "openai")
    task = LlmTask("trace_summaries", ACME)
    with Providers().open_summarizer(task, lake, lambda: NOW) as chosen:
        summarize(lake, ACME, chosen.provider)
    found = EstimateBackfill(lake, source(lake), load_settings(), NOW, LOG).run("acme", ACME.day, ACME.day)
    assert (found.stages[0].stage, found.stages[0].items, found.stages[0].kept) == ("summaries", 0, 20)
