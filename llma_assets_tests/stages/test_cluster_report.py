"""The stage cluster_report: what the page tells, what it keeps to itself, and that it never tells an old story."""

import json
import logging
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from llma_assets.checks.zero_items import zero_item_result
from llma_assets.errors import PartitionMissing
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.cluster_report import REPORT_PAGE
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets.traces.text import render_trace
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.pipeline import LOG, cluster, run_day, source
from llma_assets_tests.stages.planted import items, plant, run_row
from llma_assets_tests.stages.report_day import DAYS, build, finish, page, stage

DAY = TeamDay("acme", date(2026, 3, 8))
SECRET = "ada.lovelace" + "@" + "analytical.example.org"


@pytest.fixture(scope="module")
def real_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of real agents' traces up to its events; one holds a secret. Copied for each test."""
    from llma_assets.ingest import ingest_file

    folder = tmp_path_factory.mktemp("report")
    events = demo_events("airline", 45, "2026-03-08")
    asked = next(event for event in events if event["event"] == "$ai_generation")
    asked["properties"]["$ai_input"][-1]["content"] += f" Write to me at {SECRET}, please."
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    home = folder / "home"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LLMA_HOME", str(home))
        lake = Lake(str(home))
        ingest_file(lake, path, "acme", datetime(2026, 11, 1, tzinfo=UTC))
        run_day(lake, "acme", [DAY.day])
    return home


@pytest.fixture
def real(real_lake: Path, lake: Lake) -> Lake:
    shutil.copytree(real_lake, lake.root, dirs_exist_ok=True)
    return lake


# --- what it tells ----------------------------------------------------------------------------------------------------


def test_a_page_tells_what_the_tables_hold(real: Lake) -> None:
    report = build(real, DAY)
    read = page(real, DAY)
    assert (read.report["schema"], read.report["team"], read.report["date"]) == (1, "acme", "2026-03-08")
    rows = {row["clustering_run_id"]: row for row in real.read("cluster_assignments", DAY).to_pylist()}
    labels = real.read("cluster_labels", DAY).to_pylist()
    metrics = real.read("cluster_metrics", DAY).to_pylist()
    assert [run["level"] for run in read.report["runs"]] == ["trace", "generation"]
    for run in read.report["runs"]:
        row = rows[run["run_id"]]
        assert sorted(run["items"]["id"]) == sorted(item["item_id"] for item in row["items"])
        assert sum(one["size"] for one in run["clusters"]) == row["items_analyzed"] == run["items_shown"]
        assert len({len(column) for column in run["items"].values()}) == 1
        named = {label["cluster_id"]: label for label in labels if label["clustering_run_id"] == run["run_id"]}
        assert {one["cluster_id"]: one["title"] for one in run["clusters"]} == {c: n["title"] for c, n in named.items()}
        sizes = [one["size"] for one in run["clusters"] if one["cluster_id"] != -1]
        assert sizes == sorted(sizes, reverse=True)
        of_run = {figures["cluster_id"]: figures for figures in metrics
                  if figures["clustering_run_id"] == run["run_id"] and figures["kind"] == "cluster"}  # fmt: skip
        for one in run["clusters"]:
            for name in ("avg_cost", "p95_latency", "error_rate", "models", "tools", "lift"):
                assert one["metrics"][name] == of_run[one["cluster_id"]][name], name
    trace = read.report["runs"][0]
    assert trace["tools"] and trace["models"] and any(trace["items"]["tools"])
    assert report.items == 1 and report.counts["texts"] == sum(len(run["items"]["id"]) for run in read.report["runs"])
    assert zero_item_result(real, "cluster_report", [DAY]).passed
    (row,) = real.read("cluster_report", DAY).to_pylist()
    assert (row["bytes"], row["file"]) == (len(read.html), "cluster_report/team=acme/date=2026-03-08/report.html")


def test_references_lead_to_lines_of_the_text(real: Lake) -> None:
    build(real, DAY)
    read = page(real, DAY)
    trace = read.report["runs"][0]
    details = read.details(trace)
    checked = 0
    for events in source(real).traces(DAY, trace["items"]["id"], DAY.day):
        told = details[events[0].trace_id]
        shown = [f"L{number}: {text}" for number, text in told["lines"]]
        assert [line.replace("L0", "L").replace("L0", "L") for line in render_trace(events).text.split("\n")] == shown
        numbers = {number for number, _ in told["lines"]}
        for note in told["bullets"] + told["notes"]:
            for first, last in note["refs"]:
                assert set(range(first, last + 1)) <= numbers
                checked += 1
        assert told["flow"]["nodes"] and told["omitted"] is None
    assert checked > 100


