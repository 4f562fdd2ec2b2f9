"""Summaries through the Batch API: handed over, waited for, collected; what they cost and what is sent."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llma_assets.errors import BudgetExhausted, InputRejected, RetryLater, WaitingForBatch
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.batch import file as batch_file
from llma_assets.llm.batch import submit as batch_submit
from llma_assets.llm.batch.summarizer import OpenAIBatchSummarizer
from llma_assets.llm.budget import Budget
from llma_assets.llm.call_record import CallRecord
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.recorder import Recorder
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.llm.task import LlmTask
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.batch.batch_day import TEAM_DAY, Day, expected, titles
from llma_assets_tests.llm.llm_items import item, real_items
from llma_assets_tests.llm.server import CHAT_MODEL, Reply, Server

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]


class Records:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    def call(self, record: CallRecord) -> None:
        self.calls.append(record)


@pytest.fixture
def day(lake: Lake, endpoint: Endpoint) -> Day:
    one = Day(lake, endpoint)
    one.items = [item(number) for number in range(6)]
    return one


# --- the plain way ----------------------------------------------------------------------------------------------------


def test_a_day_is_handed_over_waited_for_and_collected(day: Day, server: Server) -> None:
    assert "6 items wait for 1 batch(es), the first of them batch_0001, since 20" in day.submit()
    assert server.paid == 0
    assert {row["status"] for row in day.waiting_for} == {"submitted"}
    assert {row["batch_id"] for row in day.waiting_for} == {"batch_0001"}
    assert "6 items wait for 1 batch(es)" in day.submit(), "it only looks"
    assert list(server.batches.made) == ["batch_0001"]

    server.batches.finish()
    outcomes = day.run()
    assert titles(outcomes) == expected(range(6))
    for outcome in outcomes.values():
        assert outcome.reason is None
        assert outcome.input_tokens
        assert outcome.output_tokens
        full_usd = (outcome.input_tokens + 2 * outcome.output_tokens) / 1e6
        assert outcome.cost_usd == pytest.approx(full_usd / 2)
    assert server.paid == 6
    assert day.waiting_for == []


def test_the_request_is_that_of_a_direct_call(day: Day, server: Server) -> None:
    fence = "=== 00112233445566778899aabbccddeeff ==="
    day.items = [item(1)]
    access = Access(**day.options)
    list(OpenAISummarizer(CHAT_MODEL, access, fence=lambda: fence).summarize(day.items))
    with pytest.raises(WaitingForBatch):
        list(day.summarizer(fence=lambda: fence).summarize(day.items))
    assert [line["body"] for line in server.batches.lines("batch_0001")] == [server.requests[0].body]


def test_real_traces_come_back_with_their_own_lines(day: Day, server: Server) -> None:
    day.items = real_items(8)
    day.submit()
    server.batches.finish(seed=7)
    texts = {one.key[1]: one.representation.text for one in day.items}
    outcomes = day.run()
    assert len(outcomes) == 8
    for name, outcome in outcomes.items():
        assert outcome.summary is not None
        lines = texts[name].split("\n")
        for note in outcome.summary.bullets:
            assert note.text.split(" ", 1)[1][:50] in lines[int(note.line_refs[1:]) - 1]


def test_names_of_requests_tell_nothing_and_texts_go_only_into_the_file(day: Day, server: Server) -> None:
    day.items = [replace(one, key=("trace", f"secret-{number}")) for number, one in enumerate(day.items)]
    day.submit()
    lines = server.batches.lines("batch_0001")
    assert len({line["custom_id"] for line in lines}) == 6
    for line in lines:
        assert set(line["custom_id"]) <= set("0123456789abcdef")
    for request in server.requests:
        assert b"secret-" not in request.raw
        assert (b"Please book" in request.raw) == (request.path == "/v1/files")


def test_nothing_is_left_at_the_server(day: Day, server: Server) -> None:
    server.when("number 3 ", Reply(500))
    day.submit()
    server.batches.finish()
    day.run()
    assert len(server.batches.files) == 3
    assert all(shown.get("deleted") for shown, _ in server.batches.files.values())


def test_no_item_no_call(day: Day, server: Server) -> None:
    day.items = []
    assert day.run() == {}
    assert server.requests == []


@pytest.mark.parametrize(("most_requests", "most_bytes"), [(2, 10**9), (10**9, 2.5)], ids=["requests", "bytes"])
def test_large_days_go_in_several_batches(
    day: Day, server: Server, monkeypatch: pytest.MonkeyPatch, most_requests: int, most_bytes: float
) -> None:
    day.submit()
    size = len(json.dumps(server.batches.lines("batch_0001")[0]))
    monkeypatch.setattr(batch_file, "MAX_FILE_BYTES", most_bytes * size)
    monkeypatch.setattr(batch_submit, "MAX_REQUESTS", most_requests)
    day.items = [replace(one, content_hash="new") for one in day.items]
    assert "6 items wait for 3 batch(es), the first of them batch_0002" in day.submit()
    assert [len(server.batches.lines(f"batch_{number:04d}")) for number in (2, 3, 4)] == [2, 2, 2]
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))


def test_each_call_is_recorded_once_at_its_price(lake: Lake, endpoint: Endpoint, server: Server) -> None:
    records = Records()
    day = Day(lake, endpoint, recorder=records)
    day.items = [item(number) for number in range(3)]
    server.when("number 2 ", Reply(400, "content_filter"))
    day.submit()
    assert records.calls == []
    server.batches.finish()
    list(day.summarizer().summarize(day.items))
    outcomes = day.run()
    assert sorted(call.subject for call in records.calls) == ["trace t0", "trace t1", "trace t2"]
    costs = {call.subject.split()[1]: call.cost_usd for call in records.calls}
    assert costs == {name: outcome.cost_usd for name, outcome in outcomes.items()}
    assert all(call.is_batch for call in records.calls)
    assert [call.error for call in records.calls if call.error] == ["HTTP 400"]


# --- budget and redaction ---------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Callable[[], datetime]:
    at = datetime(2026, 2, 1, tzinfo=UTC)
    return lambda: at


def _budget(tmp_path: Path, clock: Callable[[], datetime], usd: float) -> Budget:
    return Budget(tmp_path, TEAM_DAY, usd, None, clock)


def test_the_budget_is_charged_ahead_and_settled_at_half_the_price(
    lake: Lake, endpoint: Endpoint, server: Server, tmp_path: Path, clock: Any
) -> None:
    budget = _budget(tmp_path, clock, 100.0)
    day = Day(lake, endpoint, budget=budget)
    day.items = [item(number) for number in range(4)]
    server.when("number 3 ", Reply(500))
    day.submit()
    ahead = budget.spent_usd()[0]
    assert ahead > 4 * 8_000 * 2 / 1e6 / 2
    server.batches.expire(done=4)
    outcomes = day.run()
    spent = sum(outcome.cost_usd or 0.0 for outcome in outcomes.values())
    assert budget.spent_usd()[0] == pytest.approx(spent, abs=1e-8)
    assert 0 < spent < ahead / 4


def test_items_beyond_the_budget_come_when_others_are_settled(
    lake: Lake, endpoint: Endpoint, server: Server, tmp_path: Path, clock: Any
) -> None:
    budget = _budget(tmp_path, clock, 0.03)
    day = Day(lake, endpoint, budget=budget)
    day.items = [item(number) for number in range(6)]
    rounds = 0
    while True:
        try:
            outcomes = day.run()
            break
        except WaitingForBatch:
            rounds += 1
            assert budget.spent_usd()[0] <= 0.03
            server.batches.finish()
    assert 2 <= rounds <= 6
    assert titles(outcomes) == expected(range(6))
    assert server.paid == 6


def test_a_budget_without_room_says_so_and_nothing_is_sent(
    lake: Lake, endpoint: Endpoint, server: Server, tmp_path: Path, clock: Any
) -> None:
    day = Day(lake, endpoint, budget=_budget(tmp_path, clock, 0.001))
    day.items = [item(1)]
    with pytest.raises(BudgetExhausted, match=r"LLMA_BUDGET_USD=0\.001"):
        day.run()
    assert server.requests == []


def test_a_run_that_is_broken_off_gives_its_charges_back(
    lake: Lake, endpoint: Endpoint, server: Server, tmp_path: Path, clock: Any
) -> None:
    budget = _budget(tmp_path, clock, 100.0)
    day = Day(lake, endpoint, budget=budget)

    def broken() -> Any:
        yield item(1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        list(day.summarizer().summarize(broken()))
    assert budget.spent_usd()[0] == 0.0


def test_a_budget_needs_a_price(lake: Lake, endpoint: Endpoint, tmp_path: Path, clock: Any) -> None:
    day = Day(lake, endpoint, budget=_budget(tmp_path, clock, 1.0), price_overrides={})
    with pytest.raises(InputRejected, match="LLMA_PRICES"):
        day.summarizer()


def test_texts_are_redacted_before_they_are_sent(lake: Lake, endpoint: Endpoint, server: Server) -> None:
    def redact(text: str) -> str:
        if "number 2 " in text:
            raise ValueError(text)
        return text.replace("Rome", "[city]")

    day = Day(lake, endpoint, redact=redact)
    day.items = [item(number) for number in range(4)]
    day.submit()
    assert all(b"Rome" not in request.raw for request in server.requests)
    server.batches.finish()
    outcomes = day.run()
    assert {name: outcome.reason for name, outcome in outcomes.items() if outcome.reason} == {
        "t2": Reason.REDACTION_FAILED
    }
    assert titles(outcomes)["t1"] == "Please book train number 1 to [city]"


def test_a_deadline_ends_a_run(lake: Lake, endpoint: Endpoint, server: Server) -> None:
    day = Day(lake, endpoint, deadline=0.0)
    day.items = [item(1)]
    with pytest.raises(RetryLater, match="LLMA_OPENAI_DEADLINE_S"):
        day.run()
    assert server.requests == []


def test_waiting_is_told_since_the_oldest_batch(lake: Lake, endpoint: Endpoint, server: Server) -> None:
    times = iter(datetime(2026, 2, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(1_000))
    day = Day(lake, endpoint, now=lambda: next(times))
    day.items = [item(1)]
    first = day.submit().rsplit("since", 1)[1]
    day.items.append(item(2))
    again = day.submit()
    assert "2 items wait for" in again
    assert again.rsplit("since", 1)[1] == first


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
