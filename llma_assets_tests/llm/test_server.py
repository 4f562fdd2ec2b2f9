"""The server of these tests, seen through the SDK: an honest fake must be known to be honest."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from llma_assets_tests import ROOT
from llma_assets_tests.llm import server as server_module
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, KEY, Reply, Reset, Server, vector
from llma_assets_tests.llm.server_asks import FENCE, FIELDS, STRICT, batch_line, messages, schema_format
from llma_assets_tests.llm.server_protocol import (
    BAD_GATEWAY,
    CUT,
    EMPTY_BODY,
    FEWER_ROWS,
    MALFORMED_BODY,
    MORE_ROWS,
    REFUSAL,
    RENUMBERED_ROWS,
    REORDERED_ROWS,
    rate_limited,
)

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]


def _client(server: Server, **options: Any) -> openai.OpenAI:
    chosen: dict[str, Any] = {"api_key": KEY, "base_url": server.url, "max_retries": 0, **options}
    return openai.OpenAI(**chosen)


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with _client(server) as one:
        yield one


def _ask(client: openai.OpenAI, **options: Any) -> Any:
    wanted = {"model": CHAT_MODEL, "messages": messages(), "response_format": schema_format(STRICT)} | options
    return client.chat.completions.create(**wanted).choices[0].message.content


# --- answers ----------------------------------------------------------------------------------------------------------


def test_it_answers_from_the_enclosed_lines_only(client: openai.OpenAI) -> None:
    for system, expected in ((f"between {FENCE}", "sell the house"), ("no mark", "Nothing was asked")):
        assert json.loads(_ask(client, messages=messages(system))) == {"title": expected}


def test_it_refuses_a_schema_that_is_not_strict(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        _ask(client, response_format=schema_format(STRICT | {"additionalProperties": True}))


def test_it_embeds_in_both_encodings(server: Server, client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model=EMBEDDING_MODEL, input=["one two"])
    plain = client.embeddings.create(model=EMBEDDING_MODEL, input=["one two"], encoding_format="float")
    assert packed.data[0].embedding == plain.data[0].embedding == vector("one two")
    assert [request.body["encoding_format"] for request in server.requests] == ["base64", "float"]


def test_it_shortens_vectors_on_request(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model=EMBEDDING_MODEL, input=["x"], dimensions=8).data[0].embedding) == 8


def test_it_knows_its_models(server: Server, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="other", input=["x"])
    assert [model.id for model in client.models.list()] == [CHAT_MODEL, EMBEDDING_MODEL]
    assert client.models.retrieve(CHAT_MODEL).id == CHAT_MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")
    server.any_model = True
    assert client.models.retrieve("other").id == "other"
    assert len(client.embeddings.create(model="text-embedding-3-small", input=["x"]).data[0].embedding) == 1536


def test_an_answer_is_no_longer_than_was_asked_for(client: openai.OpenAI) -> None:
    wanted: dict[str, Any] = {"messages": messages(asked="x" * 400), "response_format": schema_format(STRICT)}
    choice = client.chat.completions.create(model=CHAT_MODEL, max_completion_tokens=5, **wanted).choices[0]
    assert choice.message.content is not None
    assert (choice.finish_reason, len(choice.message.content)) == ("length", 20)


def test_it_keeps_every_byte_that_arrived_and_counts_what_is_paid(server: Server, client: openai.OpenAI) -> None:
    _ask(client)
    client.embeddings.create(model=EMBEDDING_MODEL, input=["Zürich"])
    client.models.list()
    with pytest.raises(openai.BadRequestError):
        _ask(client, response_format=schema_format({**STRICT, "required": []}))
    assert server.paid == 2
    raw = server.requests[0].raw
    assert raw.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert KEY.encode() in raw
    assert b"sell the house" in raw
    assert b"Z\xc3\xbcrich" in server.requests[1].raw
    assert [request.method for request in server.requests] == ["POST", "POST", "GET", "POST"]


# --- servers that know less -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wording", ["openai", "azure", "vllm", "llama_cpp", "lm_studio"])
def test_a_format_that_it_does_not_know_is_refused_in_the_words_of_that_server(
    server: Server, client: openai.OpenAI, wording: Any
) -> None:
    server.wording, server.response_formats = wording, {"json_object", "text"}
    kind = openai.InternalServerError if wording == "llama_cpp" else openai.BadRequestError
    with pytest.raises(kind) as caught:
        _ask(client)
    assert "response_format" in caught.value.response.text
    assert "json_" in caught.value.response.text
    assert server.paid == 0
    assert json.loads(_ask(client, response_format={"type": "json_object"}))["title"] == "sell the house"


def test_json_mode_wants_the_word_in_the_prompt(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="'json'"):
        _ask(client, response_format={"type": "json_object"}, messages=[{"role": "user", "content": "title"}])


def test_without_a_schema_the_instructions_say_what_to_answer(client: openai.OpenAI) -> None:
    content = _ask(client, response_format={"type": "text"})
    assert json.loads(content[content.index("{") : content.rindex("}") + 1])["title"] == "sell the house"
    vague = f"A JSON object, between {FENCE}"
    assert "{" not in _ask(client, response_format={"type": "text"}, messages=messages(vague))
    # What stands in the trace is no instruction.
    asked = f"{FIELDS}, cluster_id, clusters, description"
    assert _ask(client, response_format={"type": "json_object"}, messages=messages(vague, asked)) == "{}"


def test_a_format_may_be_passed_over_in_silence(server: Server, client: openai.OpenAI) -> None:
    server.response_formats, server.ignores_format = {"text"}, True
    content = _ask(client)
    assert content.startswith("Sure!")
    assert '"title": "sell the house"' in content


@pytest.mark.parametrize("wording", ["openai", "azure", "vllm"])
@pytest.mark.parametrize("known", ["max_tokens", "max_completion_tokens"])
def test_one_name_of_the_length_limit_may_be_unknown(
    server: Server, client: openai.OpenAI, known: Any, wording: Any
) -> None:
    server.length_parameter, server.wording = known, wording
    wrong = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[known]
    with pytest.raises(openai.BadRequestError, match=wrong) as caught:
        _ask(client, **{wrong: 100})
    if wording == "openai":
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", wrong)
    assert _ask(client, **{known: 100})


def test_azure_takes_its_own_header_and_path(server: Server) -> None:
    url = server.url.replace("/v1", "")
    azure = openai.AzureOpenAI(api_key=KEY, azure_endpoint=url, api_version="2024-10-21", max_retries=0)
    assert _ask(azure, model="my-deployment")
    request = server.requests[0]
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers
    assert request.path == "/openai/deployments/my-deployment/chat/completions"
    assert request.query == {"api-version": "2024-10-21"}


def test_only_the_right_key_opens_if_one_is_set(server: Server) -> None:
    server.key = KEY
    with pytest.raises(openai.AuthenticationError):
        _ask(_client(server, api_key="sk-other"))
    assert _ask(_client(server))


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "header", "value"),
    [("seconds", "retry-after", "7"), ("ms", "retry-after-ms", "7000"), (None, "retry-after", None)],
)
def test_a_pause_is_wished_for_in_each_way(
    server: Server, client: openai.OpenAI, style: Any, header: str, value: str | None
) -> None:
    server.script(rate_limited(style, 7))
    with pytest.raises(openai.RateLimitError) as caught:
        _ask(client)
    assert caught.value.response.headers.get(header) == value


def test_a_pause_is_wished_for_as_a_date(server: Server, client: openai.OpenAI) -> None:
    server.script(rate_limited("date", 7))
    with pytest.raises(openai.RateLimitError) as caught:
        _ask(client)
    assert caught.value.response.headers["retry-after"].endswith(" GMT")


@pytest.mark.parametrize("when", ["before", "in_body"])
def test_a_connection_is_torn_down(server: Server, client: openai.OpenAI, when: Any) -> None:
    server.script(Reset(when))
    with pytest.raises(openai.APIConnectionError) as caught:
        _ask(client)
    assert "reset" in str(caught.value.__cause__).lower()
    # What was answered in part was worked on, and is billed.
    assert server.paid == (1 if when == "in_body" else 0)
    assert _ask(client)


def test_bodies_that_are_no_answers(server: Server, client: openai.OpenAI) -> None:
    server.script(BAD_GATEWAY, EMPTY_BODY, MALFORMED_BODY)
    with pytest.raises(openai.InternalServerError) as caught:
        _ask(client)
    assert caught.value.response.headers["content-type"] == "text/html"
    for _ in range(2):
        with pytest.raises(ValueError):
            _ask(client)


def test_scripts_for_a_path_leave_the_others_alone(server: Server, client: openai.OpenAI) -> None:
    server.script(Reply(500), path="POST /v1/embeddings")
    assert _ask(client)
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model=EMBEDDING_MODEL, input=["x"])


def test_rows_that_do_not_fit_the_texts(server: Server, client: openai.OpenAI) -> None:
    texts = ["a b", "c d", "e f"]

    def rows() -> list[tuple[int, list[float]]]:
        return [(row.index, row.embedding) for row in client.embeddings.create(model=EMBEDDING_MODEL, input=texts).data]

    honest = rows()
    server.script(FEWER_ROWS, MORE_ROWS, REORDERED_ROWS, RENUMBERED_ROWS)
    assert rows() == honest[:2]
    assert [index for index, _ in rows()] == [0, 1, 2, 3]
    assert rows() == honest[::-1]
    assert rows() == [(2 - index, vector) for index, vector in honest]


def test_a_refusal_and_a_cut(server: Server, client: openai.OpenAI) -> None:
    server.script(REFUSAL, CUT)
    wanted: dict[str, Any] = {"model": CHAT_MODEL, "messages": messages(), "response_format": schema_format(STRICT)}
    assert client.chat.completions.create(**wanted).choices[0].message.refusal
    assert client.chat.completions.create(**wanted).choices[0].finish_reason == "length"


# --- by itself --------------------------------------------------------------------------------------------------------


def test_it_runs_by_itself() -> None:
    command = [sys.executable, "-m", server_module.__name__, "--latency-s", "0.01", "--batch-s", "0.05"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 20)[0], "it says nothing"
            client = openai.OpenAI(api_key=KEY, base_url=process.stdout.readline().strip(), max_retries=0)
            assert json.loads(_ask(client, model="gpt-4.1-mini"))["title"] == "sell the house"
            content = json.dumps(batch_line("a")).encode()
            file_id = client.files.create(file=("in.jsonl", content), purpose="batch").id
            wanted: Any = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
            batch_id = client.batches.create(input_file_id=file_id, **wanted).id
            end = time.monotonic() + 10
            while client.batches.retrieve(batch_id).status != "completed" and time.monotonic() < end:
                time.sleep(0.02)
            assert client.batches.retrieve(batch_id).output_file_id
        finally:
            process.terminate()