def test_the_same_rows_give_the_same_bytes(real: Lake, snapshot: Callable[[], dict[str, bytes]]) -> None:
    build(real, DAY)
    first, html = snapshot(), page(real, DAY).html
    build(real, DAY)
    assert snapshot() == first
    assert page(real, DAY).html == html


def test_the_version_changes_with_what_the_page_would_tell(real: Lake) -> None:
    before = stage(real).version(DAY)
    assert stage(real).version(DAY) == before
    others: list[dict[str, Any]]
    others = [{"report_content": "none"}, {"report_max_bytes": 3_000_000}, {"redaction": "always"}]
    # Limits that a run is warned of.
    others += [{"min_clusters": 9}, {"max_cluster_share": 0.1}, {"max_noise_share": 0.0}, {"min_stability": 1.0}]
    assert len({before, *(stage(real, **one).version(DAY) for one in others)}) == 8
    rows = real.read("cluster_labels", DAY).to_pylist()
    rows[0]["title"] = "Another name"
    real.write("cluster_labels", DAY, pa.Table.from_pylist(rows, real.read("cluster_labels", DAY).schema))
    assert stage(real).version(DAY) != before


def test_a_trace_that_changed_is_not_shown_beside_an_old_summary(real: Lake, ingest: Callable[..., Any]) -> None:
    trace_id = real.read("trace_summaries", DAY).to_pylist()[-1]["trace_id"]
    late = {"uuid": "late", "event": "$ai_span", "distinct_id": "p", "timestamp": "2026-03-08T23:59:00Z"}
    ingest([late | {"properties": {"$ai_trace_id": trace_id, "$ai_span_name": "late"}}])
    build(real, DAY)
    read = page(real, DAY)
    told = read.details(read.report["runs"][0])
    assert "changed" in told[trace_id]["omitted"] and told[trace_id]["lines"] is None
    assert sum(one["omitted"] is not None for one in told.values()) == 1


# --- what it keeps to itself ------------------------------------------------------------------------------------------


def test_secrets_are_taken_out_where_the_setting_says_so(real: Lake) -> None:
    build(real, DAY)
    assert SECRET in page(real, DAY).everything()
    build(real, DAY, redaction="always")
    told = page(real, DAY).everything()
    assert SECRET not in told
    assert "[email]" in told


@pytest.mark.parametrize("content", ["summaries", "none"])
def test_a_page_holds_no_more_than_the_setting_lets_it(real: Lake, content: str) -> None:
    build(real, DAY, report_content=content)
    read = page(real, DAY)
    told = read.everything()
    rows = [row for row in real.read("trace_summaries", DAY).to_pylist() if row["status"] == "summarized"]
    assert all(item["lines"] is None for chunk in read.chunks for item in chunk)
    assert read.report["content"] == content
    trace = read.report["runs"][0]
    assert trace["clusters"][0]["title"] in told
    if content == "summaries":
        assert len(read.details(trace)) == len(trace["items"]["id"])
        return
    assert read.chunks == []
    for row in rows:
        assert row["trace_id"] not in told
        # A keyword title may be made of the same words.
        assert row["title"] not in told or row["title"] in {one["title"] for one in trace["clusters"]}
    assert {one["description"] for one in trace["clusters"]} == {""}
    assert sum(trace["items"]["cost"]) > 0, "figures stay"


def test_under_a_minimum_of_users_no_name_of_few_is_told(lake: Lake) -> None:
    """S6: neither a tool that one user has, nor what clusters were called before there was a minimum."""
    for day in DAYS[:2]:
        plant(lake, day, NIGHTS[0])
        rows = lake.read("trace_summaries", day).to_pylist()
        for n, row in enumerate(rows):
            row |= {"item_user": f"u{n % 3}", "item_tools": ["common", *(["canary_tool"] if n % 3 == 0 else [])]}
        lake.write("trace_summaries", day, pa.Table.from_pylist(rows, TRACE_SUMMARIES.schema))
        finish(lake, day)
    with pytest.raises(PartitionMissing, match="lower minimum"):
        build(lake, DAYS[1], min_users_per_cluster=2)
    LabelClusters(lake, KeywordLabeler(), LOG, min_users=2).run(DAYS[1])
    build(lake, DAYS[1], min_users_per_cluster=2)
    read = page(lake, DAYS[1])
    run = read.report["runs"][0]
    assert read.report["content"] == "none" and read.chunks == []
    assert "canary_tool" not in read.everything() and run["tools"] == ["common"]
    assert {one["title"] for one in run["earlier"][0]["clusters"]} == {f"cluster {n}" for n in range(3)}
    build(lake, DAYS[1])
    assert "canary_tool" in page(lake, DAYS[1]).everything()


