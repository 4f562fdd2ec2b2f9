"""What a run really pays stays under its cap, whatever happens to its calls; and no answer is paid for twice."""

import json
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from llma_assets.errors import BudgetExhausted, FailFast, InputRejected, RetryLater
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.llm.budget import LEDGER_FILE, Budget
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.llm.policy import RetryPolicy
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.summarization.outcome import SummaryOutcome
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.llm_items import access_of, item
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, Altered, Hang, Reply, Reset, Server
from llma_assets_tests.llm.server_protocol import rate_limited

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

DAY = TeamDay("acme", date(2026, 3, 9))
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
# Output is dear, so that a reservation (8,000 tokens of output) is many times what a call takes.
PRICES = {CHAT_MODEL: {"input_usd": 1.0, "output_usd": 2.0}, EMBEDDING_MODEL: {"input_usd": 1.0}}
# The most that a call on a small item can cost: about 8,000 tokens of output and 4,000 bytes of input.
ONE_CALL_USD = 0.021

Make = Callable[..., OpenAISummarizer]


class Bill:
    """What the server really charges, from the usage that it reports."""

    def __init__(self, server: Server):
        self.usd, self.calls = 0.0, 0
        counted = server.count

        def count(request: Any, reply: Reply) -> None:
            counted(request, reply)
            if reply.status == 200 and '"usage"' in (reply.body or ""):
                body = json.loads(reply.body or "")
                price = PRICES[body["model"]]
                usage = body["usage"]
                self.calls += 1
                self.usd += usage["prompt_tokens"] * price["input_usd"] / 1e6
                self.usd += usage.get("completion_tokens", 0) * price.get("output_usd", 0.0) / 1e6

        server.count = count  # type: ignore[method-assign]


@pytest.fixture
def bill(server: Server) -> Bill:
    return Bill(server)


@pytest.fixture
def make(endpoint: Endpoint, tmp_path: Path) -> Make:
    def _make(cap: float | None = None, **options: Any) -> OpenAISummarizer:
        budget = Budget(tmp_path, DAY, cap, None, lambda: AT)
        usual = {"concurrency": 10, "price_overrides": PRICES, "budget": budget}
        access, others = access_of(endpoint, options, **usual)
        return OpenAISummarizer(CHAT_MODEL, access, **others)

    return _make


@pytest.fixture
def ledger(tmp_path: Path) -> Callable[[], float]:
    """Dollars charged to the partition."""

    def _ledger() -> float:
        with closing(sqlite3.connect(tmp_path / LEDGER_FILE)) as file:
            rows = file.execute("SELECT amount FROM spent WHERE scope LIKE 'partition%'").fetchall()
        return sum(row[0] for row in rows) / 1e9

    return _ledger


def run(summarizer: OpenAISummarizer, numbers: Iterator[int] | range) -> tuple[dict[str, SummaryOutcome], set[str]]:
    """Outcomes until the end or until the budget is used up; and what was kept."""
    kept: list[SummaryOutcome] = []
    done: dict[str, SummaryOutcome] = {}
    try:
        for outcome in summarizer.summarize((item(n) for n in numbers), kept.append):
            done[outcome.key[1]] = outcome
    except BudgetExhausted:
        pass
    return done, {outcome.key[1] for outcome in kept}


# --- F19: the cap in the middle of a run ------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 10, 100])
def test_a_cap_below_the_need_is_never_passed_and_the_next_run_pays_only_the_rest(
    make: Make, server: Server, bill: Bill, ledger: Callable[[], float], concurrency: int
) -> None:
    server.answer_s = 0.005
    count = 150
    needed = 0.0
    for outcome in make(concurrency=concurrency).summarize([item(n) for n in range(3)]):
        needed += count / 3 * (outcome.cost_usd or 0)
    spent = bill.usd
    cap = spent + max(0.4 * needed, 2 * ONE_CALL_USD)
    assert cap < 0.7 * needed, "the cap must bind"

    kept: list[SummaryOutcome] = []
    done: list[SummaryOutcome] = []
    with pytest.raises(BudgetExhausted, match="LLMA_BUDGET_USD="):
        for outcome in make(cap, concurrency=concurrency).summarize((item(n) for n in range(count)), kept.append):
            done.append(outcome)
    assert bill.usd <= cap
    assert ledger() == pytest.approx(bill.usd, abs=1e-6), "nothing stays reserved"
    assert cap - bill.usd < ONE_CALL_USD, "it went on as long as another call was sure to fit"
    assert {o.key for o in kept} == {o.key for o in done} and len(done) == bill.calls - 3
    assert all(outcome.summary is not None for outcome in done)
    assert server.max_in_flight <= concurrency

    left = sorted(set(range(count)) - {int(outcome.key[1][1:]) for outcome in done})
    before = bill.calls
    rest, _ = run(make(cap + 10.0, concurrency=concurrency), iter(left))
    assert len(rest) == len(left) == bill.calls - before
    assert bill.calls == 3 + count


