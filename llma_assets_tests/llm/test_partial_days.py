"""Days that a budget cut short: valid, marked, gone on with once a day, and never paid for twice."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from llma_assets.automation.discovery import days_to_summarize
from llma_assets.lake import Lake
from llma_assets.llm.budget import budget_of
from llma_assets.llm.endpoint import Endpoint
from llma_assets.settings import load_settings
from llma_assets.versions import is_part
from llma_assets.vocabulary import Level
from llma_assets_tests.llm.llm_day import DAY, ONE_SUMMARY_USD, Day, questions, requested, statuses
from llma_assets_tests.llm.server import Server
from llma_assets_tests.real_traces import NOW
from llma_assets_tests.stages.pipeline import embed, source

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

Ingest = Callable[..., Any]


@pytest.fixture(autouse=True)
def _one_generation_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_MAX_GENERATIONS_PER_HOUR", "1")


@pytest.fixture
def day(lake: Lake, endpoint: Endpoint) -> Day:
    return Day(lake, endpoint)


# --- summaries --------------------------------------------------------------------------------------------------------


def test_summaries_cut_short_are_a_valid_part_and_the_next_run_pays_the_rest(
    day: Day, server: Server, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F19."""
    ingest(questions(60))
    monkeypatch.setenv("LLMA_BUDGET_USD", str(1.2 * ONE_SUMMARY_USD))
    first = day.summarize()
    found = statuses(day.rows("trace_summaries"))
    done = found[("summarized", None)]
    left = found[("skipped", "budget_exhausted")]
    assert done == server.paid > 0 and left > 0
    assert sum(found.values()) == first.rows_in == 60 + 60
    assert first.figures["is_partial"] == 1 and first.figures["summaries_failed"] == 0
    assert is_part(day.version("trace_summaries"))
    cost = sum(row["cost_usd"] or 0 for row in day.rows("trace_summaries"))
    assert 0 < cost <= 1.2 * ONE_SUMMARY_USD

    paid = server.paid
    again = day.summarize()
    assert again.figures["is_partial"] == 1 and again.figures["cache_hits"] == paid
    assert server.paid == paid, "the partition's cap is for ever"

    monkeypatch.setenv("LLMA_BUDGET_USD", "10")
    last = day.summarize()
    assert last.figures["is_partial"] == 0
    assert server.paid == done + left, "nothing was paid twice"
    assert not is_part(day.version("trace_summaries"))
    stats = source(day.lake).day_stats("acme", NOW, list(Level))
    assert day.version("trace_summaries") == stats[0].source_version
    assert day.summarize().figures["cache_hits"] == done + left


def test_a_budget_that_fits_nothing_leaves_a_part_without_vectors(
    day: Day, server: Server, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(questions(5))
    monkeypatch.setenv("LLMA_BUDGET_USD", "0")
    report = day.summarize()
    assert (report.items, report.empty_reason) == (0, "budget_exhausted (10 of 10)")
    assert server.requests == []
    assert day.embed().items == 0
    monkeypatch.delenv("LLMA_BUDGET_USD")
    assert len(day.due()) == 1
    assert day.summarize().figures["is_partial"] == 0


# --- what is asked for again ------------------------------------------------------------------------------------------


def test_a_part_is_due_once_a_day_while_there_is_room_and_not_once_it_is_whole(
    day: Day, server: Server, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_MIN_ITEMS", "1000")
    ingest(questions(60))
    # Enough for a few summaries each day.
    monkeypatch.setenv("LLMA_BUDGET_USD_PER_DAY", str(1.1 * ONE_SUMMARY_USD))
    assert len(day.due()) == 1
    keys: list[str] = []
    for number in range(30):
        today = day.at(NOW + timedelta(days=number))
        paid = server.paid
        today.summarize()
        embed(day.lake, DAY)
        assert today.due() == [], "nothing is left of today's budget"
        assert today.plan().settled
        assert days_to_summarize("acme", day.lake, source(day.lake), load_settings(), today.now) == set()
        if not is_part(day.version("trace_summaries")):
            break
        assert server.paid > paid
        tomorrow = day.at(today.now + timedelta(days=1))
        (key,) = tomorrow.due()
        assert key == tomorrow.at(tomorrow.now + timedelta(hours=3)).due()[0], "the same all day"
        keys.append(key)
        assert days_to_summarize("acme", day.lake, source(day.lake), load_settings(), tomorrow.now) == {DAY}
    assert len(keys) == len(set(keys)) > 0
    assert statuses(day.rows("trace_summaries")) == {("summarized", None): 70, ("skipped", "not_sampled"): 50}
    assert server.paid == 70
    for later in range(40, 43):
        assert day.at(NOW + timedelta(days=later)).due() == []


def test_a_part_under_the_partition_s_cap_is_not_due_until_the_cap_is_raised(
    day: Day, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_MIN_ITEMS", "1000")
    ingest(questions(40))
    monkeypatch.setenv("LLMA_BUDGET_USD", str(1.1 * ONE_SUMMARY_USD))
    day.summarize()
    embed(day.lake, DAY)
    for later in range(4):
        assert day.at(NOW + timedelta(days=later)).due() == []
    monkeypatch.setenv("LLMA_BUDGET_USD", "1")
    assert len(day.due()) == 1


def test_a_part_with_late_events_is_due_as_any_other(day: Day, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_MIN_ITEMS", "1000")
    ingest(questions(20))
    monkeypatch.setenv("LLMA_BUDGET_USD", str(1.1 * ONE_SUMMARY_USD))
    day.summarize()
    embed(day.lake, DAY)
    assert day.due() == []
    ingest([event | {"uuid": "late"} for event in questions(1)])
    assert len(day.due()) == 1


def test_the_sensor_asks_for_a_part_once_a_day(
    day: Day, ingest: Ingest, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there is room and the run came to nothing: it must not be asked for at every tick."""
    monkeypatch.setenv("LLMA_MIN_ITEMS", "1000")
    ingest(questions(20))
    monkeypatch.setenv("LLMA_BUDGET_USD", str(1.1 * ONE_SUMMARY_USD))
    day.summarize()
    embed(day.lake, DAY)
    monkeypatch.delenv("LLMA_BUDGET_USD")
    cursor: str | None = None
    counts = []
    for hours in (0, 0.01, 1, 11, 12, 13, 30, 36, 40):
        requests, cursor = requested(instance, cursor, NOW + timedelta(hours=hours))
        counts.append(len(requests))
    assert counts == [1, 0, 0, 0, 1, 0, 0, 1, 0]


def test_a_ledger_is_no_partition_of_anybody_else(day: Day) -> None:
    """The day cap counts what other partitions of the team spent, and not what other teams did."""
    settings = load_settings(budget_usd_per_day=1.0)
    other = replace(DAY, day=date(2025, 6, 1))
    assert budget_of(settings, other, lambda: NOW).reserve(0.8) is not None
    assert budget_of(settings, DAY, lambda: NOW).reserve(0.3) is None
    assert budget_of(settings, replace(DAY, team="other"), lambda: NOW).reserve(0.3) is not None
