"""Vectors through the real SDK."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from llma_assets.embedding.embedder import EmbeddingRejected, check_vectors
from llma_assets.errors import FailFast, RetryLater
from llma_assets.llm.access import Access
from llma_assets.llm.embedder import MAX_BATCH_TEXTS, OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.llm_items import access_of
from llma_assets_tests.llm.server import DIM, EMBEDDING_MODEL, Altered, Reply, Server, vector

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

Make = Callable[..., OpenAIEmbedder]


@pytest.fixture
def make(endpoint: Endpoint) -> Make:
    def _make(**options: Any) -> OpenAIEmbedder:
        access, others = access_of(endpoint, options, concurrency=3)
        return OpenAIEmbedder(EMBEDDING_MODEL, access, **others)

    return _make


def _unit(text: str) -> np.ndarray:
    row = np.array(vector(text))
    return row / np.linalg.norm(row)


def _change(**by_position: Any) -> Altered:
    """Rows of the answer replaced: `_change(r1=[...])` is the embedding of row 1."""

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"embedding": by_position.get(f"r{n}", row["embedding"])} for n, row in enumerate(rows)]

    return Altered(change)


def test_unit_vectors_in_the_order_of_the_texts(make: Make, server: Server) -> None:
    texts = [f"trace number {n} about {n % 7} trains" for n in range(MAX_BATCH_TEXTS * 2 + 5)]
    embedder = make()
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), DIM) and vectors.dtype == np.float32
    assert np.allclose(vectors, [_unit(text) for text in texts], atol=1e-6)
    assert embedder.dim == DIM
    assert embedder.model == f"openai/{EMBEDDING_MODEL}"
    assert sorted(len(request.body["input"]) for request in server.requests) == [5, MAX_BATCH_TEXTS, MAX_BATCH_TEXTS]
    assert check_vectors(vectors, len(texts), DIM, texts) == [None] * len(texts)


def test_long_texts_share_a_call_up_to_a_number_of_tokens(make: Make, server: Server) -> None:
    make().embed(["word " * 4_000] * 40)
    sizes = [sum(len(text) for text in request.body["input"]) for request in server.requests]
    assert len(sizes) > 1
    assert max(sizes) <= 300_000


def test_the_length_is_asked_for_only_when_nothing_else_tells_it(
    make: Make, server: Server, endpoint: Endpoint
) -> None:
    assert OpenAIEmbedder("text-embedding-3-large", Access(endpoint)).dim == 3072
    assert make(dimensions=7).dim == 7
    assert server.requests == []
    assert make().dim == DIM
    assert len(server.requests) == 1


def test_no_text_no_call(make: Make, server: Server) -> None:
    assert make().embed([]).shape[0] == 0
    assert server.requests == []


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (Altered(lambda rows: rows[:-1]), "2 vectors came back"),
        (Altered(lambda rows: [*rows, rows[0]]), "4 vectors came back"),
        (Altered(lambda rows: rows[::-1]), "out of order"),
        (Altered(lambda rows: [row | {"index": 0} for row in rows]), "out of order"),
        (_change(r1=[1.0] * (DIM - 1)), "shape"),
    ],
    ids=["fewer", "more", "reversed", "same index", "short"],
)
def test_rows_that_cannot_be_matched_are_rejected(make: Make, server: Server, wrong: Altered, match: str) -> None:
    server.script(wrong)
    with pytest.raises(EmbeddingRejected, match=match):
        make().embed(["a b", "c d", "e f"])


def test_another_length_than_asked_for_is_rejected(make: Make, server: Server) -> None:
    server.script(_change(r0=[1.0] * DIM))
    with pytest.raises(EmbeddingRejected, match="shape"):
        make(dimensions=DIM + 1).embed(["a"])


@pytest.mark.parametrize("bad", [[0.0] * DIM, [float("nan")] * DIM, [float("inf")] + [1.0] * (DIM - 1)])
def test_a_vector_without_direction_costs_only_its_own_text(make: Make, server: Server, bad: list[float]) -> None:
    server.script(_change(r1=bad))
    vectors = make().embed(["a b", "c d", "e f"])
    assert check_vectors(vectors, 3, DIM, ["a", "c", "e"]) == [None, Reason.INVALID_EMBEDDING, None]


def test_a_refused_text_is_found_and_left_out(make: Make, server: Server) -> None:
    server.when("poison", Reply(400, "content_filter"))
    texts = [f"text {n}" for n in range(16)]
    texts[11] = "poison"
    vectors = make().embed(texts)
    assert [n for n in range(16) if not vectors[n].any()] == [11]
    assert np.allclose(vectors[12], _unit("text 12"), atol=1e-6)
    assert len(server.requests) == 9


def test_texts_that_no_model_could_read_are_cut_or_left_out(make: Make, server: Server) -> None:
    vectors = make().embed(["word " * 20_000, "", "\n ", "fine"])
    assert [bool(row.any()) for row in vectors] == [True, False, False, True]
    assert max(len(text) for text in server.requests[0].body["input"]) <= 24_000


def test_all_refused_is_no_vector_of_unknown_length(make: Make, server: Server) -> None:
    server.always(Reply(400, "content_filter"))
    with pytest.raises(EmbeddingRejected, match="length is unknown"):
        make().embed(["a", "b"])
    assert not make(dimensions=4).embed(["a", "b"]).any()


def test_passing_failures_are_retried_and_lasting_ones_end_the_run(make: Make, server: Server) -> None:
    server.script(Reply(500), Reply(429), Reply(200, body='{"data": []}'))
    assert make().embed(["a"]).shape == (1, DIM)
    assert len(server.requests) == 4
    server.always(Reply(503))
    with pytest.raises(RetryLater, match="HTTP 503"):
        make().embed(["a"] * 300)
    assert len(server.requests) == 8


def test_a_wrong_key_costs_one_call(make: Make, server: Server) -> None:
    server.always(Reply(401, "invalid_api_key"))
    with pytest.raises(FailFast, match="OPENAI_API_KEY"):
        make().embed([f"text {n}" for n in range(500)])
    assert len(server.requests) == 1


@pytest.mark.parametrize("row", [None, "a text", 7], ids=["null", "text", "number"])
def test_a_vector_that_is_no_object_is_no_protocol(endpoint: Endpoint, server: Server, row: Any) -> None:
    body = json.dumps({"object": "list", "model": "m", "data": [row], "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    server.always(Reply(200, headers={"Content-Type": "application/json"}, body=body))
    access, _ = access_of(endpoint, {})
    with pytest.raises(RetryLater, match="not of OpenAI's protocol"):
        OpenAIEmbedder(EMBEDDING_MODEL, access).embed(["a text"])
