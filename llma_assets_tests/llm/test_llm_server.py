"""The server of these tests, seen through the SDK: an honest fake must be known to be honest."""

import json

import openai
import pytest
from server import CHAT_MODEL, EMBEDDING_MODEL, KEY, Server, vector


def _client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=server.url, max_retries=0)


def _format(schema: dict, name: str = "trace_summary") -> dict:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


pytest_plugins = ["llm_fixtures"]

STRICT = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


def test_it_answers_from_the_enclosed_lines_only(server: Server) -> None:
    fence = "=== 0123456789abcdef0123 ==="
    for system, expected in ((f"between {fence}", "sell the house"), ("no mark", "Nothing was asked")):
        answer = _client(server).chat.completions.create(
            model=CHAT_MODEL,
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": f"{fence}\nL1: X\nL2:   [1] user: sell the house\n{fence}\n"},
            ],
            response_format=_format(STRICT),
        )
        assert json.loads(answer.choices[0].message.content)["title"] == expected


def test_it_refuses_a_schema_that_is_not_strict(server: Server) -> None:
    with pytest.raises(openai.BadRequestError):
        _client(server).chat.completions.create(
            model=CHAT_MODEL,
            messages=[{"role": "user", "content": "x"}],
            response_format=_format(STRICT | {"additionalProperties": True}),
        )


def test_it_embeds_in_both_encodings(server: Server) -> None:
    client = _client(server)
    packed = client.embeddings.create(model=EMBEDDING_MODEL, input=["one two"])
    plain = client.embeddings.create(model=EMBEDDING_MODEL, input=["one two"], encoding_format="float")
    assert packed.data[0].embedding == plain.data[0].embedding == vector("one two")
    assert [request.body["encoding_format"] for request in server.requests] == ["base64", "float"]


def test_it_knows_its_models(server: Server) -> None:
    with pytest.raises(openai.NotFoundError):
        _client(server).embeddings.create(model="other", input=["x"])
