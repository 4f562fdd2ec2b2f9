"""What a server understands: found out by its refusals, once a run, and everything is still done."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llma_assets.errors import FailFast
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.llm.dialect import Dialect
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.llm.policy import RetryPolicy
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.summarization.outcome import SummaryOutcome
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.llm_items import access_of, item
from llma_assets_tests.llm.server import CHAT_MODEL, Altered, Hang, Reply, Server

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

Make = Callable[..., OpenAISummarizer]
WORDINGS = ["openai", "azure", "vllm", "llama_cpp", "lm_studio"]
KNOWN = [{"json_object", "text"}, {"text"}, {"json_schema", "text"}]


@pytest.fixture
def make(endpoint: Endpoint) -> Make:
    def _make(**options: Any) -> OpenAISummarizer:
        access, others = access_of(endpoint, options, concurrency=20)
        return OpenAISummarizer(CHAT_MODEL, access, **others)

    return _make


def refused(server: Server) -> int:
    """Requests that were not answered by a model."""
    return len(server.requests) - server.paid


def titles(outcomes: list[SummaryOutcome]) -> list[str]:
    return sorted(outcome.summary.title for outcome in outcomes if outcome.summary is not None)


def expected(count: int) -> list[str]:
    return sorted(f"Please book train number {n} to Rome" for n in range(count))


def formats(server: Server) -> list[str]:
    return [request.body.get("response_format", {"type": "none"})["type"] for request in server.requests]


FORMATS = {
    "all": ({"json_schema", "json_object", "text"}, ["json_schema"]),
    "no object": ({"json_schema", "text"}, ["json_schema"]),
    "no schema": ({"json_object", "text"}, ["json_schema", "json_object"]),
    "text only": ({"text"}, ["json_schema", "json_object", "none"]),
}


# The last of the formats meets every refusal, so each wording of one.
@pytest.mark.parametrize(
    ("known", "asked", "wording"),
    [
        pytest.param(
            *FORMATS[name], wording, id=f"{name}-{wording}",
            marks=() if name == "text only" or wording == WORDINGS[0] else pytest.mark.slow,
        )
        for name in FORMATS
        for wording in WORDINGS
    ],
)  # fmt: skip
def test_a_format_is_found_once_for_a_whole_run(
    make: Make, server: Server, wording: Any, known: set[str], asked: list[str]
) -> None:
    server.response_formats, server.wording = known, wording
    outcomes = list(make().summarize(item(n) for n in range(60)))
    assert titles(outcomes) == expected(60)
    assert formats(server) == asked + asked[-1:] * 59, "each refusal is met once, and no attempt is lost"
    assert refused(server) == len(asked) - 1


@pytest.mark.parametrize("wording", WORDINGS)
def test_the_name_of_the_length_limit_is_found_once(make: Make, server: Server, wording: Any) -> None:
    server.length_parameter, server.wording = "max_tokens", wording
    assert titles(list(make().summarize(item(n) for n in range(60)))) == expected(60)
    assert refused(server) == 1
    keys = ["max_tokens" if "max_tokens" in request.body else "other" for request in server.requests]
    assert keys == ["other"] + ["max_tokens"] * 60
    assert not any("max_completion_tokens" in request.body for request in server.requests[1:])
    assert len({request.body["max_tokens"] for request in server.requests[1:]}) == 1


@pytest.mark.parametrize("wording", WORDINGS)
def test_both_are_found_one_after_the_other(make: Make, server: Server, wording: Any) -> None:
    server.length_parameter, server.wording, server.response_formats = "max_tokens", wording, {"text"}
    assert titles(list(make().summarize(item(n) for n in range(30)))) == expected(30)
    assert refused(server) == 3


def test_refusals_of_the_dialect_are_no_attempts(make: Make, server: Server) -> None:
    server.length_parameter, server.response_formats = "max_tokens", {"text"}
    outcomes = list(make(policy=RetryPolicy(max_attempts=1)).summarize([item(0)]))
    assert titles(outcomes) == expected(1)
    assert len(server.requests) == 4


def test_calls_that_were_under_way_learn_from_the_first_refusal(make: Make, server: Server) -> None:
    """Where the server refuses only after the head start, each call in flight is refused once, not once a step."""
    server.answer_s = 0.7
    server.response_formats = {"json_object", "text"}
    assert titles(list(make(concurrency=5).summarize(item(n) for n in range(10)))) == expected(10)
    assert refused(server) <= 5


def test_what_is_known_is_shared_by_the_clients_of_a_run(make: Make, server: Server) -> None:
    server.response_formats, server.length_parameter = {"json_object", "text"}, "max_tokens"
    dialects: dict[tuple[str, str], Dialect] = {}
    list(make(dialects=dialects).summarize([item(0)]))
    assert refused(server) == 2
    assert dialects == {(server.url, CHAT_MODEL): Dialect("json_object", "max_tokens")}
    list(make(dialects=dialects).summarize([item(1)]))
    assert refused(server) == 2
    list(make(dialects={}).summarize([item(2)]))
    assert refused(server) == 4, "another run finds out for itself"


@pytest.mark.parametrize("known", [{"json_object", "text"}, {"text"}], ids=["object", "text"])
def test_without_enforcement_the_schema_is_in_the_prompt_once(make: Make, server: Server, known: set[str]) -> None:
    server.response_formats = known
    list(make().summarize(item(n) for n in range(3)))
    for request in server.requests[-3:]:
        system, user = (message["content"] for message in request.body["messages"])
        assert system.count('"additionalProperties": false') >= 1
        assert system.count("must be valid under this JSON schema") == 1
        schema = json.loads(system.split("JSON schema:\n")[1])
        assert set(schema["required"]) == {"title", "flow_steps", "summary_bullets", "interesting_notes"}
        assert "JSON schema" not in user
    assert "JSON schema" not in server.requests[0].body["messages"][0]["content"], "the enforced one is not repeated"


@pytest.mark.parametrize("known", [{"json_object", "text"}, {"text"}], ids=["object", "text"])
def test_answers_in_a_plainer_format_are_checked_and_repaired_once(make: Make, server: Server, known: set[str]) -> None:
    server.response_formats = known
    server.when("number 1 ", Altered(lambda content: content.replace('"summary_bullets"', '"bullets"')))
    outcomes = {one.key[1]: one for one in make().summarize([item(0), item(1), item(2)])}
    assert outcomes["t1"].reason == Reason.INVALID_RESPONSE
    assert outcomes["t0"].summary and outcomes["t2"].summary
    assert server.paid == 2 + 2
    repairs = [request.body["messages"] for request in server.requests if len(request.body["messages"]) == 4]
    assert len(repairs) == 1
    assert "JSON schema" in repairs[0][0]["content"]


def test_a_server_that_passes_over_the_format_is_asked_once_and_its_answer_checked(make: Make, server: Server) -> None:
    server.response_formats, server.ignores_format = {"text"}, True
    outcomes = list(make().summarize(item(n) for n in range(20)))
    assert titles(outcomes) == expected(20)
    assert formats(server) == ["json_schema"] * 20


def test_names_of_clusters_are_had_in_every_format(server: Server, endpoint: Endpoint) -> None:
    evidence = [
        ClusterEvidence(n, 9, (ItemEvidence(f"i{n}", f"{what} of customer", ("a b", "c d")),), (), ((what, 2.0),))
        for n, what in enumerate(("Cancel flight", "Dispute invoice"))
    ]
    for known in KNOWN:
        server.response_formats = known
        access, _ = access_of(endpoint, {})
        labels = OpenAILabeler(CHAT_MODEL, access).label(evidence)
        assert [label.source for label in labels] == ["llm", "llm"], known


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, "content_filter", message="The response was filtered"),
        Reply(400, "context_length_exceeded"),
        Reply(400, message="odd"),
        Reply(413),
        Hang(0.0),
    ],
    ids=str,
)
def test_another_refusal_changes_no_dialect(make: Make, server: Server, reply: Any) -> None:
    dialects: dict[tuple[str, str], Dialect] = {}
    server.when("number 1 ", reply)
    outcomes = list(make(dialects=dialects).summarize([item(0), item(1)]))
    assert len(outcomes) == 2
    assert dialects == {}


def test_a_server_that_refuses_every_dialect_is_a_wrong_setting(make: Make, server: Server) -> None:
    server.always(
        Reply(400, "unsupported_parameter", message="'response_format' is not supported", param="response_format")
    )
    with pytest.raises(FailFast, match="LLMA_OPENAI_SUMMARY_MODEL"):
        list(make().summarize(item(n) for n in range(50)))
    assert len(server.requests) == 3


# --- the rules by themselves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "param", "message", "plainer"),
    [
        (400, "response_format", "not supported", Dialect("json_object")),
        (422, None, "guided decoding is not available", Dialect("json_object")),
        (501, None, "Structured Output is not implemented", Dialect("json_object")),
        (400, "max_completion_tokens", "", Dialect(length_key="max_tokens")),
        (400, None, "Unknown field Max_Completion_Tokens", Dialect(length_key="max_tokens")),
        (429, "response_format", "slow down", None),
        (401, "response_format", "no", None),
        (503, None, "json_schema", None),
        (400, "messages", "is invalid", None),
        (0, None, "response_format", None),
    ],
)
def test_which_refusals_are_about_the_dialect(
    status: int, param: str | None, message: str, plainer: Dialect | None
) -> None:
    assert Dialect().plainer(status, param, message) == plainer


def test_nothing_is_plainer_than_text() -> None:
    plain = Dialect("text", "max_tokens")
    assert plain.plainer(400, "response_format", "max_completion_tokens json_schema") is None


def test_the_messages_that_are_passed_in_stay_as_they_are() -> None:
    messages = [{"role": "system", "content": "Do."}, {"role": "user", "content": "this"}]
    asked = Dialect("text").request(messages, "name", {"type": "object"}, 10)
    assert messages[0]["content"] == "Do."
    assert asked["messages"][0]["content"].endswith('{"type": "object"}')
    assert "response_format" not in asked and asked["max_completion_tokens"] == 10
