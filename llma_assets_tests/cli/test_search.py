"""`llma search`: the nearest summaries by the model that made their vectors, and what a question may cost and say."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from llma_assets.cli.search import search
from llma_assets.embedding.lsa import LsaEmbedder
from llma_assets.errors import BudgetExhausted, InputRejected
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.embeddings import EMBEDDINGS
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.server import EMBEDDING_MODEL, Server
from llma_assets_tests.llm.server_answers import vector
from llma_assets_tests.stages.pipeline import LOG, match_clusters
from llma_assets_tests.stages.planted import items, plant, summary_row

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

DAY = TeamDay("acme", date(2026, 3, 9))
TOPICS = items("refund", 0, 6, 0) | items("parking", 0, 5, 1) | items("odd", 0, 2, -1)
REMOTE = f"openai/{EMBEDDING_MODEL}"
DIM = 8


def write_vectors(
    lake: Lake, day: TeamDay, ids: Sequence[str], model: str | None = None, levels: Sequence[str] = ("trace",)
) -> None:
    """Vectors of the titles that `plant` gives the items: by the smoke-test embedder, or as the test server does."""
    titles = [summary_row(day, item_id)["title"] for item_id in ids]
    local = LsaEmbedder()
    vectors = local.embed(titles) if model is None else [vector(title, DIM) for title in titles]
    rows = [
        {"team_id": day.team, "date": day.day, "level": level, "item_id": one, "trace_id": one}
        | {"trace_timestamp": day.start, "status": "embedded", "model": model or local.model, "dim": len(made)}
        | {"content_hash": one, "embedding": list(made)}
        for level in levels
        for one, made in zip(ids, vectors, strict=True)
    ]
    lake.write("embeddings", day, pa.Table.from_pylist(rows, EMBEDDINGS.schema))


def name(lake: Lake, day: TeamDay) -> None:
    match_clusters(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)


def asked(capsys: pytest.CaptureFixture[str], question: str, **options: Any) -> dict[str, Any]:
    capsys.readouterr()
    search(question, as_json=True, **options)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_items_are_ranked_and_told_with_their_newest_cluster(lake: Lake, capsys: Any) -> None:
    later = TeamDay("acme", DAY.day + timedelta(days=1))
    plant(lake, DAY, TOPICS)
    name(lake, DAY)
    write_vectors(lake, DAY, list(TOPICS))
    run = plant(lake, later, items("refund", 0, 3, 4) | items("refund", 50, 55, 4))["clustering_run_id"]
    name(lake, later)
    write_vectors(lake, later, [f"refund-{n:03d}" for n in range(50, 55)])
    told = asked(capsys, "refund delivery", limit=12)
    rows = told["results"]
    assert told["items_searched"] == 18
    assert [row["rank"] for row in rows] == list(range(1, 13))
    assert all(row["item_id"].startswith("refund") for row in rows[:11])
    assert not rows[11]["item_id"].startswith("refund")
    assert [row["similarity"] for row in rows] == sorted((row["similarity"] for row in rows), reverse=True)
    places = {row["item_id"]: (row["clustering_run_id"], row["cluster_id"]) for row in rows}
    assert places["refund-000"] == (run, 4), "the newest of the two runs that hold it"
    assert places["refund-005"][1] == 0
    assert all(row["cluster_title"] for row in rows)
    assert rows[0]["title"] == "Question about refund delivery"
    assert {row["date"] for row in asked(capsys, "refund", first="2026-03-10")["results"]} == {"2026-03-10"}
    assert {row["date"] for row in asked(capsys, "refund", to="2026-03-09")["results"]} == {"2026-03-09"}


def test_an_item_in_no_clustering_run_is_found_all_the_same(lake: Lake, capsys: Any) -> None:
    plant(lake, DAY, TOPICS)
    lake.fs.rm(lake.path("cluster_assignments", DAY))
    write_vectors(lake, DAY, list(TOPICS))
    (row,) = asked(capsys, "parking", limit=1)["results"]
    assert (row["clustering_run_id"], row["cluster_id"], row["cluster_title"]) == (None, None, None)


def test_teams_are_kept_apart(lake: Lake, capsys: Any) -> None:
    other = TeamDay("other", DAY.day)
    for day in (DAY, other):
        plant(lake, day, TOPICS)
        write_vectors(lake, day, list(TOPICS))
    assert {row["team_id"] for row in asked(capsys, "refund", team="other", limit=50)["results"]} == {"other"}
    assert {row["team_id"] for row in asked(capsys, "refund", limit=50)["results"]} == {"acme", "other"}


def test_only_vectors_of_the_newest_model_are_searched(lake: Lake, capsys: Any) -> None:
    earlier = TeamDay("acme", DAY.day - timedelta(days=1))
    plant(lake, earlier, TOPICS)
    write_vectors(lake, earlier, ["refund-000", "refund-001"], REMOTE)
    plant(lake, DAY, TOPICS)
    write_vectors(lake, DAY, ["parking-000"])
    search("refund", as_json=True)
    shown = capsys.readouterr()
    assert [row["item_id"] for row in json.loads(shown.out)["results"]] == ["parking-000"]
    assert f"2 items whose vectors are by {REMOTE}" in shown.err


def test_a_question_by_another_model_is_refused(lake: Lake, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(lake, DAY, TOPICS)
    write_vectors(lake, DAY, list(TOPICS))
    monkeypatch.setenv("LLMA_EMBEDDER", "openai")
    monkeypatch.setenv("LLMA_OPENAI_BASE_URL", server.url)
    with pytest.raises(InputRejected, match=r"LLMA_EMBEDDER.*openai/.*hashed-words"):
        search("refund", team="acme")
    assert server.requests == []


@pytest.mark.parametrize(
    ("question", "options", "words"),
    [
        ("", {}, "QUERY.*empty"),
        (" \n\t", {}, "QUERY.*empty"),
        ("x" * 2_001, {}, "2001.*2000"),
        ("\udcff", {}, "UTF-8"),
        ("refund", {"limit": 0}, "--limit: 0"),
        ("refund", {"limit": 1_001}, "--limit: 1001.*1000"),
        ("refund", {"level": "span"}, "--level: 'span'.*trace, generation"),
        ("refund", {"team": "nobody"}, "--team: 'nobody'.*acme"),
        ("refund", {"team": "1; DROP"}, "team: '1; DROP'"),
        ("refund", {"first": "soon"}, "--from: 'soon'"),
        ("refund", {"first": "2026-03-09", "to": "2026-03-01"}, "--to: 2026-03-01 is before"),
        ("refund", {"level": "generation"}, "no generation of any team has a vector"),
    ],
)
def test_wrong_input_is_one_clear_error(lake: Lake, question: str, options: dict[str, Any], words: str) -> None:
    plant(lake, DAY, TOPICS)
    write_vectors(lake, DAY, list(TOPICS))
    with pytest.raises(InputRejected, match=words):
        search(question, **options)


@pytest.fixture
def remote(lake: Lake, server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Vectors by the test server, which gets texts as one elsewhere would."""
    plant(lake, DAY, TOPICS)
    write_vectors(lake, DAY, list(TOPICS), f"{REMOTE}/{DIM}")
    price = json.dumps({EMBEDDING_MODEL: {"input_usd": 1.0}})
    for setting, value in {
        "EMBEDDER": "openai", "OPENAI_BASE_URL": server.url, "OPENAI_EMBEDDING_MODEL": EMBEDDING_MODEL,
        "OPENAI_EMBEDDING_DIMENSIONS": str(DIM), "REDACTION": "always", "PRICES": price,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"LLMA_{setting}", value)
    return server


