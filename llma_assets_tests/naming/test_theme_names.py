"""Names of themes: whom they cost a call, when they stay, and what a failure leaves for another day."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llma_assets.labeling.local import KeywordLabeler
from llma_assets.labeling.response import same_titles
from llma_assets.lake import Lake
from llma_assets.llm.budget import budget_of
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.team_day import TeamDay
from llma_assets.versions import is_part
from llma_assets_tests.llm.llm_items import access_of
from llma_assets_tests.llm.server import CHAT_MODEL, Altered, Reply, Request, Server
from llma_assets_tests.real_traces import NOW
from llma_assets_tests.stages.pipeline import LOG, match_clusters, measure
from llma_assets_tests.stages.planted import items, plant

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

DAYS = [TeamDay("acme", date(2026, 1, n)) for n in range(1, 32)]
NIGHT = (
    items("flight", 0, 40, 0) | items("seat", 0, 30, 1) | items("refund", 0, 20, 2) | items("invoice", 0, 15, 3)
    | items("bag", 0, 10, 4) | items("odd", 0, 5, -1)
)  # fmt: skip
TWO_PAIRS = {0: 0, 1: 0, 2: 1, 3: 1, 4: 2}
PRICES = {CHAT_MODEL: {"input_usd": 1.0, "output_usd": 2.0}}

Name = Callable[..., StageReport]
Rows = dict[int, dict[str, Any]]


@pytest.fixture
def name(lake: Lake, endpoint: Endpoint) -> Name:
    """Match and name a planted day by a model, or by keywords."""

    def _name(day: TeamDay, model: str | None = CHAT_MODEL) -> StageReport:
        match_clusters(lake, day)
        access, _ = access_of(endpoint, {}, price_overrides=PRICES)
        labeler = KeywordLabeler() if model is None else OpenAILabeler(model, access)
        return LabelClusters(lake, labeler, LOG).run(day)

    return _name


@pytest.fixture(autouse=True)
def _titles_of_all_members(server: Server) -> None:
    """The server's own titles rest on the first member; these tell every topic that a group shows."""
    honest = server.honest

    def retitled(content: str, prompt: str) -> str:
        entries = json.loads(content)["clusters"]
        for entry in entries:
            group = prompt.partition(f"GROUP {entry['cluster_id']}: ")[2].partition("\n\n")[0]
            topics = dict.fromkeys(re.findall(r"Question about (\w+) delivery", group))
            entry["title"] = f"question about {' and '.join(topics)} delivery"
        return json.dumps({"clusters": entries})

    def answer(request: Request, payload: bytes, altered: Altered) -> Reply:
        prompt = request.body["messages"][1]["content"]
        change = altered.change
        return honest(request, payload, replace(altered, change=lambda said: change(retitled(said, prompt))))

    server.honest = answer  # type: ignore[method-assign]


def rows(lake: Lake, day: TeamDay) -> Rows:
    return {row["cluster_id"]: row for row in lake.read("cluster_labels", day).to_pylist()}


def themes(lake: Lake, day: TeamDay) -> dict[int, tuple[str, str, str, date]]:
    """Title, description, source and day of the naming of each theme."""
    found: dict[int, set[tuple[str, str, str, date]]] = {}
    for row in rows(lake, day).values():
        if row["theme_id"] is not None:
            naming = row["theme_naming"]
            one = (row["theme_title"], row["theme_description"], naming["source"], naming["named_date"])
            found.setdefault(row["theme_id"], set()).add(one)
    assert all(len(one) == 1 for one in found.values()), "every cluster of a theme says the same"
    return {theme_id: one.pop() for theme_id, one in found.items()}


@pytest.mark.parametrize("model", [CHAT_MODEL, None], ids=["model", "keywords"])
def test_a_theme_of_one_cluster_has_its_title_and_the_others_their_own(
    lake: Lake, name: Name, server: Server, model: str | None
) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    report = name(DAYS[0], model)
    found, named = rows(lake, DAYS[0]), themes(lake, DAYS[0])
    assert {one: row["theme_id"] for one, row in found.items()} == TWO_PAIRS | {-1: None}
    assert found[-1]["theme_title"] is found[-1]["theme_description"] is found[-1]["theme_naming"] is None
    assert named[2][:3] == (found[4]["title"], found[4]["description"], "cluster")
    several = "keywords" if model is None else "llm"
    assert named[0][2] == named[1][2] == several
    titles = {n: one[0] for n, one in named.items()}
    inner = {10 + one: found[one]["title"] for one in range(4)}
    assert same_titles(titles | inner) == []
    assert report.figures["themes"] == 3 and report.figures["is_partial"] == 0
    assert report.preview is not None and "theme_title" in report.preview.column_names
    assert len(server.requests) == (0 if model is None else 2)