def test_a_hundred_calls_in_flight_wait_for_each_other_s_change(
    make: Make, server: Server, bill: Bill, ledger: Callable[[], float]
) -> None:
    """The cap fits two reservations at a time, and in the end all the work."""
    server.answer_s = 0.002
    charged: list[float] = []
    honest = server.choose

    def choose(request: Any) -> Any:
        charged.append(ledger())
        return honest(request)

    server.choose = choose  # type: ignore[method-assign]
    cap = 0.1
    done, _ = run(make(cap, concurrency=100), range(60))
    assert len(done) == 60 == bill.calls
    assert max(charged) <= cap
    assert bill.usd <= cap
    assert server.max_in_flight < 10


def test_nothing_is_asked_where_not_even_one_call_fits(make: Make, server: Server) -> None:
    with pytest.raises(BudgetExhausted, match=r"LLMA_BUDGET_USD=0\.001"):
        list(make(0.001).summarize([item(n) for n in range(50)]))
    assert server.requests == []


def test_several_runs_share_the_cap(make: Make, bill: Bill) -> None:
    cap = 0.05
    for start in range(0, 2_000, 40):
        done, _ = run(make(cap), range(start, start + 40))
        if len(done) < 40:
            break
    assert cap - ONE_CALL_USD < bill.usd <= cap
    assert run(make(cap), range(5_000, 5_010)) == ({}, set())


# --- prices -----------------------------------------------------------------------------------------------------------


def test_a_cap_without_a_price_is_refused_before_any_request(
    make: Make, server: Server, endpoint: Endpoint, tmp_path: Path
) -> None:
    with pytest.raises(InputRejected, match="LLMA_PRICES") as caught:
        list(make(1.0, price_overrides={}).summarize([item(1)]))
    assert CHAT_MODEL in str(caught.value) and "LLMA_OPENAI_SUMMARY_MODEL" in str(caught.value)
    access, _ = access_of(endpoint, {}, budget=Budget(tmp_path, DAY, None, 1.0, lambda: AT))
    with pytest.raises(InputRejected, match="LLMA_OPENAI_EMBEDDING_MODEL"):
        OpenAIEmbedder(EMBEDDING_MODEL, access).embed(["a"])
    with pytest.raises(InputRejected, match="LLMA_OPENAI_LABEL_MODEL"):
        OpenAILabeler(CHAT_MODEL, access).label([ClusterEvidence(1, 1, (ItemEvidence("a", "b c d", ()),))])
    assert server.requests == []


def test_without_a_cap_no_price_is_needed_and_with_one_the_spending_is_known(
    make: Make, bill: Bill, ledger: Callable[[], float]
) -> None:
    assert len(run(make(None, price_overrides={}), range(3))[0]) == 3
    run(make(None), range(3, 6))
    assert ledger() == pytest.approx(bill.usd / 2, rel=0.01)


# --- calls that end badly ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [Reply(500), Reply(503), rate_limited(), rate_limited("ms", 0.001), Reply(400, "content_filter"), Reply(400)],
    ids=["500", "503", "429", "429 retry-after", "filter", "400"],
)
def test_what_the_server_refused_is_not_charged(
    make: Make, server: Server, ledger: Callable[[], float], failure: Reply
) -> None:
    server.always(failure)
    (outcome,) = make(1.0).summarize([item(1)])
    assert outcome.summary is None
    assert ledger() == 0.0


