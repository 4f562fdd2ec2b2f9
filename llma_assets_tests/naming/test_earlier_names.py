"""Names that stay: which clusters keep theirs, what that costs, and why the others are named anew."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llma_assets.labeling.keywords import label_by_keywords
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence, Label
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.labeling.response import same_titles
from llma_assets.lake import Lake
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.reporting.stage_report import StageReport
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.cluster_labels import CLUSTER_LABELS
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.llm_items import access_of
from llma_assets_tests.llm.server import CHAT_MODEL, Reply, Server
from llma_assets_tests.stages.pipeline import LOG, match_clusters
from llma_assets_tests.stages.planted import items, plant, summary_row

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

DAYS = [TeamDay("acme", date(2026, 1, n)) for n in range(1, 32)]
NIGHT = items("flight", 0, 40, 0) | items("refund", 0, 30, 1) | items("bag", 0, 20, 2)
FIRST_RUN = "acme_trace_20260102_000000"

Rows = dict[int, dict[str, Any]]
Name = Callable[..., StageReport]


@pytest.fixture
def name(lake: Lake, endpoint: Endpoint) -> Name:
    """Match and name a planted day by a model, or by keywords."""

    def _name(day: TeamDay, model: str | None = CHAT_MODEL) -> StageReport:
        match_clusters(lake, day)
        access, _ = access_of(endpoint, {})
        labeler = KeywordLabeler() if model is None else OpenAILabeler(model, access)
        return LabelClusters(lake, labeler, LOG).run(day)

    return _name


def rows(lake: Lake, day: TeamDay) -> Rows:
    return {row["cluster_id"]: row for row in lake.read("cluster_labels", day).to_pylist()}


def test_a_cluster_that_is_kept_keeps_its_name_and_asks_nobody(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT | items("odd", 0, 5, -1))
    name(DAYS[0])
    first, asked = rows(lake, DAYS[0]), len(server.requests)
    assert {row["name_reason"] for row in first.values()} == {"new_cluster", "noise"}
    assert {row["named_date"] for row in first.values()} == {DAYS[0].day}
    for n in (1, 2):
        renumbered = {item: one if one == -1 else 2 - one for item, one in NIGHT.items()}
        plant(lake, DAYS[n], renumbered if n == 1 else NIGHT)
        report = name(DAYS[n])
        for cluster_id, row in rows(lake, DAYS[n]).items():
            origin = first[2 - cluster_id if n == 1 else cluster_id]
            told = ("title", "description", "source", "keywords", "evidence", "model", "prompt_version")
            assert {column: row[column] for column in told} == {column: origin[column] for column in told}
            assert (row["name_reason"], row["carried_from"], row["named_date"]) == ("kept", FIRST_RUN, DAYS[0].day)
            assert (row["carried_cluster_id"], row["previous_title"]) == (origin["cluster_id"], origin["title"])
            assert row["input_tokens"] is row["cost_usd"] is None
        assert report.figures["names_kept"] == 3 and report.figures["name_reasons"] == "kept 3"
    assert len(server.requests) == asked


def test_only_what_is_new_is_asked_for_and_no_title_is_given_twice(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0])
    before, asked = rows(lake, DAYS[0]), len(server.requests)
    plant(lake, DAYS[1], NIGHT | items("seat", 0, 25, 3))
    name(DAYS[1])
    after = rows(lake, DAYS[1])
    (request,) = server.requests[asked:]
    prompt = request.body["messages"][1]["content"]
    assert "\nGROUP 3: " in prompt and not any(f"\nGROUP {n}: " in prompt for n in range(3))
    assert all(f"named {before[n]['title']!r}" in prompt for n in range(3))
    assert [after[n]["name_reason"] for n in range(4)] == ["kept"] * 3 + ["new_cluster"]
    assert after[3]["source"] == "llm" and after[3]["input_tokens"] > 0
    assert same_titles({n: row["title"] for n, row in after.items()}) == []


def test_a_title_that_a_sibling_keeps_is_never_given_again(lake: Lake, name: Name, server: Server) -> None:
    """Another cluster of the very same words appears beside it."""
    plant(lake, DAYS[0], items("flight", 0, 40, 0))
    name(DAYS[0])
    kept = rows(lake, DAYS[0])[0]["title"]
    plant(lake, DAYS[1], items("flight", 0, 40, 0) | items("flight", 100, 130, 1))
    name(DAYS[1])
    after = rows(lake, DAYS[1])
    assert after[0]["title"] == kept
    assert (after[1]["source"], after[1]["reason"]) == ("keywords", "invalid_response"), (
        "the server said the same again"
    )
    assert same_titles({n: row["title"] for n, row in after.items()}) == []


def test_many_small_steps_lose_the_name_as_one_large_one_does(lake: Lake, name: Name) -> None:
    """A tenth of the members is another topic's each night: every night is like the one before it."""
    plant(lake, DAYS[0], items("flight", 0, 40, 0) | items("refund", 0, 30, 1))
    name(DAYS[0])
    told = []
    for n in range(1, 11):
        drifted = items("flight", 4 * n, 40, 0) | items("hotel", 0, 4 * n, 0)
        plant(lake, DAYS[n], drifted | items("refund", 0, 30, 1))
        name(DAYS[n])
        row = rows(lake, DAYS[n])[0]
        told.append((row["name_reason"], row["carried_from"]))
        (edge,) = [e for e in lake.read("cluster_lineage", DAYS[n]).to_pylist() if e["cluster_id"] == 0]
        assert edge["change"] == "kept" and edge["jaccard"] > 0.5 and edge["centroid_cosine"] > 0.9
        assert rows(lake, DAYS[n])[1]["name_reason"] == "kept"
    reasons = [reason for reason, _ in told]
    assert reasons[:2] == ["kept", "kept"] and "content_changed" in reasons[:5]
    assert "hotel" in rows(lake, DAYS[10])[0]["title"]
    assert told[-1][0] == "kept" and told[-1][1] != FIRST_RUN, "kept again, from the run that named it anew"