def test_a_question_to_a_server_is_redacted_recorded_and_charged(remote: Server, lake: Lake, capsys: Any) -> None:
    address = "ada.lovelace" + "@" + "analytical.example.org"
    rows = asked(capsys, f"refund of {address}", limit=3)["results"]
    assert len(rows) == 3
    sent = b"".join(request.raw for request in remote.requests)
    assert address.encode() not in sent
    assert b"refund of [email]" in sent
    today = TeamDay("acme", datetime.now(UTC).date())
    calls = pa.concat_tables([pa.parquet.read_table(path) for path in lake.files("llm_calls", today)]).to_pylist()
    (call,) = [row for row in calls if row["event"] == "$ai_embedding"]
    assert (call["asset"], call["is_error"], call["input"]) == ("search", False, None)
    assert call["cost_usd"] > 0


def test_the_nearest_is_the_one_with_the_same_vector(remote: Server, capsys: Any) -> None:
    title = summary_row(DAY, "parking-000")["title"]
    rows = asked(capsys, title, limit=6)["results"]
    assert {row["item_id"].rpartition("-")[0] for row in rows[:5]} == {"parking"}
    assert rows[0]["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert rows[5]["similarity"] < 0.999


def test_a_budget_holds_for_questions(remote: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_BUDGET_USD_PER_DAY", "0")
    with pytest.raises(BudgetExhausted, match="LLMA_BUDGET_USD_PER_DAY"):
        search("refund")
    assert remote.requests == []


def test_with_several_teams_a_server_is_asked_for_one_of_them(remote: Server, lake: Lake) -> None:
    other = TeamDay("other", DAY.day)
    plant(lake, other, TOPICS)
    write_vectors(lake, other, list(TOPICS), f"{REMOTE}/{DIM}")
    with pytest.raises(InputRejected, match=r"--team.*acme, other"):
        search("refund")
    assert remote.requests == []
    search("refund", team="other")
    assert len(remote.requests) == 1