def test_the_policy_lets_nothing_in_and_nothing_is_fetched(real: Lake) -> None:
    build(real, DAY)
    read = page(real, DAY)
    rules = dict(rule.strip().partition(" ")[::2] for rule in read.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in read.policy and "http" not in read.policy
    for tag, attributes in read.elements:
        assert tag not in ("iframe", "object", "embed", "base", "form")
        assert not {name for name in attributes if name.startswith("on")} and "style" not in attributes
        for name in ("src", "href", "action", "data", "srcset"):
            assert not attributes.get(name) or attributes[name].startswith("#"), (tag, name)  # type: ignore[union-attr]


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_page_never_passes_its_size_and_gives_up_the_least_first(real: Lake) -> None:
    bare = build(real, DAY, report_max_bytes=0).figures["page_bytes"]
    whole = build(real, DAY).figures["page_bytes"]
    shown: list[tuple[int, int, int, int]] = []
    for part in (0.02, 0.3, 0.9, 2.0):
        limit = bare + int((whole - bare) * part)
        build(real, DAY, report_max_bytes=limit)
        (row,) = real.read("cluster_report", DAY).to_pylist()
        assert row["bytes"] == len(page(real, DAY).html) <= limit
        shown.append((row["items_shown"], row["details"], row["texts"], row["excerpts"]))
        told = page(real, DAY).report["runs"][0]
        assert sum(one["size"] for one in told["clusters"]) == told["items_analyzed"], "figures are of all"
        assert any("items are not in this file" in warning for warning in told["warnings"]) == (
            told["items_shown"] < told["items_analyzed"]
        )
    assert [one[:3] for one in shown] == sorted(one[:3] for one in shown)
    assert shown[0][0] < shown[-1][0], "items give way at last"
    assert 0 < shown[-2][2] < shown[-1][2], shown
    assert shown[-1][2:] == (shown[-1][0], 0)


def test_a_long_text_is_shown_by_what_its_summary_refers_to(real: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llma_assets.readers.report_texts.MAX_WHOLE_CHARS", 3_000)
    build(real, DAY)
    read = page(real, DAY)
    told = read.details(read.report["runs"][0]).values()
    parts = [one for one in told if one["omitted"] and "refers to" in one["omitted"]]
    assert parts and all(0 < len(part["lines"]) < part["line_count"] for part in parts)
    for part in parts:
        numbers = {number for number, _ in part["lines"]}
        assert all(first in numbers for note in part["bullets"] for first, _ in note["refs"])


# --- over time --------------------------------------------------------------------------------------------------------

NIGHTS = [
    items("flight", 0, 40, 0) | items("refund", 0, 30, 1) | items("bag", 0, 20, 2),
    items("refund", 5, 35, 0) | items("flight", 5, 45, 1) | items("bag", 5, 25, 2),
    items("flight", 10, 30, 0) | items("flight", 30, 50, 3) | items("refund", 10, 40, 2) | items("seat", 0, 20, 1),
]


def test_trends_and_badges_go_by_lineage(lake: Lake) -> None:
    for day, night in zip(DAYS, NIGHTS, strict=False):
        plant(lake, day, night)
        finish(lake, day)
        build(lake, day)
    first = {one["cluster_id"]: one for one in page(lake, DAYS[0]).report["runs"][0]["clusters"]}
    assert [one["badges"] for one in first.values()] == [[], [], []], "with nothing to compare, nothing is new"
    run = page(lake, DAYS[2]).report["runs"][0]
    told = {one["cluster_id"]: one for one in run["clusters"]}
    assert run["earlier_date"] == "2026-01-02"
    assert [(c, told[c]["change"], told[c]["badges"], told[c]["earlier_size"]) for c in sorted(told)] == [
        (0, "kept", ["shrunk"], 40), (1, "born", ["new"], None), (2, "kept", [], 30), (3, "split", [], 40),
    ]  # fmt: skip
    assert [(point["date"], point["size"]) for point in told[2]["trend"]] == [
        ("2026-01-01", 30), ("2026-01-02", 30), ("2026-01-03", 30),
    ]  # fmt: skip
    assert told[2]["lineage_id"] == "acme_trace_20260102_000000/1"
    assert (told[2]["first_seen"], told[1]["first_seen"]) == ("2026-01-01", "2026-01-03")
    (bag,) = run["gone"]
    assert ("Bag" in bag["title"], bag["size"], bag["last_date"]) == (True, 20, "2026-01-02")
    assert bag["lineage_id"] == "acme_trace_20260102_000000/2"
    assert [(one["date"], len(one["clusters"])) for one in run["earlier"]] == [("2026-01-02", 3), ("2026-01-01", 3)]
    lineages = {one["lineage_id"] for one in run["earlier"][1]["clusters"]}
    assert told[2]["lineage_id"] in lineages and told[3]["lineage_id"] not in lineages


# --- nothing to show --------------------------------------------------------------------------------------------------


def test_a_day_that_became_empty_has_no_page(lake: Lake) -> None:
    plant(lake, DAYS[0], NIGHTS[0])
    finish(lake, DAYS[0])
    build(lake, DAYS[0])
    path = Path(lake.path("cluster_report", DAYS[0], REPORT_PAGE))
    assert path.exists()
    row = run_row(DAYS[0], {})
    lake.write(
        "cluster_assignments", DAYS[0], pa.Table.from_pylist([row], lake.read("cluster_assignments", DAYS[0]).schema)
    )
    report = build(lake, DAYS[0])
    assert (report.items, report.empty_reason) == (0, "no clustering run of this day has items")
    assert not path.exists()
    assert lake.read("cluster_report", DAYS[0]).num_rows == 0
    assert not zero_item_result(lake, "cluster_report", [DAYS[0]]).passed


def test_a_clustering_without_items_takes_the_page_with_it(real: Lake) -> None:
    """F27: the check stops the run before the page would be built anew."""
    build(real, DAY)
    cluster(real, DAY, min_items=10_000)
    assert not Path(real.path("cluster_report", DAY, REPORT_PAGE)).exists()
    assert real.read("cluster_report", DAY).num_rows == 0


def test_a_skipped_run_is_told_with_its_reason(lake: Lake) -> None:
    plant(lake, DAYS[0], NIGHTS[0])
    finish(lake, DAYS[0])
    rows = lake.read("cluster_assignments", DAYS[0]).to_pylist()
    skipped = run_row(DAYS[0], {}) | {"level": "generation", "clustering_run_id": "g", "reason": "too_few_items"}
    skipped |= {"items_in_window": 12, "min_items": 20}
    table = pa.Table.from_pylist([*rows, skipped], lake.read("cluster_assignments", DAYS[0]).schema)
    lake.write("cluster_assignments", DAYS[0], table)
    build(lake, DAYS[0])
    first, second = page(lake, DAYS[0]).report["runs"]
    assert (first["status"], second["status"], second["reason"]) == ("clustered", "skipped", "too_few_items (12 of 20)")


def test_names_of_other_clusters_are_refused(lake: Lake) -> None:
    plant(lake, DAYS[0], NIGHTS[0])
    finish(lake, DAYS[0])
    plant(lake, DAYS[0], NIGHTS[1])
    with pytest.raises(PartitionMissing, match="cluster_labels"):
        build(lake, DAYS[0])
    with pytest.raises(PartitionMissing, match="cluster_assignments"):
        build(lake, DAYS[5])


def test_items_without_a_summary_are_shown_without_a_title(lake: Lake) -> None:
    """Rows of summaries that are gone since: the page says what is left."""
    plant(lake, DAYS[0], NIGHTS[0])
    finish(lake, DAYS[0])
    lake.write("trace_summaries", DAYS[0], TRACE_SUMMARIES.schema.empty_table())
    build(lake, DAYS[0])
    run = page(lake, DAYS[0]).report["runs"][0]
    assert set(run["items"]["title"]) == {None} == set(run["items"]["detail"])
    assert len(run["items"]["id"]) == 90


def test_a_failing_redaction_shows_no_text(real: Lake, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    from llma_assets.redaction.redactor import Redactor

    def failing(self: Redactor, value: Any) -> Any:
        raise RecursionError(f"cannot read {SECRET}")

    monkeypatch.setattr(Redactor, "value", failing)
    with caplog.at_level(logging.WARNING):
        build(real, DAY, redaction="always")
    read = page(real, DAY)
    told = read.details(read.report["runs"][0])
    assert {one["lines"] is None for one in told.values()} == {True}
    assert {one["omitted"] for one in told.values()} == {"The secrets of this text could not be taken out."}
    assert SECRET not in read.everything() and SECRET not in caplog.text