@pytest.mark.parametrize("code", [401, 403, 404])
def test_what_ends_the_run_is_not_charged(make: Make, server: Server, ledger: Callable[[], float], code: int) -> None:
    server.always(Reply(code))
    with pytest.raises(FailFast):
        list(make(1.0).summarize([item(n) for n in range(20)]))
    assert ledger() == 0.0


def test_a_server_that_was_never_reached_is_not_charged(make: Make, ledger: Callable[[], float]) -> None:
    (outcome,) = make(1.0, endpoint=Endpoint("http://127.0.0.1:9/v1", 1.0)).summarize([item(1)])
    assert outcome.reason == Reason.LLM_ERROR
    assert ledger() == 0.0


@pytest.mark.parametrize(
    "failure",
    [Hang(0.5), Hang(0.5, drip=True), Reset("in_body"), Reset("before"), Reply(200, body="{"), Reply(200, body="")],
    ids=["hang", "drip", "reset in body", "reset", "no json", "empty"],
)
def test_what_the_server_may_have_billed_stays_charged(
    make: Make, server: Server, ledger: Callable[[], float], failure: Any
) -> None:
    server.always(failure)
    policy = RetryPolicy(max_attempts=3, first_wait_s=0.001)
    (outcome,) = make(1.0, policy=policy, endpoint=Endpoint(server.url, timeout_s=0.2)).summarize([item(1)])
    assert outcome.reason == Reason.LLM_ERROR
    assert 3 * 0.8 * ONE_CALL_USD < ledger() < 3 * ONE_CALL_USD


def test_retries_that_stay_charged_end_at_the_cap(make: Make, server: Server, ledger: Callable[[], float]) -> None:
    server.always(Reset("in_body"))
    cap = 2.5 * ONE_CALL_USD
    with pytest.raises(BudgetExhausted):
        list(make(cap, policy=RetryPolicy(max_attempts=10, first_wait_s=0.001)).summarize([item(1), item(2)]))
    assert len(server.requests) == 2
    assert ledger() <= cap


def test_an_answer_without_usage_stays_charged_with_the_most_it_can_have_cost(
    make: Make, server: Server, ledger: Callable[[], float]
) -> None:
    honest = server.honest

    def without(*arguments: Any) -> Reply:
        body = json.loads(honest(*arguments).body or "")
        del body["usage"]
        return Reply(200, body=json.dumps(body))

    server.honest = without  # type: ignore[method-assign, assignment]
    (outcome,) = make(1.0).summarize([item(1)])
    assert outcome.summary is not None
    assert outcome.cost_usd is None and outcome.input_tokens is None
    assert 0.8 * ONE_CALL_USD < ledger() < ONE_CALL_USD


def test_a_reply_of_no_use_is_charged_with_what_it_says_it_took(
    make: Make, server: Server, bill: Bill, ledger: Callable[[], float]
) -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500}
    server.script(Reply(200, body=json.dumps({"model": CHAT_MODEL, "choices": [], "usage": usage})))
    (outcome,) = make(1.0).summarize([item(1)])
    assert outcome.summary is not None
    assert ledger() == pytest.approx(bill.usd, abs=1e-8)
    assert ledger() > 0.002


def test_repairs_and_refusals_are_charged(make: Make, server: Server, bill: Bill, ledger: Callable[[], float]) -> None:
    server.when("number 1 ", Altered(lambda _: ""))
    server.when("number 2 ", Altered(refusal="No."))
    done, _ = run(make(1.0), range(4))
    assert bill.calls == 5
    assert ledger() == pytest.approx(bill.usd, abs=1e-8)
    assert sum(one.cost_usd or 0 for one in done.values()) == pytest.approx(bill.usd, abs=1e-8)


def test_refusals_of_the_dialect_are_not_charged(
    make: Make, server: Server, bill: Bill, ledger: Callable[[], float]
) -> None:
    server.response_formats, server.length_parameter = {"text"}, "max_tokens"
    run(make(1.0), range(3))
    assert len(server.requests) == 6
    assert ledger() == pytest.approx(bill.usd, abs=1e-8)


