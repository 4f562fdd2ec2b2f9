"""What a model answered is kept, good or not; what nobody answered is asked for again; no item starves the others."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from llma_assets.embedding.embedder import EmbeddingRejected
from llma_assets.instance import execute
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.summarizer import OpenAISummarizer, max_text_chars
from llma_assets.settings import load_settings
from llma_assets.summarization.outcome import ItemText, SummaryOutcome
from llma_assets_tests.llm.llm_day import DAY, Day, questions
from llma_assets_tests.llm.llm_items import access_of, item
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, Altered, Reply, Server

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

Ingest = Callable[..., Any]


@pytest.fixture
def day(lake: Lake, endpoint: Endpoint) -> Day:
    return Day(lake, endpoint)


def reasons(day: Day) -> dict[str, str | None]:
    return {row["trace_id"]: row["reason"] for row in day.rows("trace_summaries") if row["level"] == "trace"}


def test_a_long_trace_that_does_not_fit_a_budget_costs_only_itself(
    day: Day, server: Server, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = questions(12)
    # First in the order of ids; the text is cut to a thousand characters a message, so there are many.
    many = [{"role": "user", "content": f"{n} " + "word " * 190} for n in range(300)]
    events[0]["properties"] |= {"$ai_trace_id": "a0", "$ai_input": many}
    ingest(events)
    monkeypatch.setenv("LLMA_BUDGET_USD", "0.2")
    report = day.summarize()
    assert reasons(day)["a0"] == "budget_exhausted"
    assert {reason for trace_id, reason in reasons(day).items() if trace_id != "a0"} == {None}
    assert report.figures["is_partial"] == 1
    day.embed()
    assert not [key for key in day.due() if key.startswith("summarize")], "nothing that fits is left"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Altered(refusal="I cannot help with that."), "refused"),
        (Altered(lambda honest: "not JSON"), "invalid_response"),
    ],
)
def test_an_answer_of_no_use_is_not_paid_for_at_every_run(
    day: Day, server: Server, ingest: Ingest, answer: Altered, reason: str
) -> None:
    ingest(questions(6))
    server.when("number 3 ", answer)
    day.summarize()
    assert reasons(day)["t3"] == reason
    paid = server.paid
    again = day.summarize()
    assert server.paid == paid
    assert (reasons(day)["t3"], again.figures["is_partial"]) == (reason, 0)


def test_what_no_server_answered_is_asked_for_another_day(day: Day, server: Server, ingest: Ingest) -> None:
    ingest(questions(6))
    server.when("number 3 ", Reply(503))
    assert day.summarize().figures["is_partial"] == 1
    assert reasons(day)["t3"] == "llm_error"
    day.embed()
    assert len([key for key in day.due() if key.startswith("summarize")]) == 1
    server._rules.clear()
    paid = server.paid
    assert day.summarize().figures["is_partial"] == 0
    assert server.paid == paid + 2, "the trace and its generation"


def test_a_request_that_a_server_rejects_is_the_items_own_reason(day: Day, server: Server, ingest: Ingest) -> None:
    ingest(questions(6))
    server.when("number 3 ", Reply(400, message="odd"))
    assert day.summarize().figures["is_partial"] == 0
    assert reasons(day)["t3"] == "refused"


def test_a_model_gets_no_longer_text_than_it_can_read(
    day: Day, server: Server, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = questions(2)
    many = [{"role": "user", "content": f"{n} " + "word " * 190} for n in range(100)]
    events[0]["properties"]["$ai_input"] = many
    ingest(events)
    monkeypatch.setenv("LLMA_OPENAI_CONTEXT_TOKENS", "8000")
    settings = load_settings()
    summarizer = OpenAISummarizer.from_settings(settings, Access(day.endpoint))
    limit = max_text_chars(settings, Access(day.endpoint))
    assert limit is not None
    assert summarizer.max_text_chars == limit < 12_000
    monkeypatch.setattr(
        "llma_assets_tests.llm.llm_day.OpenAISummarizer", lambda model, access: _small(model, access, settings)
    )
    day.summarize()
    assert max(len(request.text) for request in server.requests) < 20_000
    assert any("SAMPLED VIEW" in request.text for request in server.requests)


def _small(model: str, access: Access, settings: Any) -> OpenAISummarizer:
    return OpenAISummarizer(model, access, max_text_chars=max_text_chars(settings, access))


def test_listed_models_of_openai_have_their_own_limit() -> None:
    most = {
        model: max_text_chars(load_settings(openai_summary_model=model), Access(Endpoint()))
        for model in ("gpt-4o-mini", "gpt-4.1-mini", "unheard-of")
    }
    assert most["unheard-of"] is None
    assert 300_000 < (most["gpt-4o-mini"] or 0) < 128_000 * 3 < (most["gpt-4.1-mini"] or 0)


def test_rows_that_cannot_be_matched_name_an_item(day: Day, server: Server, ingest: Ingest) -> None:
    """F17."""
    ingest(questions(5))
    day.summarize()
    server.always(Altered(lambda rows: [rows[0] | {"embedding": [1.0, 2.0]}, *rows[1:]]))
    with pytest.raises(EmbeddingRejected, match=r"item '(t|u)\d'"):
        day.embed()


def test_every_partition_says_what_its_calls_took(
    server: Server, ingest: Ingest, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(questions(6))
    for name, value in {
        "SUMMARIZER": "openai",
        "EMBEDDER": "openai",
        "OPENAI_BASE_URL": server.url,
        "OPENAI_SUMMARY_MODEL": CHAT_MODEL,
        "OPENAI_EMBEDDING_MODEL": EMBEDDING_MODEL,
        "PRICES": f'{{"{CHAT_MODEL}": {{"input_usd": 1}}, "{EMBEDDING_MODEL}": {{"input_usd": 1}}}}',
    }.items():
        monkeypatch.setenv(f"LLMA_{name}", value)
    assert execute("summarize_traces", DAY, instance, log_level="CRITICAL").success
    figures = {}
    for asset in ("trace_summaries", "embeddings"):
        event = instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None and event.asset_materialization is not None
        figures[asset] = {key: one.value for key, one in event.asset_materialization.metadata.items()}
    assert figures["trace_summaries"]["llm_calls_of_this_run"] == 12
    assert figures["embeddings"]["llm_calls_of_this_run"] == 1
    cost_usd = figures["embeddings"]["llm_cost_usd_of_this_run"]
    assert isinstance(cost_usd, float) and cost_usd > 0
    assert execute("summarize_traces", DAY, instance, log_level="CRITICAL").success
    event = instance.get_latest_materialization_event(dg.AssetKey("trace_summaries"))
    assert event is not None and event.asset_materialization is not None
    assert event.asset_materialization.metadata["llm_calls_of_this_run"].value == 0


def test_what_is_in_flight_when_the_source_of_items_dies_is_kept(endpoint: Endpoint, server: Server) -> None:
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
    summarizer = OpenAISummarizer(CHAT_MODEL, access_of(endpoint, {}, concurrency=4)[0])
    with pytest.raises(OSError, match="a file is broken"):
        for outcome in summarizer.summarize(source(), kept.append):
            yielded.append(outcome.key)
    assert server.paid == 4
    assert sorted(one.key for one in kept) == sorted(yielded) == [("trace", f"t{n}") for n in range(4)]
