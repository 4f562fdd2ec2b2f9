"""Files and batches of the test server, seen through the SDK."""

import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from llma_assets_tests.llm.server import EMBEDDING_MODEL, KEY, Reply, Server, vector
from llma_assets_tests.llm.server_asks import batch_line

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=server.url, max_retries=0) as one:
        yield one


def _upload(client: openai.OpenAI, lines: list[Any]) -> str:
    content = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return client.files.create(file=("in.jsonl", content.encode()), purpose="batch").id


def _submit(client: openai.OpenAI, lines: list[Any], **options: Any) -> str:
    wanted = {"endpoint": "/v1/chat/completions", "completion_window": "24h"} | options
    return client.batches.create(input_file_id=_upload(client, lines), **wanted).id


def _results(client: openai.OpenAI, file_id: str | None) -> dict[str, dict[str, Any]]:
    assert file_id is not None
    rows = [json.loads(line) for line in client.files.content(file_id).text.splitlines()]
    return {row["custom_id"]: row for row in rows}


def test_files_come_back_as_they_were_sent(client: openai.OpenAI) -> None:
    content = b'{"a": 1}\r\n\r\n--boundary?\n' + bytes(range(128))
    made = client.files.create(file=("in.jsonl", io.BytesIO(content)), purpose="batch")
    assert (made.bytes, made.purpose, made.filename) == (len(content), "batch", "in.jsonl")
    assert client.files.content(made.id).content == content
    assert client.files.retrieve(made.id).id == made.id
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.content(made.id)


def test_a_batch_goes_through_its_states(server: Server, client: openai.OpenAI) -> None:
    batch_id = _submit(
        client, [batch_line("a", "one"), batch_line("b", "two"), batch_line("c", "three")], metadata={"key": "k"}
    )
    assert [client.batches.retrieve(batch_id).status for _ in range(3)] == ["validating", "in_progress", "in_progress"]
    assert server.paid == 0
    server.batches.finalize()
    assert client.batches.retrieve(batch_id).status == "finalizing"
    done = client.batches.retrieve(batch_id)
    assert (done.status, done.metadata, done.error_file_id) == ("completed", {"key": "k"}, None)
    assert done.request_counts is not None
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (3, 3, 0)
    results = _results(client, done.output_file_id)
    titles = {
        name: json.loads(r["response"]["body"]["choices"][0]["message"]["content"]) for name, r in results.items()
    }
    assert titles == {"a": {"title": "one"}, "b": {"title": "two"}, "c": {"title": "three"}}
    assert server.paid == 3
    server.batches.finish()
    assert server.paid == 3, "a batch ends once"


def test_results_come_in_another_order(server: Server, client: openai.OpenAI) -> None:
    names = [f"n{number}" for number in range(20)]
    batch_id = _submit(client, [batch_line(name) for name in names])
    server.batches.finish(seed=1)
    results = list(_results(client, client.batches.retrieve(batch_id).output_file_id))
    assert sorted(results) == sorted(names)
    assert results != names


def test_single_requests_fail_into_the_other_file(server: Server, client: openai.OpenAI) -> None:
    server.batches.script("a", Reply(500, "server_error"))
    server.when("forbidden", Reply(400, "content_filter"))
    batch_id = _submit(client, [batch_line("a"), batch_line("b", "forbidden"), batch_line("c")])
    server.batches.finish()
    done = client.batches.retrieve(batch_id)
    errors = _results(client, done.error_file_id)
    assert {name: row["response"]["status_code"] for name, row in errors.items()} == {"a": 500, "b": 400}
    assert errors["b"]["response"]["body"]["error"]["code"] == "content_filter"
    assert list(_results(client, done.output_file_id)) == ["c"]
    assert server.paid == 1


@pytest.mark.parametrize(("end", "code"), [("expire", "batch_expired"), ("cancel", "batch_cancelled")])
def test_a_batch_may_end_with_part_of_its_results(server: Server, client: openai.OpenAI, end: str, code: str) -> None:
    batch_id = _submit(client, [batch_line("a"), batch_line("b"), batch_line("c")])
    getattr(server.batches, end)(done=1)
    done = client.batches.retrieve(batch_id)
    assert done.status in ("expired", "cancelled")
    assert list(_results(client, done.output_file_id)) == ["a"]
    errors = _results(client, done.error_file_id)
    assert {name: (row["response"], row["error"]["code"]) for name, row in errors.items()} == {
        "b": (None, code),
        "c": (None, code),
    }
    assert server.paid == 1


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["{"], "invalid_json_line"),
        ([batch_line("a"), batch_line("a")], "duplicate_custom_id"),
        ([batch_line("a", url="/v1/embeddings")], "invalid_url"),
        ([batch_line("a"), batch_line("b", body={"model": "other"})], "mismatched_model"),
        ([], "empty_file"),
        ([batch_line("a"), batch_line("b"), batch_line("c")], "too_many_tasks"),
    ],
)
def test_a_bad_file_fails_as_a_whole(server: Server, client: openai.OpenAI, lines: list[Any], code: str) -> None:
    server.batches.max_requests = 2
    batch_id = _submit(client, lines)
    client.batches.retrieve(batch_id)
    failed = client.batches.retrieve(batch_id)
    assert failed.status == "failed"
    assert failed.output_file_id is None
    assert failed.errors is not None
    assert failed.errors.data is not None
    assert failed.errors.data[0].code == code


def test_what_a_batch_must_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="24h"):
        _submit(client, [batch_line("a")], completion_window="1h")
    with pytest.raises(openai.BadRequestError, match="endpoint"):
        _submit(client, [batch_line("a")], endpoint="/v1/chat")
    with pytest.raises(openai.NotFoundError):
        client.batches.create(input_file_id="file-9", endpoint="/v1/chat/completions", completion_window="24h")


def test_a_batch_can_be_cancelled_once(server: Server, client: openai.OpenAI) -> None:
    batch_id = _submit(client, [batch_line("a")])
    assert client.batches.cancel(batch_id).status == "cancelling"
    client.batches.retrieve(batch_id)
    assert client.batches.retrieve(batch_id).status == "cancelled"
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch_id)
    assert server.paid == 0


def test_batches_are_listed_newest_first_page_by_page(client: openai.OpenAI) -> None:
    made = [_submit(client, [batch_line("a")]) for _ in range(5)]
    assert [batch.id for batch in client.batches.list(limit=2)] == made[::-1]
    page = client.batches.list(limit=2, after=made[3])
    assert [batch.id for batch in page.data] == [made[2], made[1]]
    assert page.has_more


def test_a_batch_of_embeddings(server: Server, client: openai.OpenAI) -> None:
    line = batch_line("a", url="/v1/embeddings", body={"model": EMBEDDING_MODEL, "input": ["one two"]})
    batch_id = _submit(client, [line], endpoint="/v1/embeddings")
    server.batches.finish()
    result = _results(client, client.batches.retrieve(batch_id).output_file_id)["a"]
    assert result["response"]["body"]["data"][0]["embedding"] == vector("one two")
