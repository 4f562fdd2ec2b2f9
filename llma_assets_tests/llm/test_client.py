"""One call and a run of calls under bad servers: how often, how long, what is kept, what is said, what is redacted."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llma_assets.errors import FailFast, RetryLater
from llma_assets.llm.circuit import SERVER_FAILURES, USELESS_ANSWERS
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.policy import RetryPolicy
from llma_assets.llm.recorder import NullRecorder
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.redaction.redactor import Redactor
from llma_assets.summarization.outcome import ItemText, SummaryOutcome
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.llm_items import NO_WAIT, access_of, item
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, KEY, Altered, Hang, Reply, Reset, Server
from llma_assets_tests.llm.server_protocol import BAD_GATEWAY, EMPTY_BODY, MALFORMED_BODY, rate_limited

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

Make = Callable[..., OpenAISummarizer]


@pytest.fixture
def make(endpoint: Endpoint) -> Make:
    def _make(**options: Any) -> OpenAISummarizer:
        access, others = access_of(endpoint, options, concurrency=4)
        return OpenAISummarizer(CHAT_MODEL, access, **others)

    return _make


class Kept:
    """What `keep` was told, and what came out before the error."""

    def __init__(self) -> None:
        self.kept: list[SummaryOutcome] = []
        self.yielded: list[SummaryOutcome] = []
        self.taken = 0

    def run(self, summarizer: OpenAISummarizer, count: int) -> None:
        def source() -> Iterator[ItemText]:
            for number in range(count):
                self.taken += 1
                yield item(number)

        for outcome in summarizer.summarize(source(), self.kept.append):
            self.yielded.append(outcome)

    @property
    def summarized(self) -> list[str]:
        assert sorted(o.key for o in self.kept) == sorted(o.key for o in self.yielded)
        return [outcome.key[1] for outcome in self.yielded if outcome.summary is not None]


# --- F12: attempts ----------------------------------------------------------------------------------------------------

FAULTS = [
    Reply(429),
    rate_limited("seconds", 0),
    rate_limited("ms", 0.01),
    rate_limited("date", 0),
    Reply(500),
    BAD_GATEWAY,
    Reply(503),
    Reply(504),
    Reply(408),
    Reply(409),
    Reset("before"),
    Reset("in_body"),
    EMPTY_BODY,
    MALFORMED_BODY,
    Hang(0.6),
    Hang(0.6, drip=True),
]


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("fault", FAULTS, ids=[f"{n}" for n in range(len(FAULTS))])
def test_attempts_of_a_call_are_capped_whatever_fails(make: Make, server: Server, fault: Any, most: int) -> None:
    server.when("number 1 ", fault)
    policy = RetryPolicy(max_attempts=most, first_wait_s=0.001)
    summarizer = make(endpoint=Endpoint(server.url, timeout_s=0.25), policy=policy)
    outcomes = {one.key[1]: one for one in summarizer.summarize([item(0), item(1), item(2)])}
    assert outcomes["t1"].reason == Reason.LLM_ERROR
    assert outcomes["t0"].summary and outcomes["t2"].summary
    assert len(server.requests) == 2 + most, "the SDK retries nothing by itself"


@pytest.mark.parametrize("fault", [Reset("before"), Reset("in_body"), Hang(0.6), Hang(0.6, drip=True)], ids=range(4))
def test_a_call_survives_what_passes(make: Make, server: Server, fault: Any) -> None:
    server.script(fault, fault, fault)
    (outcome,) = make(endpoint=Endpoint(server.url, timeout_s=0.25)).summarize([item(1)])
    assert outcome.summary is not None
    assert len(server.requests) == 4


def test_a_call_ends_at_its_limit_of_time_although_attempts_are_left(make: Make, server: Server) -> None:
    server.always(Hang(5.0))
    policy = RetryPolicy(max_attempts=20, first_wait_s=0.001, max_wait_s=0.001, max_call_s=0.7)
    began = time.monotonic()
    (outcome,) = make(endpoint=Endpoint(server.url, timeout_s=0.2), policy=policy).summarize([item(1)])
    assert outcome.reason == Reason.LLM_ERROR
    assert 0.6 < time.monotonic() - began < 0.7 + 0.2 + 0.6
    assert len(server.requests) == 4


def test_a_wait_that_would_pass_the_limit_of_a_call_is_not_begun(make: Make, server: Server) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    server.always(rate_limited("seconds", 50))
    policy = RetryPolicy(max_attempts=9, max_call_s=40.0, sleep=sleep)
    (outcome,) = make(policy=policy).summarize([item(1)])
    assert outcome.reason == Reason.LLM_ERROR
    assert len(server.requests) == 1


def test_waits_double_and_never_go_beyond_the_ceiling() -> None:
    policy = RetryPolicy()
    for failed, least, most in ((1, 0.5, 1), (2, 1, 2), (3, 2, 4), (5, 8, 16), (6, 15, 30), (60, 15, 30)):
        waits = [policy.wait_s(failed, None) for _ in range(200)]
        assert least <= min(waits) < max(waits) <= most
    assert policy.wait_s(1, 7.5) == 7.5
    assert policy.wait_s(3, 86_400.0) == 60.0
    assert policy.wait_s(3, 0.0) == 0.0


def test_a_second_answer_shares_the_attempts_of_the_first(make: Make, server: Server) -> None:
    server.script(Altered(lambda _: ""), Reply(500), Reply(500), Reply(500), Reply(500))
    (outcome,) = make(policy=RetryPolicy(max_attempts=3, first_wait_s=0.001)).summarize([item(1)])
    assert outcome.reason == Reason.LLM_ERROR
    assert len(server.requests) == 3


# --- the time for the whole work --------------------------------------------------------------------------------------


def test_at_the_deadline_what_is_under_way_is_kept_and_nothing_new_begins(make: Make, server: Server) -> None:
    server.answer_s = 0.15
    run = Kept()
    began = time.monotonic()
    with pytest.raises(RetryLater, match="LLMA_OPENAI_DEADLINE_S"):
        run.run(make(deadline=began + 0.5), 1_000)
    assert time.monotonic() - began < 2.0
    assert len(run.summarized) == server.paid == len(server.requests) > 4


def test_a_call_that_waits_for_its_next_attempt_meets_the_deadline(make: Make, server: Server) -> None:
    server.when("number 1 ", Reply(500))
    run = Kept()
    policy = RetryPolicy(max_attempts=50, first_wait_s=0.1, max_wait_s=0.1)
    with pytest.raises(RetryLater, match="LLMA_OPENAI_DEADLINE_S"):
        run.run(make(policy=policy, deadline=time.monotonic() + 0.5), 3)
    assert sorted(run.summarized) == ["t0", "t2"]
    assert len(server.requests) < 15


def test_a_deadline_that_is_over_asks_nothing(make: Make, server: Server) -> None:
    with pytest.raises(RetryLater, match="LLMA_OPENAI_DEADLINE_S"):
        list(make(deadline=time.monotonic()).summarize([item(1)]))
    assert server.requests == []


# --- F13: what cannot succeed -----------------------------------------------------------------------------------------

QUOTED = f"Incorrect API key provided: {KEY}. You said: Please book train"


@pytest.mark.parametrize(
    ("failure", "named"),
    [
        (Reply(401, "invalid_api_key", message=QUOTED), "OPENAI_API_KEY"),
        (Reply(403, message=QUOTED), "LLMA_OPENAI_SUMMARY_MODEL"),
        (Reply(404, "model_not_found", message=QUOTED), "LLMA_OPENAI_SUMMARY_MODEL"),
        (Reply(404, message=QUOTED), "LLMA_OPENAI_BASE_URL"),
        (Reply(429, "insufficient_quota", message=QUOTED), "OPENAI_API_KEY"),
        (Reply(429, KEY, message=QUOTED), "HTTP 429"),
    ],
    ids=["401", "403", "404 model", "404 path", "quota", "key as code"],
)
def test_no_text_holds_the_key_or_what_the_server_quotes(
    make: Make, server: Server, failure: Reply, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.always(failure)
    records: list[Any] = []
    recorder = NullRecorder()
    recorder.call = records.append  # type: ignore[method-assign, assignment]
    with pytest.raises((FailFast, RetryLater), match=named) as caught:
        list(make(recorder=recorder).summarize([item(n) for n in range(50)]))
    chain: BaseException | None = caught.value
    shown = caplog.text + repr(records) + repr(make()) + repr(Endpoint(server.url))
    while chain is not None:
        shown += repr(chain) + str(vars(chain))
        chain = chain.__cause__ or chain.__context__
    assert KEY not in shown
    assert "book train" not in shown
    if isinstance(caught.value, FailFast):
        assert len(server.requests) == 1
        assert len(records) == 1 and named in records[0].error and records[0].attempts == 1


# --- F16 and outages --------------------------------------------------------------------------------------------------


def test_an_outage_in_the_middle_stops_the_run_soon_and_keeps_what_was_done(make: Make, server: Server) -> None:
    honest = server.choose

    def choose(request: Any) -> Any:
        chosen = honest(request)
        return Reply(503) if server.paid >= 20 else chosen

    server.choose = choose  # type: ignore[method-assign]
    run = Kept()
    with pytest.raises(RetryLater, match=f"{SERVER_FAILURES} calls in a row"):
        run.run(make(), 1_000)
    assert 20 <= len(run.summarized) == server.paid < 20 + 4
    failed = len(server.requests) - server.paid
    # Each of the calls under way may end its attempts.
    assert 4 * SERVER_FAILURES <= failed <= 4 * (SERVER_FAILURES + 2 * 4)
    assert run.taken <= 20 + SERVER_FAILURES + 4 * 4


def test_a_server_that_goes_away_in_the_middle_stops_the_run(make: Make, server: Server) -> None:
    honest = server.choose
    server.choose = lambda request: Reset() if server.paid >= 8 else honest(request)  # type: ignore[method-assign]
    run = Kept()
    with pytest.raises(RetryLater, match="LLMA_OPENAI_BASE_URL"):
        run.run(make(), 200)
    assert len(run.summarized) >= 8


def test_single_failures_between_successes_stop_nothing(make: Make, server: Server) -> None:
    for number in range(0, 60, 3):
        server.when(f"number {number} ", Reply(500))
    run = Kept()
    run.run(make(concurrency=1), 60)
    assert len(run.summarized) == 40
    assert len(run.yielded) == 60


def test_a_model_that_cannot_do_it_is_found_out_before_much_is_paid(make: Make, server: Server) -> None:
    server.always(Altered(lambda _: "I would rather talk about the weather."))
    run = Kept()
    with pytest.raises(FailFast, match="LLMA_OPENAI_SUMMARY_MODEL") as caught:
        run.run(make(), 1_000)
    assert "none of the first" in str(caught.value)
    assert 2 * USELESS_ANSWERS <= server.paid <= 2 * (USELESS_ANSWERS + 2 * 4)
    assert {outcome.reason for outcome in run.yielded} == {Reason.INVALID_RESPONSE}


def test_a_model_that_did_it_once_may_fail_often(make: Make, server: Server) -> None:
    for number in range(1, 40):
        server.when(f"number {number} ", Altered(lambda _: ""))
    run = Kept()
    run.run(make(concurrency=1), 40)
    assert run.summarized == ["t0"]
    assert len(run.yielded) == 40


def test_what_keep_raises_ends_the_run(make: Make, server: Server) -> None:
    def full(outcome: SummaryOutcome) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        list(make().summarize([item(n) for n in range(500)], full))
    assert server.paid <= 1 + 2 * 4


# --- redaction --------------------------------------------------------------------------------------------------------

SECRETS = ["ann.lee@example.com", "4111 1111 1111 1111", "sk-proj-9x8Kd7Hs6Ga5Qw4Er3Ty2"]


def test_every_message_of_every_request_is_redacted(make: Make, server: Server) -> None:
    """The repair too, although it quotes the model."""
    server.script(Altered(lambda _: f"Write to {SECRETS[0]} or {SECRETS[1]}"))
    hostile = item(1, asked="I am {}, my card is {}, my key is {}.".format(*SECRETS))
    (outcome,) = make(redact=Redactor().text).summarize([hostile])
    assert outcome.summary is not None
    assert len(server.requests) == 2
    for request in server.requests:
        for secret in SECRETS:
            assert secret.encode() not in request.raw
    assert "my card is" in server.requests[0].text, "the rest is sent"
    list(make().summarize([hostile]))
    assert SECRETS[0].encode() in server.requests[2].raw, "without a redactor it would be there"


def test_every_text_for_vectors_is_redacted(server: Server, endpoint: Endpoint) -> None:
    access, _ = access_of(endpoint, {"redact": Redactor().text})
    OpenAIEmbedder(EMBEDDING_MODEL, access).embed([f"Title: call {secret} back" for secret in SECRETS])
    assert server.paid == 1
    for secret in SECRETS:
        assert secret.encode() not in server.requests[0].raw
    assert b"Title: call" in server.requests[0].raw


def fails_on_three(text: str) -> str:
    if "number 3 " in text:
        raise RecursionError(f"cannot redact {text}")
    return text


def test_what_cannot_be_redacted_is_not_sent(make: Make, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    outcomes = {one.key[1]: one for one in make(redact=fails_on_three).summarize([item(n) for n in range(6)])}
    assert outcomes["t3"].reason == Reason.REDACTION_FAILED
    assert sum(outcome.summary is not None for outcome in outcomes.values()) == 5
    assert len(server.requests) == 5
    assert not any(b"number 3 " in request.raw for request in server.requests)
    assert "book train number 3" not in caplog.text


def test_a_text_that_cannot_be_redacted_costs_no_other_its_vector(server: Server, endpoint: Endpoint) -> None:
    access, _ = access_of(endpoint, {"redact": fails_on_three})
    vectors = OpenAIEmbedder(EMBEDDING_MODEL, access).embed([f"text number {n} here" for n in range(8)])
    assert [n for n in range(8) if not vectors[n].any()] == [3]
    assert not any(b"number 3 " in request.raw for request in server.requests)


def test_what_is_recorded_is_what_was_sent(make: Make, server: Server) -> None:
    records: list[Any] = []
    recorder = NullRecorder()
    recorder.call = records.append  # type: ignore[method-assign, assignment]
    list(make(redact=Redactor().text, recorder=recorder, is_content_recorded=True).summarize([item(1, SECRETS[0])]))
    list(make(recorder=recorder).summarize([item(2)]))
    assert SECRETS[0] not in repr(records)
    assert "TRACE HIERARCHY" in records[0].input and "Train 1 is booked" in records[0].output
    assert records[1].input is None and records[1].output is None


def test_a_policy_for_tests_is_the_real_one_without_its_waits() -> None:
    assert NO_WAIT.max_attempts == RetryPolicy().max_attempts == 4