def test_one_call_names_all_themes_from_members_of_all_their_clusters(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    report = name(DAYS[0])
    prompt = server.requests[1].body["messages"][1]["content"]
    assert "\nGROUP 0: 70 members" in prompt and "\nGROUP 1: 35 members" in prompt and "\nGROUP 2: " not in prompt
    first, _, second = prompt.partition("\nGROUP 1: ")
    assert all(topic in first for topic in ("flight", "seat")) and "refund" not in first
    assert all(topic in second for topic in ("refund", "invoice"))
    assert f"named {rows(lake, DAYS[0])[4]['title']!r}" in second.partition("OTHER GROUPS")[2]
    found = rows(lake, DAYS[0]).values()
    of_themes = {row["theme_id"]: row["theme_naming"] for row in found if row["theme_naming"] is not None}.values()
    paid = sum(row["input_tokens"] or 0 for row in [*found, *of_themes])
    assert report.figures["llm_input_tokens"] == paid == sum(len(sent.text) // 4 for sent in server.requests)
    assert report.figures["llm_cost_usd"] == pytest.approx(
        (report.figures["llm_input_tokens"] + 2 * report.figures["llm_output_tokens"]) / 1e6
    )


@pytest.mark.parametrize("theme_of", [None, {n: n for n in range(5)}], ids=["an old run", "each its own"])
def test_without_themes_of_several_clusters_nobody_is_asked(
    lake: Lake, name: Name, server: Server, theme_of: dict[int, int] | None
) -> None:
    plant(lake, DAYS[0], NIGHT, theme_of)
    name(DAYS[0])
    assert len(server.requests) == 1
    for one, row in rows(lake, DAYS[0]).items():
        assert row["theme_title"] == (row["title"] if theme_of and one >= 0 else None)


def test_a_second_run_of_a_day_asks_nothing_and_gives_the_same_bytes(lake: Lake, name: Name, server: Server) -> None:
    for n in (0, 1):
        plant(lake, DAYS[n], NIGHT | (items("hotel", 0, 25, 5) if n else {}), TWO_PAIRS | {5: 2})
        first, asked = name(DAYS[n]), len(server.requests)
        second = name(DAYS[n])
        assert second.written.sha256 == first.written.sha256
        assert len(server.requests) == asked
        assert second.figures["cache_hits"] == second.items


def test_a_theme_that_goes_on_keeps_its_title_and_asks_nobody(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    name(DAYS[0])
    before, asked = themes(lake, DAYS[0]), len(server.requests)
    renumbered = {item: one if one == -1 else 4 - one for item, one in NIGHT.items()}
    plant(lake, DAYS[1], renumbered, {4 - one: theme for one, theme in TWO_PAIRS.items()})
    plant(lake, DAYS[2], NIGHT, {one: 2 - theme for one, theme in TWO_PAIRS.items()})
    for n in (1, 2):
        report = name(DAYS[n])
        assert report.figures["llm_cost_usd"] == 0
        assert themes(lake, DAYS[n]) == (
            before if n == 1 else {2 - t: one for t, one in before.items() if t is not None}
        )
    assert len(server.requests) == asked
    assert {one[3] for one in before.values()} == {DAYS[0].day}


def test_only_themes_that_changed_are_named_anew(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    name(DAYS[0])
    before, asked = themes(lake, DAYS[0]), len(server.requests)
    # The second pair parts: each of the two joins what was alone or is new.
    plant(lake, DAYS[1], NIGHT | items("hotel", 0, 60, 5), {0: 0, 1: 0, 2: 1, 5: 1, 3: 2, 4: 2})
    name(DAYS[1])
    after = themes(lake, DAYS[1])
    assert after[0] == before[0]
    assert {after[n][3] for n in (1, 2)} == {DAYS[1].day}
    of_cluster, of_theme = (request.body["messages"][1]["content"] for request in server.requests[asked:])
    assert "\nGROUP 5: " in of_cluster and "\nGROUP 0: " not in of_cluster
    assert "\nGROUP 1: " in of_theme and "\nGROUP 2: " in of_theme and "\nGROUP 0: " not in of_theme
    assert f"named {before[0][0]!r}" in of_theme


def test_a_model_replaces_keywords_but_keywords_replace_no_model(lake: Lake, name: Name) -> None:
    for n, model in enumerate((None, CHAT_MODEL, None)):
        plant(lake, DAYS[n], NIGHT, TWO_PAIRS)
        name(DAYS[n], model)
    first, second, third = (themes(lake, DAYS[n]) for n in range(3))
    assert [first[0][2], second[0][2], third[0][2]] == ["keywords", "llm", "llm"]
    assert third == second and second[0][0] != first[0][0]


def test_keywords_keep_titles_and_count_the_members_of_today(lake: Lake, name: Name) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    name(DAYS[0], None)
    plant(lake, DAYS[1], NIGHT | items("flight", 40, 60, 0), TWO_PAIRS)
    name(DAYS[1], None)
    before, after = themes(lake, DAYS[0])[0], themes(lake, DAYS[1])[0]
    assert after[0] == before[0] and after[3] == DAYS[0].day
    assert "(70 in all)" in before[1] and "(90 in all)" in after[1]


def test_a_kept_title_gives_way_to_a_cluster_that_has_it_now(lake: Lake, name: Name) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    name(DAYS[0], None)
    path = Path(lake.path("cluster_labels", DAYS[0]))
    table = lake.read("cluster_labels", DAYS[0])
    told = table.to_pylist()
    taken = next(row["title"] for row in told if row["cluster_id"] == 1)
    changed = [row | {"theme_title": taken} if row["theme_id"] == 0 else row for row in told]
    pq.write_table(type(table).from_pylist(changed, table.schema), path)
    plant(lake, DAYS[1], NIGHT, TWO_PAIRS)
    name(DAYS[1], None)
    assert rows(lake, DAYS[1])[1]["title"] == taken != themes(lake, DAYS[1])[0][0]
    assert themes(lake, DAYS[1])[0][3] == DAYS[1].day


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_theme_that_no_call_could_be_made_for_is_due_again_alone(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    server.when("GROUP 0: 70 members", Reply(500))
    report = name(DAYS[0])
    assert {row["source"] for row in rows(lake, DAYS[0]).values()} == {"llm", "fixed"}
    assert {one[2] for one in themes(lake, DAYS[0]).values()} == {"keywords", "cluster"}
    assert rows(lake, DAYS[0])[0]["theme_naming"]["reason"] == "llm_error"
    assert report.figures["is_partial"] == 1
    assert (lake.source_version("cluster_labels", DAYS[0]) or "").endswith("~2"), (
        "noise and the cluster alone are whole"
    )
    server._rules.clear()
    asked = len(server.requests)
    report = name(DAYS[0])
    assert report.figures["is_partial"] == 0 and not is_part(lake.source_version("cluster_labels", DAYS[0]))
    assert len(server.requests) == asked + 1
    assert {one[2] for one in themes(lake, DAYS[0]).values()} == {"llm", "cluster"}


def test_a_useless_answer_is_kept_with_its_reason(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    server.script(Altered(), Altered(lambda _: "{}"), Altered(lambda _: "{}"))
    report = name(DAYS[0])
    naming = rows(lake, DAYS[0])[0]["theme_naming"]
    assert (naming["source"], naming["reason"]) == ("keywords", "invalid_response")
    assert naming["cost_usd"] > 0 and report.figures["is_partial"] == 0
    asked = len(server.requests)
    assert name(DAYS[0]).written.sha256 == report.written.sha256
    assert len(server.requests) == asked


def test_a_title_of_its_own_clusters_is_refused(lake: Lake, name: Name, server: Server) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    titles: list[str] = []

    def first(honest: str) -> str:
        titles.extend(cluster["title"] for cluster in json.loads(honest)["clusters"])
        return honest

    def same(honest: str) -> str:
        entries = json.loads(honest)["clusters"]
        return json.dumps({"clusters": [entry | {"title": titles[2 * n]} for n, entry in enumerate(entries)]})

    server.script(Altered(first), Altered(same), Altered(same))
    name(DAYS[0])
    for row in rows(lake, DAYS[0]).values():
        if row["theme_id"] in (0, 1):
            assert (row["theme_naming"]["source"], row["theme_naming"]["reason"]) == ("keywords", "invalid_response")
            assert row["theme_title"] not in titles


def test_without_money_themes_have_keywords_and_the_day_is_partial(
    lake: Lake, endpoint: Endpoint, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_BUDGET_USD", "0")
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    match_clusters(lake, DAYS[0])
    with closing(budget_of(load_settings(), DAYS[0], lambda: NOW)) as budget:
        access, _ = access_of(endpoint, {}, price_overrides=PRICES, budget=budget)
        report = LabelClusters(lake, OpenAILabeler(CHAT_MODEL, access), LOG).run(DAYS[0])
    assert report.figures["is_partial"] == 1 and server.requests == []
    namings = [row["theme_naming"] for row in rows(lake, DAYS[0]).values() if row["theme_id"] in (0, 1)]
    assert {(naming["source"], naming["reason"]) for naming in namings} == {("keywords", "budget_exhausted")}


def test_themes_that_were_paid_are_not_paid_again_after_a_kill_among_clusters(
    lake: Lake, name: Name, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    server.when("GROUP 0: 40 members", Reply(500))
    assert name(DAYS[0]).figures["is_partial"] == 1
    before = themes(lake, DAYS[0])
    assert before[0][2] == "llm"
    server._rules.clear()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("llma_assets.stages.cluster_labels.name_themes", killed)
        name(DAYS[0])
    asked = len(server.requests)
    assert name(DAYS[0]).figures["is_partial"] == 0
    assert len(server.requests) == asked
    after = themes(lake, DAYS[0])
    assert {n: after[n] for n in (0, 1)} == {n: before[n] for n in (0, 1)}


def test_clusters_that_were_paid_are_not_paid_again_after_a_stop_among_themes(
    lake: Lake, name: Name, server: Server
) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    server.when("GROUP 0: 70 members", Reply(401, "invalid_api_key"))
    with pytest.raises(Exception, match="OPENAI_API_KEY"):
        name(DAYS[0])
    assert not lake.exists("cluster_labels", DAYS[0])
    server._rules.clear()
    asked = len(server.requests)
    name(DAYS[0])
    (request,) = server.requests[asked:]
    assert "\nGROUP 0: 70 members" in request.body["messages"][1]["content"]


def test_names_from_before_there_were_themes_are_kept(lake: Lake, name: Name, server: Server) -> None:
    """F36: a file of the version before; its run has no themes, today's has."""
    plant(lake, DAYS[0], NIGHT)
    name(DAYS[0])
    path = Path(lake.path("cluster_labels", DAYS[0]))
    new = ["theme_id", "theme_title", "theme_description", "theme_naming"]
    pq.write_table(pq.read_table(path).drop_columns(new), path)
    asked = len(server.requests)
    assert name(DAYS[0]).figures["is_partial"] == 0
    assert len(server.requests) == asked
    plant(lake, DAYS[1], NIGHT, TWO_PAIRS)
    name(DAYS[1])
    assert {row["name_reason"] for row in rows(lake, DAYS[1]).values()} == {"kept", "noise"}
    assert themes(lake, DAYS[1])[0][2] == "llm"
    assert len(server.requests) == asked + 1


def test_events_carry_the_themes(lake: Lake, name: Name) -> None:
    plant(lake, DAYS[0], NIGHT, TWO_PAIRS)
    name(DAYS[0], None)
    measure(lake, DAYS[0])
    EmitEvents(lake, LOG).run(DAYS[0])
    (event,) = lake.read("cluster_events", DAYS[0]).to_pylist()
    named = themes(lake, DAYS[0])
    for cluster in json.loads(event["properties"])["$ai_clusters"]:
        theme_id = TWO_PAIRS.get(cluster["cluster_id"])
        assert (cluster["theme_id"], cluster["theme_title"]) == (
            theme_id,
            named[theme_id][0] if theme_id is not None else None,
        )
