"""Summaries through the Batch API while the server does not do as it should: reasons, and nothing is lost."""

import logging

import pytest

from llma_assets.errors import FailFast, RetryLater
from llma_assets.lake import Lake
from llma_assets.llm.batch import summarizer as batch_summarizer
from llma_assets.llm.endpoint import Endpoint
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.batch.batch_day import Day, expected, titles
from llma_assets_tests.llm.llm_items import item
from llma_assets_tests.llm.server import KEY, Altered, Reply, Server

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]


@pytest.fixture
def day(lake: Lake, endpoint: Endpoint) -> Day:
    one = Day(lake, endpoint)
    one.items = [item(number) for number in range(6)]
    return one


def test_a_part_that_fails_has_reasons_and_the_rest_is_fine(day: Day, server: Server) -> None:
    server.when("number 1 ", Reply(400, "content_filter"))
    server.when("number 2 ", Reply(500, "server_error"))
    server.when("number 3 ", Reply(400, "context_length_exceeded"))
    server.when("number 4 ", Altered(lambda _: "no"))
    server.when("number 5 ", Altered(refusal="no"))
    day.submit()
    server.batches.finish()
    outcomes = day.run()
    assert {name: outcome.reason for name, outcome in outcomes.items()} == {
        "t0": None,
        "t1": Reason.REFUSED,
        "t2": Reason.LLM_ERROR,
        "t3": Reason.CONTEXT_TOO_LONG,
        "t4": Reason.INVALID_RESPONSE,
        "t5": Reason.REFUSED,
    }
    assert outcomes["t4"].cost_usd, "an answer of no use costs as much"
    assert outcomes["t1"].cost_usd is None
    assert len(server.batches.made) == 1


@pytest.mark.parametrize("body", ["{}", '{"choices": []}', '{"choices": [null]}', '{"choices": "x", "usage": 3}'])
def test_answers_out_of_protocol_are_reasons(day: Day, server: Server, body: str) -> None:
    server.when("number 1 ", Reply(200, body=body))
    day.submit()
    server.batches.finish()
    assert {name: one.reason for name, one in day.run().items() if one.reason} == {"t1": Reason.LLM_ERROR}


@pytest.mark.parametrize("end", ["expire", "cancel"])
def test_what_a_batch_did_not_reach_is_submitted_again(day: Day, server: Server, end: str) -> None:
    day.submit()
    getattr(server.batches, end)(done=4)
    assert "2 items wait for 1 batch(es), the first of them batch_0002" in day.submit()
    assert len(server.batches.lines("batch_0002")) == 2
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))
    assert server.paid == 6


def test_requests_that_a_batch_reports_with_no_status_are_submitted_again(day: Day, server: Server) -> None:
    day.submit()
    server.batches.script(server.batches.lines("batch_0001")[0]["custom_id"], Reply(0))
    server.batches.finish()
    assert "1 items wait" in day.submit()
    server.batches._scripted.clear()
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))


def test_an_item_that_no_batch_reaches_is_given_up(day: Day, server: Server) -> None:
    for _ in range(batch_summarizer.MAX_SUBMISSIONS):
        day.submit()
        server.batches.expire(done=0)
    assert {outcome.reason for outcome in day.run().values()} == {Reason.LLM_ERROR}
    assert len(server.batches.made) == batch_summarizer.MAX_SUBMISSIONS
    assert server.paid == 0


def test_results_that_are_gone_are_asked_for_again(day: Day, server: Server) -> None:
    day.submit()
    server.batches.finish()
    for shown, _ in server.batches.files.values():
        shown["deleted"] = True
    assert "6 items wait for 1 batch(es), the first of them batch_0002" in day.submit()


def test_a_batch_for_which_there_is_no_room_comes_again_smaller(day: Day, server: Server) -> None:
    day.items = [item(number) for number in range(130)]
    day.submit()
    server.batches.fail("token_limit_exceeded")
    assert "130 items wait for 1 batch(es), the first of them batch_0002" in day.submit()
    assert len(server.batches.lines("batch_0002")) == 65
    assert "130 items wait" in day.submit()
    assert len(server.batches.made) == 2, "one at a time"
    for number in (2, 3):
        server.batches.finish(f"batch_{number:04d}")
        if number == 2:
            day.submit()
    assert titles(day.run()) == expected(range(130))
    assert server.paid == 130


def test_a_batch_that_is_not_taken_names_the_setting_and_can_be_submitted_again(day: Day, server: Server) -> None:
    day.submit()
    server.batches.fail("invalid_model", "Your secret prompt is bad")
    with pytest.raises(FailFast, match=r"batch_0001 \(invalid_model\).*LLMA_OPENAI_SUMMARY_MODEL.*OPENAI_API_KEY"):
        day.run()
    assert len(server.batches.made) == 1
    day.submit()
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))


def test_a_setting_that_every_request_fails_by_is_named(day: Day, server: Server) -> None:
    server.when("Please book", Reply(404, "model_not_found"))
    day.submit()
    server.batches.finish()
    with pytest.raises(FailFast, match="LLMA_OPENAI_SUMMARY_MODEL"):
        day.run()
    server._rules.clear()
    day.submit()
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))


def test_a_wrong_key_fails_fast_and_names_the_setting(
    day: Day, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "llma_assets")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789")
    server.key = KEY
    with pytest.raises(FailFast, match="OPENAI_API_KEY") as caught:
        day.run()
    assert "sk-wrong" not in f"{caught.value!r}{caught.value.__cause__}{caught.value.__context__}{caplog.text}"
    assert len(server.requests) == 1
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    day.submit()
    assert len(server.batches.made) == 1


def test_a_server_without_batches_is_named(day: Day, server: Server) -> None:
    server.always(Reply(404))
    with pytest.raises(FailFast, match=r"no Batch API.*LLMA_OPENAI_DELIVERY=direct"):
        day.run()


def test_a_batch_of_another_account_is_not_paid_for_twice(day: Day, server: Server) -> None:
    day.submit()
    server.batches.made.clear()
    with pytest.raises(FailFast, match="does not know the batch batch_0001"):
        day.run()
    assert server.batches.made == {}


def test_a_server_that_is_down_is_for_later(day: Day, server: Server) -> None:
    day.submit()
    server.always(Reply(503))
    with pytest.raises(RetryLater, match="HTTP 503, after 4 attempts"):
        day.run()
    server.always(None)
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))
    assert server.paid == 6