def test_cached_tokens_are_charged_at_their_own_price(make: Make, server: Server, ledger: Callable[[], float]) -> None:
    honest = server.honest

    def cached(*arguments: Any) -> Reply:
        body = json.loads(honest(*arguments).body or "")
        body["usage"] |= {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
        body["usage"]["prompt_tokens_details"] = {"cached_tokens": 800}
        return Reply(200, body=json.dumps(body))

    server.honest = cached  # type: ignore[method-assign, assignment]
    prices = {CHAT_MODEL: {"input_usd": 10.0, "cached_input_usd": 1.0, "output_usd": 20.0}}
    (outcome,) = make(1.0, price_overrides=prices).summarize([item(1)])
    assert outcome.cost_usd == pytest.approx((200 * 10 + 800 * 1 + 100 * 20) / 1e6)
    assert ledger() == pytest.approx(outcome.cost_usd, abs=1e-8)


def test_calls_that_are_stopped_by_the_deadline_keep_their_charge_and_no_more(
    make: Make, server: Server, bill: Bill, ledger: Callable[[], float]
) -> None:
    import time

    server.answer_s = 0.1
    with pytest.raises(RetryLater):
        list(make(1.0, deadline=time.monotonic() + 0.25).summarize([item(n) for n in range(200)]))
    assert ledger() == pytest.approx(bill.usd, abs=1e-8)


def test_a_run_that_is_left_keeps_the_charge_of_what_was_in_flight(
    make: Make, server: Server, bill: Bill, ledger: Callable[[], float]
) -> None:
    """The caller went away (Ctrl-C): the server may bill what it was asked for."""
    outcomes = make(10.0, concurrency=5).summarize(item(n) for n in range(100))
    next(outcomes)
    server.answer_s = 0.5
    next(outcomes)
    assert isinstance(outcomes, Generator)
    outcomes.close()
    in_flight = len(server.requests) - bill.calls
    assert in_flight > 0
    assert ledger() > bill.usd + 0.8 * in_flight * ONE_CALL_USD


# --- vectors and names ------------------------------------------------------------------------------------------------


def test_vectors_end_at_the_cap_and_those_paid_for_are_yielded(
    server: Server, endpoint: Endpoint, bill: Bill, ledger: Callable[[], float], tmp_path: Path
) -> None:
    texts = [f"text number {n} " + "word " * 400 for n in range(128 * 6)]
    one_batch = sum(len(text) for text in texts[:128]) / 1e6
    budget = Budget(tmp_path, DAY, 1.3 * one_batch, None, lambda: AT)
    access, _ = access_of(endpoint, {}, budget=budget, price_overrides=PRICES, concurrency=4)
    places: list[int] = []
    with pytest.raises(BudgetExhausted):
        for part, _vectors in OpenAIEmbedder(EMBEDDING_MODEL, access).parts(texts):
            places += part
    assert 0 < len(places) == len(set(places)) < len(texts)
    assert len(places) == sum(len(request.body["input"]) for request in server.requests)
    assert bill.usd <= 1.3 * one_batch
    assert ledger() == pytest.approx(bill.usd, abs=1e-8)


def test_names_end_at_the_cap_with_keywords_and_their_reason(
    server: Server, endpoint: Endpoint, bill: Bill, ledger: Callable[[], float], tmp_path: Path
) -> None:
    evidence = [
        ClusterEvidence(n, 9, (ItemEvidence(f"i{n}", f"Topic{n} of customer", ("a b",)),), (), ((f"topic{n}", 2.0),))
        for n in range(120)
    ]
    budget = Budget(tmp_path, DAY, 0.052, None, lambda: AT)
    access, _ = access_of(endpoint, {}, budget=budget, price_overrides=PRICES)
    labels = OpenAILabeler(CHAT_MODEL, access).label(evidence)
    sources = [label.source for label in labels]
    assert set(sources) == {"llm", "keywords"}, "some fit, some do not"
    assert {label.reason for label in labels if label.source == "keywords"} == {"budget_exhausted"}
    assert bill.usd <= 0.052
    assert sum(label.cost_usd or 0 for label in labels) == pytest.approx(bill.usd)
