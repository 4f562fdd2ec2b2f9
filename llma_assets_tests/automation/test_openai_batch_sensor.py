"""A day whose summaries are made in a batch: handed over, waited for, asked about, collected, at half the price."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from llma_assets.automation.openai_batch_sensor import openai_batch_sensor
from llma_assets.definitions import resources
from llma_assets.instance import execute
from llma_assets.lake import Lake
from llma_assets.llm.batch.state import BatchState
from llma_assets.partitions import team_day_of
from llma_assets.queries.views import open_views, query
from llma_assets.settings import load_settings
from llma_assets_tests.automation.test_discovery import tick
from llma_assets_tests.llm.server import CHAT_MODEL, Server
from llma_assets_tests.real_traces import demo_events

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

KEY = "2025-06-02|acme"
DAY = team_day_of(KEY)


@pytest.fixture
def batched(server: Server, monkeypatch: pytest.MonkeyPatch, ingest: Callable[..., Any]) -> Server:
    """A team with a day of real prompts, and settings that send its summaries by batch."""
    for name, value in {
        "SUMMARIZER": "openai",
        "OPENAI_DELIVERY": "batch",
        "OPENAI_BASE_URL": server.url,
        "OPENAI_SUMMARY_MODEL": CHAT_MODEL,
        "PRICES": f'{{"{CHAT_MODEL}": {{"input_usd": 100, "output_usd": 400}}}}',
    }.items():
        monkeypatch.setenv(f"LLMA_{name}", value)
    ingest(demo_events("assistant", 30, "2025-06-02"))
    return server


def ask(instance: dg.DagsterInstance) -> Any:
    """One evaluation of the batch sensor."""
    lake = resources(load_settings())["lake"]
    with dg.build_sensor_context(instance=instance, resources={"lake": lake}) as context:
        return openai_batch_sensor(context)


def summarize(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return execute("summarize_traces", DAY, instance, log_level="CRITICAL")


def status(lake: Lake) -> dict[str, Any]:
    settings = load_settings()
    with open_views(lake, settings) as connection:
        (row,) = query(connection, "SELECT * FROM team_day_status").to_pylist()
    return row


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def test_a_day_is_handed_over_waited_for_and_collected(
    batched: Server, instance: dg.DagsterInstance, lake: Lake
) -> None:
    assert isinstance(ask(instance), dg.SkipReason)
    first = summarize(instance)
    assert first.success, "waiting is no failure"
    assert materialized(instance, "trace_summaries") == materialized(instance, "embeddings") == set()
    assert not lake.exists("trace_summaries", DAY)
    assert (status(lake)["status"], status(lake)["reason"][:17]) == ("waiting", "waiting for batch")
    assert batched.paid == 0

    assert "1 of 1 partitions wait" in ask(instance).skip_message
    cursor = tick(instance).cursor
    again = tick(instance, cursor)
    assert not again.run_requests, "the discovery sensor leaves a day that waits alone"
    assert summarize(instance).success
    assert len(batched.batches.made) == 1, "a run meanwhile hands nothing over twice"

    batched.batches.finish()
    (request,) = ask(instance).run_requests
    assert (request.job_name, request.partition_key) == ("summarize_traces", KEY)
    result = execute(request.job_name, DAY, instance, tags=request.tags, log_level="CRITICAL")
    assert result.success
    assert materialized(instance, "trace_summaries") == materialized(instance, "embeddings") == {KEY}
    shown = status(lake)
    assert shown["summarized"] == batched.paid > 20
    assert isinstance(ask(instance), dg.SkipReason)

    rows = lake.read("trace_summaries", DAY).to_pylist()
    tokens = [(row["input_tokens"], row["output_tokens"]) for row in rows if row["status"] == "summarized"]
    full_price = sum(100 * read + 400 * written for read, written in tokens) / 1e6
    assert shown["llm_cost_usd"] == pytest.approx(full_price / 2)
    after = tick(instance, again.cursor).run_requests
    assert [request.job_name for request in after] == ["cluster_traces"], "what comes next is asked for at once"


def test_a_batch_that_is_open_is_collected_whatever_is_set_since(
    batched: Server, instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert summarize(instance).success
    monkeypatch.setenv("LLMA_OPENAI_DELIVERY", "direct")
    assert summarize(instance).success
    assert batched.paid == 0
    batched.batches.finish()
    paid = batched.paid
    assert summarize(instance).success
    assert batched.paid == paid, "nothing is paid for a second time"
    assert status(lake)["summarized"] == paid


def test_a_day_that_is_summarized_here_waits_for_no_batch(
    batched: Server, instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert summarize(instance).success
    monkeypatch.setenv("LLMA_SUMMARIZER", "extractive")
    assert summarize(instance).success
    assert isinstance(ask(instance), dg.SkipReason)
    assert status(lake)["reason"] == "not clustered yet"


def test_a_server_that_is_away_fails_no_sensor(batched: Server, instance: dg.DagsterInstance) -> None:
    assert summarize(instance).success
    batched.key = "another"
    assert "OPENAI_API_KEY" in ask(instance).skip_message


def test_in_a_range_the_days_that_are_done_are_reported(
    batched: Server, instance: dg.DagsterInstance, ingest: Callable[..., Any], lake: Lake
) -> None:
    from llma_assets.definitions import defs

    assert summarize(instance).success
    batched.batches.finish()
    ingest(demo_events("assistant", 20, "2025-06-03"))
    job = defs.resolve_job_def("summarize_traces")
    tags = {"dagster/asset_partition_range_start": KEY, "dagster/asset_partition_range_end": "2025-06-03|acme"}
    result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert result.success
    assert materialized(instance, "trace_summaries") == {KEY}
    assert materialized(instance, "embeddings") == set(), "a range goes on once all of its days are there"
    assert lake.exists("trace_summaries", DAY) and not lake.exists("trace_summaries", team_day_of("2025-06-03|acme"))


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
    for day in (DAY, team_day_of("2025-06-02|other")):
        ingest(demo_events("assistant", 5, "2025-06-02"), day.team)
        assert execute("summarize_traces", day, instance, log_level="CRITICAL").success
    server.batches.finish()
    state = BatchState(lake, DAY)
    state.put([replace(row, batch_id="batch_of_another_account") for row in state.rows.values()])
    state.save()
    with dg.build_sensor_context(instance=instance, resources={"lake": resources(load_settings())["lake"]}) as context:
        result: Any = openai_batch_sensor(context)
    assert [request.partition_key for request in result.run_requests] == ["2025-06-02|other"]