@pytest.mark.parametrize(
    ("second", "reasons"),
    [
        # Half of the members left for the noise, or were not there.
        (items("flight", 0, 15, 0) | items("flight", 15, 40, -1) | items("refund", 0, 30, 1), {0: "content_changed"}),
        (items("flight", 0, 22, 0) | items("flight", 22, 40, 2) | items("refund", 0, 30, 1), {0: "kept", 2: "split"}),
        (items("flight", 0, 40, 0) | items("refund", 0, 30, 0), {0: "merged"}),
        (items("flight", 0, 40, 0) | items("seat", 0, 30, 1), {0: "kept", 1: "new_cluster"}),
    ],
    ids=["shrunk", "split", "merged", "replaced"],
)
def test_another_name_says_why(lake: Lake, name: Name, second: dict[str, int], reasons: dict[int, str]) -> None:
    plant(lake, DAYS[0], items("flight", 0, 40, 0) | items("refund", 0, 30, 1))
    name(DAYS[0])
    plant(lake, DAYS[1], second)
    name(DAYS[1])
    found = rows(lake, DAYS[1])
    assert {n: found[n]["name_reason"] for n in reasons} == reasons
    before = rows(lake, DAYS[0])
    for n, reason in reasons.items():
        assert found[n]["previous_title"] == (None if reason == "new_cluster" else before[0]["title"])
        assert (found[n]["carried_from"] is None) == (reason != "kept")
        assert found[n]["named_date"] == DAYS[reason != "kept"].day


def test_a_name_that_the_texts_no_longer_bear_out_is_given_up(lake: Lake, name: Name) -> None:
    """The same members, summarized anew from other texts."""
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0])
    plant(lake, DAYS[1], NIGHT)
    other = [summary_row(DAYS[1], item) for item in NIGHT]
    for row in other:
        if row["item_id"].startswith("flight"):
            said = {"text": "Somebody wants breakfast at noon.", "line_refs": ""}
            row |= {"title": "Breakfast wanted late", "summary_bullets": [said]}
    lake.write("trace_summaries", DAYS[1], pa.Table.from_pylist(other, TRACE_SUMMARIES.schema))
    name(DAYS[1])
    found = rows(lake, DAYS[1])
    assert [found[n]["name_reason"] for n in range(3)] == ["content_changed", "kept", "kept"]
    assert "breakfast" in found[0]["title"]


def test_a_model_replaces_keywords_but_keywords_replace_no_model(lake: Lake, name: Name, server: Server) -> None:
    for n, model in enumerate((None, CHAT_MODEL, None)):
        plant(lake, DAYS[n], NIGHT)
        name(DAYS[n], model)
    first, second, third = (rows(lake, DAYS[n]) for n in range(3))
    assert {row["source"] for row in first.values()} == {"keywords"}
    assert {(row["source"], row["name_reason"]) for row in second.values()} == {("llm", "better_source")}
    assert [row["previous_title"] for row in second.values()] == [row["title"] for row in first.values()]
    assert {(row["source"], row["name_reason"]) for row in third.values()} == {("llm", "kept")}
    assert [row["title"] for row in third.values()] == [row["title"] for row in second.values()]
    server.any_model = True
    plant(lake, DAYS[3], NIGHT)
    name(DAYS[3], "another-model")
    assert {row["name_reason"] for row in rows(lake, DAYS[3]).values()} == {"labeler_changed"}


def test_keyword_names_are_kept_and_their_descriptions_count_the_members_of_today(lake: Lake, name: Name) -> None:
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0], None)
    plant(lake, DAYS[1], NIGHT | items("flight", 40, 60, 0))
    name(DAYS[1], None)
    before, after = rows(lake, DAYS[0]), rows(lake, DAYS[1])
    assert [(row["title"], row["name_reason"]) for row in after.values()] == [
        (row["title"], "kept") for row in before.values()
    ]
    assert "(40 in all)" in before[0]["description"] and "(60 in all)" in after[0]["description"]
    assert after[0]["evidence"] != before[0]["evidence"]


