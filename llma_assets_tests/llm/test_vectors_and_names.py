"""Vectors in calls of a bounded size, names in calls that know of each other, and what the records say of both."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from llma_assets.embedding.embedder import EmbeddingRejected
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.lake import Lake
from llma_assets.llm.embedder import BYTES_PER_TOKEN, MAX_BATCH_TEXTS, MAX_BATCH_TOKENS, OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import MAX_CLUSTERS_PER_CALL, OpenAILabeler
from llma_assets.llm.recorder import Recorder
from llma_assets.llm.task import LlmTask
from llma_assets.providers import embedder_of
from llma_assets.settings import load_settings
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.llm_items import access_of
from llma_assets_tests.llm.server import CHAT_MODEL, DIM, EMBEDDING_MODEL, Altered, Reply, Server
from llma_assets_tests.real_traces import NOW

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

PRICES = {CHAT_MODEL: {"input_usd": 1.0, "output_usd": 2.0}, EMBEDDING_MODEL: {"input_usd": 1.0}}
TASK = LlmTask("cluster_labels", TeamDay("acme", date(2026, 3, 9)), "run-1")

MakeEmbedder = Callable[..., OpenAIEmbedder]
MakeLabeler = Callable[..., OpenAILabeler]


@pytest.fixture
def embedder(endpoint: Endpoint) -> MakeEmbedder:
    def _make(**options: Any) -> OpenAIEmbedder:
        access, others = access_of(endpoint, options, concurrency=3, price_overrides=PRICES)
        return OpenAIEmbedder(EMBEDDING_MODEL, access, **others)

    return _make


@pytest.fixture
def labeler(endpoint: Endpoint) -> MakeLabeler:
    def _make(**options: Any) -> OpenAILabeler:
        access, others = access_of(endpoint, options, price_overrides=PRICES)
        return OpenAILabeler(CHAT_MODEL, access, **others)

    return _make


def inputs(server: Server) -> list[list[str]]:
    return [request.body["input"] for request in server.requests]


# --- vectors ----------------------------------------------------------------------------------------------------------


def test_a_call_holds_a_bounded_number_of_texts_and_of_tokens(embedder: MakeEmbedder, server: Server) -> None:
    short = [f"short text {n}" for n in range(MAX_BATCH_TEXTS + 1)]
    long = [f"{n} " + "слово " * 1_500 for n in range(40)]
    texts = [*short, *long]
    embedder().embed(texts)
    assert sorted(text for batch in inputs(server) for text in batch) == sorted(texts)
    for batch in inputs(server):
        assert len(batch) <= MAX_BATCH_TEXTS
        assert sum(len(text.encode()) // BYTES_PER_TOKEN + 1 for text in batch) <= MAX_BATCH_TOKENS
    by_tokens = sum(len(text.encode()) // BYTES_PER_TOKEN + 1 for text in texts) / MAX_BATCH_TOKENS
    assert len(server.requests) <= by_tokens + 2, "calls are filled"


@pytest.mark.parametrize("text", ["word " * 20_000, "日本語" * 20_000, "🚆" * 20_000, "a" * 5_999 + "é" * 9_000])
def test_a_text_beyond_the_model_s_limit_is_cut_at_a_character(
    embedder: MakeEmbedder, server: Server, text: str
) -> None:
    embedder().embed([text])
    ((sent,),) = inputs(server)
    assert text.startswith(sent)
    assert 23_990 <= len(sent.encode()) <= 24_000


def test_a_length_that_is_asked_for_is_sent_checked_and_part_of_the_model(
    embedder: MakeEmbedder, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = embedder(dimensions=16)
    assert short.embed(["a b"]).shape == (1, 16)
    assert server.requests[0].body["dimensions"] == 16
    assert short.model == f"openai/{EMBEDDING_MODEL}/16" != embedder().model
    embedder().embed(["a b"])
    assert "dimensions" not in server.requests[1].body
    server.always(Altered(lambda rows: [row | {"embedding": row["embedding"] + [0.5]} for row in rows]))
    with pytest.raises(EmbeddingRejected, match="shape"):
        embedder(dimensions=16).embed(["a b"])

    monkeypatch.setenv("LLMA_EMBEDDER", "openai")
    monkeypatch.setenv("LLMA_OPENAI_EMBEDDING_MODEL", EMBEDDING_MODEL)
    own = load_settings()
    monkeypatch.setenv("LLMA_OPENAI_EMBEDDING_DIMENSIONS", "16")
    shorter = load_settings()
    assert embedder_of(own).recipe != embedder_of(shorter).recipe
    access, _ = access_of(Endpoint(server.url), {})
    assert OpenAIEmbedder.from_settings(shorter, access).model == short.model
    assert OpenAIEmbedder.from_settings(shorter, access).dim == 16


def test_parts_come_as_they_finish_and_hold_the_rows_of_their_places(embedder: MakeEmbedder, server: Server) -> None:
    texts = [f"text number {n} of {n % 5} kinds" for n in range(MAX_BATCH_TEXTS * 3)]
    one = embedder()
    whole = one.embed(texts)
    again = np.zeros_like(whole)
    places: list[int] = []
    for part, rows in embedder().parts(texts):
        assert len(part) == len(rows) <= MAX_BATCH_TEXTS
        again[list(part)] = rows
        places += part
    assert sorted(places) == list(range(len(texts)))
    assert np.array_equal(whole, again)
    assert np.allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-6)


def test_a_batch_with_wrong_rows_loses_no_other(embedder: MakeEmbedder, server: Server) -> None:
    """F17: the others are yielded before the error."""
    server.answer_s = 0.02
    texts = [f"text number {n} end" for n in range(MAX_BATCH_TEXTS * 6)]
    server.when("number 200 ", Altered(lambda rows: rows[::-1]))
    places: list[int] = []
    with pytest.raises(EmbeddingRejected, match="out of order"):
        for part, _rows in embedder().parts(texts):
            places += part
    assert len(places) == (server.paid - 1) * MAX_BATCH_TEXTS
    assert 200 not in places and 0 in places


@pytest.mark.parametrize(
    ("row", "match"),
    [(None, "no list"), ([], "no list"), (["1.5"] * DIM, "holds"), ([1.0, None] * 16, "holds")],
    ids=["null", "empty", "strings", "a null within"],
)
def test_a_row_that_holds_no_numbers_is_rejected(embedder: MakeEmbedder, server: Server, row: Any, match: str) -> None:
    honest = server.honest

    def wrong(*arguments: Any) -> Reply:
        body = json.loads(honest(*arguments).body or "")
        for entry in body["data"]:
            entry["embedding"] = row
        return Reply(200, body=json.dumps(body))

    server.honest = wrong  # type: ignore[method-assign, assignment]
    with pytest.raises(EmbeddingRejected, match=match):
        embedder().embed(["a b"])


# --- names ------------------------------------------------------------------------------------------------------------


def evidence(count: int) -> list[ClusterEvidence]:
    return [
        ClusterEvidence(
            n,
            10 + n,
            (ItemEvidence(f"i{n}", f"Topic{n} question of customer", (f"The user asks about topic{n}",)),),
            (),
            ((f"topic{n}", 2.0), (f"question topic{n}", 1.0)),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(("count", "calls"), [(MAX_CLUSTERS_PER_CALL, 1), (MAX_CLUSTERS_PER_CALL + 1, 2), (95, 3)])
def test_many_clusters_take_several_calls_and_each_knows_all_siblings(
    labeler: MakeLabeler, server: Server, count: int, calls: int
) -> None:
    found = labeler().label(evidence(count))
    assert [label.cluster_id for label in found] == list(range(count))
    assert {label.source for label in found} == {"llm"}
    assert len({label.title for label in found}) == count
    assert all(f"topic{label.cluster_id}" in label.title.lower().split() for label in found)
    assert len(server.requests) == calls
    named: set[int] = set()
    for request in server.requests:
        prompt = request.body["messages"][1]["content"]
        own = {n for n in range(count) if f"\nGROUP {n}: " in prompt}
        assert len(own) <= MAX_CLUSTERS_PER_CALL and not own & named
        _, _, others = prompt.partition("OTHER GROUPS\n")
        lines = [line for line in others.split("\n") if line.startswith("- ")]
        assert len(lines) == count - len(own)
        told = [line for line in lines if "named" in line]
        assert len(told) == len(named), "titles that were given before are told"
        named |= own
    assert named == set(range(count))


def test_a_title_given_in_an_earlier_call_cannot_be_given_again(labeler: MakeLabeler, server: Server) -> None:
    def same(content: str) -> str:
        clusters = json.loads(content)["clusters"]
        return json.dumps(
            {
                "clusters": [
                    cluster | {"title": f"question topic{cluster['cluster_id'] % 41} customer"} for cluster in clusters
                ]
            }
        )

    server.always(Altered(same))
    found = labeler().label(evidence(82))
    assert len({label.title.lower() for label in found}) == 82
    assert {label.source for label in found} == {"llm", "keywords"}


def test_shares_of_the_labels_sum_to_what_the_server_counted(labeler: MakeLabeler, server: Server) -> None:
    counted: list[dict[str, int]] = []
    plain = server.count

    def count(request: Any, reply: Reply) -> None:
        plain(request, reply)
        counted.append(json.loads(reply.body or "")["usage"])

    server.count = count  # type: ignore[method-assign]
    server.script(Altered(lambda _: "{}"))
    found = labeler().label(evidence(95))
    assert len(counted) == 4, "three calls and a repair"
    read = sum(one["prompt_tokens"] for one in counted)
    written = sum(one["completion_tokens"] for one in counted)
    assert sum(label.input_tokens or 0 for label in found) == read
    assert sum(label.output_tokens or 0 for label in found) == written
    assert sum(label.cost_usd or 0 for label in found) == pytest.approx((read + 2 * written) / 1e6)
    shares = [label.input_tokens or 0 for label in found]
    assert max(shares) - min(shares) <= 1


def test_a_group_that_fails_leaves_the_others_their_names(labeler: MakeLabeler, server: Server) -> None:
    server.script(Reply(400, "content_filter"))
    found = labeler().label(evidence(82))
    failed = [label for label in found if label.source == "keywords"]
    assert {label.reason for label in failed} == {"refused"}
    assert 0 < len(failed) <= MAX_CLUSTERS_PER_CALL


# --- records ----------------------------------------------------------------------------------------------------------


def recorded(lake: Lake, make: Callable[[Recorder], Any]) -> list[dict[str, Any]]:
    """The `llm_calls` rows of the calls, without the row of the task."""
    recorder = Recorder(lake, TASK, None, lambda: NOW)
    make(recorder)
    recorder.close("ok", {})
    rows = [row for path in lake.files("llm_calls", TASK.team_day) for row in _rows(path)]
    return [row for row in rows if row["event"] != "$ai_trace"]


def _rows(path: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_calls_for_names_are_recorded_with_all_they_took(labeler: MakeLabeler, server: Server, lake: Lake) -> None:
    server.script(Reply(500), Reply(429))
    rows = recorded(lake, lambda recorder: labeler(recorder=recorder).label(evidence(41), "run of acme"))
    assert [(row["event"], row["attempts"], row["error"]) for row in rows] == [
        ("$ai_generation", 3, None),
        ("$ai_generation", 1, None),
    ]
    for row in rows:
        assert row["subject"] == "run of acme" and row["prompt_version"] == "label.v2"
        assert row["cost_usd"] == pytest.approx((row["input_tokens"] + 2 * row["output_tokens"]) / 1e6)
        assert (
            row["cost_usd"] > 0 and row["latency_s"] > 0 and row["stop_reason"] == "stop" and row["model"] == CHAT_MODEL
        )
        assert row["input"] is None and row["output"] is None


def test_calls_for_vectors_are_recorded(embedder: MakeEmbedder, server: Server, lake: Lake) -> None:
    rows = recorded(lake, lambda recorder: embedder(recorder=recorder).embed([f"text {n}" for n in range(130)]))
    assert sorted((row["event"], row["subject"], row["attempts"]) for row in rows) == [
        ("$ai_embedding", "128 texts", 1),
        ("$ai_embedding", "2 texts", 1),
    ]
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(sum(row["input_tokens"] for row in rows) / 1e6)


def test_a_call_that_failed_is_recorded_with_its_attempts_and_reason(
    labeler: MakeLabeler, server: Server, lake: Lake
) -> None:
    server.always(Reply(503))
    (row,) = recorded(lake, lambda recorder: labeler(recorder=recorder).label(evidence(2)))
    assert row["attempts"] == 4 and "HTTP 503, after 4 attempts" in row["error"]
    assert row["cost_usd"] is None and row["input_tokens"] is None