def test_a_second_run_of_a_day_asks_nothing_and_gives_the_same_bytes(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0])
    plant(lake, DAYS[1], NIGHT | items("seat", 0, 25, 3) | items("odd", 0, 4, -1))
    first, asked = name(DAYS[1]), len(server.requests)
    second = name(DAYS[1])
    assert second.written.sha256 == first.written.sha256
    assert len(server.requests) == asked
    assert second.figures["cache_hits"] == second.items == 5


def test_days_that_are_named_backwards_pay_for_no_name_twice(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[1], NIGHT | items("seat", 0, 25, 3))
    name(DAYS[1])
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0])
    asked = len(server.requests)
    titles = {n: row["title"] for n, row in rows(lake, DAYS[1]).items()}
    name(DAYS[1])
    found = rows(lake, DAYS[1])
    assert [found[n]["name_reason"] for n in range(4)] == ["kept", "kept", "kept", "new_cluster"]
    assert found[3]["title"] == titles[3]
    assert len(server.requests) == asked


def test_a_name_that_could_not_be_had_is_asked_for_again_alone(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0])
    plant(lake, DAYS[1], NIGHT | items("seat", 0, 25, 3))
    server.always(Reply(500))
    report = name(DAYS[1])
    assert report.figures["is_partial"] == 1
    assert [row["reason"] for row in rows(lake, DAYS[1]).values()] == [None, None, None, "llm_error"]
    server.always(None)
    asked = len(server.requests)
    assert name(DAYS[1]).figures["is_partial"] == 0
    assert len(server.requests) == asked + 1
    assert {row["source"] for row in rows(lake, DAYS[1]).values()} == {"llm"}


def test_without_the_names_of_the_run_before_all_are_new(lake: Lake, name: Name) -> None:
    plant(lake, DAYS[0], NIGHT)
    match_clusters(lake, DAYS[0])
    plant(lake, DAYS[1], NIGHT)
    name(DAYS[1])
    assert {row["name_reason"] for row in rows(lake, DAYS[1]).values()} == {"earlier_unnamed"}


def test_names_from_before_these_columns_are_kept(lake: Lake, name: Name, server: Server) -> None:
    """F36: a file of the version before."""
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0])
    path = Path(lake.path("cluster_labels", DAYS[0]))
    new = ["name_reason", "previous_title", "carried_from", "carried_cluster_id", "named_date"]
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(new), path)
    assert lake.read("cluster_labels", DAYS[0]).schema.equals(CLUSTER_LABELS.schema)
    asked = len(server.requests)
    plant(lake, DAYS[1], NIGHT)
    name(DAYS[1])
    assert {(row["name_reason"], row["carried_from"]) for row in rows(lake, DAYS[1]).values()} == {("kept", FIRST_RUN)}
    assert len(server.requests) == asked


def test_a_first_naming_that_is_gone_keeps_no_name(lake: Lake, name: Name) -> None:
    for n in range(3):
        plant(lake, DAYS[n], NIGHT)
        if n == 2:
            Path(lake.path("cluster_assignments", DAYS[0])).unlink()
        name(DAYS[n])
    assert {row["name_reason"] for row in rows(lake, DAYS[2]).values()} == {"content_changed"}


# --- labelers ---------------------------------------------------------------------------------------------------------


def evidence(topics: list[str]) -> list[ClusterEvidence]:
    return [
        ClusterEvidence(
            n,
            9,
            tuple(
                ItemEvidence(f"{n}-{k}", f"Question about {topic} order", (f"A {topic} is late.",)) for k in range(5)
            ),
        )
        for n, topic in enumerate(topics)
    ]


def test_keywords_leave_the_titles_alone_that_others_have() -> None:
    found = evidence(["flight", "flight", "refund"])
    plain = label_by_keywords(found)
    named = {1: replace(plain[0], cluster_id=1, source="llm", description="- as it was")}
    again = label_by_keywords(found, named)
    assert again[1] == named[1]
    assert len({label.title for label in again}) == 3
    assert again[0].title != plain[0].title


def test_groups_without_words_of_their_own_are_lettered_past_the_letters_in_use() -> None:
    empty = [ClusterEvidence(n, 3, ()) for n in range(4)]
    titles = [label.title for label in label_by_keywords(empty)]
    named = {2: Label(2, titles[0], "", "keywords", ())}
    again = [label.title for label in label_by_keywords(empty, named)]
    assert len(set(again)) == 4 and again[2] == titles[0]


def test_a_model_is_asked_for_nothing_where_all_are_named(endpoint: Endpoint, server: Server) -> None:
    labels = {n: Label(n, f"Title number {n}", "- one", "llm", ()) for n in range(2)}
    labeler = OpenAILabeler(CHAT_MODEL, access_of(endpoint, {})[0])
    assert labeler.label(evidence(["flight", "refund"])[::-1], "run", labels) == [labels[1], labels[0]]
    assert server.requests == []
    (first, second) = labeler.label(evidence(["flight", "refund"]), "run", {1: labels[1]})
    assert second == labels[1] and second.input_tokens is None
    assert first.source == "llm" and np.isfinite(first.input_tokens or np.nan)
