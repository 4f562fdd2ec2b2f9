"""The stage cluster_alerts: findings from what is in the lake, the same on a rerun, and the same thing tomorrow."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from llma_assets.checks.findings import CHECKS, coverage_result, drift_result, findings_result
from llma_assets.definitions import defs
from llma_assets.errors import PartitionMissing
from llma_assets.findings.finding import Kind
from llma_assets.instance import execute
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.readers.coverage import window_coverage
from llma_assets.reporting.stage_report import StageReport
from llma_assets.resources.clock import Clock
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_alerts import FindAlerts
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.embeddings import EMBEDDINGS
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import LOG, cluster, embed, match_clusters, measure, run_day, source, summarize
from llma_assets_tests.stages.planted import items, plant
from llma_assets_tests.stages.planted_alerts import finding, write

DAYS = [TeamDay("acme", date(2026, 1, n)) for n in range(1, 20)]
OLD = items("flight", 0, 40, 0) | items("refund", 0, 40, 1)
Snapshot = Callable[[], dict[str, bytes]]


@pytest.fixture(autouse=True)
def _planted_items_have_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_MIN_COVERAGE", "0")


def find(lake: Lake, day: TeamDay) -> StageReport:
    return FindAlerts(lake, source(lake), load_settings(), NOW, LOG).run(day)


def rows(lake: Lake, day: TeamDay) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lake.read("cluster_alerts", day).to_pylist()
    return found


def finish(lake: Lake, day: TeamDay) -> StageReport:
    """Everything of a planted day after its clusters, and what is found."""
    match_clusters(lake, day)
    measure(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    EmitEvents(lake, LOG).run(day)
    return find(lake, day)


def break_items(lake: Lake, day: TeamDay, topic: str, count: int) -> None:
    """Give errors to that many items of a topic of a planted day."""
    summaries = lake.read("trace_summaries", day).to_pylist()
    of_topic = [row for row in summaries if row["item_id"].startswith(topic)]
    for row in of_topic[:count]:
        row["item_error_count"] = 2
    lake.write("trace_summaries", day, pa.Table.from_pylist(summaries, TRACE_SUMMARIES.schema))


def test_a_topic_that_comes_up_is_found_under_one_id_on_each_day(lake: Lake) -> None:
    plant(lake, DAYS[0], OLD)
    assert finish(lake, DAYS[0]).items == 0, "nothing to compare with"
    for day in DAYS[1:4]:
        plant(lake, day, OLD | items("visa", 0, 25, 2))
        assert finish(lake, day).counts == {"new_cluster": 1}
    found = [rows(lake, day)[0] for day in DAYS[1:4]]
    assert {row["lineage_id"] for row in found} == {"acme_trace_20260103_000000/2"}
    assert {row["since"] for row in found} == {DAYS[1].day}
    assert len({row["alert_id"] for row in found}) == 1
    assert "visa" in found[0]["title"].lower() and found[0]["title"] in found[0]["text"]
    assert json.loads(found[0]["figures"])["new_items"] == 25


def test_the_first_run_after_one_without_clusters_has_no_news(lake: Lake) -> None:
    plant(lake, DAYS[0], dict.fromkeys(OLD, -1))
    finish(lake, DAYS[0])
    plant(lake, DAYS[1], OLD)
    assert finish(lake, DAYS[1]).items == 0


def test_a_failing_cluster_is_one_episode_until_it_was_well_for_days(lake: Lake) -> None:
    since = []
    for n, day in enumerate(DAYS[:10]):
        plant(lake, day, OLD)
        if n not in (2, 5, 6, 7):
            break_items(lake, day, "refund", 20)
        finish(lake, day)
        since.append([row["since"].day for row in rows(lake, day) if row["kind"] == "errors"])
    assert since == [[1], [1], [], [1], [1], [], [], [], [9], [9]], "a day or two without do not end it, three do"


def test_a_rerun_changes_no_byte(lake: Lake, snapshot: Snapshot) -> None:
    for day in DAYS[:3]:
        plant(lake, day, OLD | (items("visa", 0, 25, 2) if day > DAYS[0] else {}))
        break_items(lake, day, "refund", 20)
        finish(lake, day)
    before = snapshot()
    for day in DAYS[:3]:
        assert find(lake, day).items > 0
    assert snapshot() == before


def test_names_or_figures_of_other_clusters_are_refused(lake: Lake) -> None:
    plant(lake, DAYS[0], OLD)
    finish(lake, DAYS[0])
    plant(lake, DAYS[0], OLD | items("visa", 0, 25, 2))
    with pytest.raises(PartitionMissing, match="cluster_labels"):
        find(lake, DAYS[0])
    match_clusters(lake, DAYS[0])
    LabelClusters(lake, KeywordLabeler(), LOG).run(DAYS[0])
    with pytest.raises(PartitionMissing, match="cluster_metrics"):
        find(lake, DAYS[0])


def test_a_window_that_became_empty_leaves_no_alert(lake: Lake) -> None:
    plant(lake, DAYS[0], OLD)
    break_items(lake, DAYS[0], "refund", 20)
    assert finish(lake, DAYS[0]).items == 1
    lake.write("embeddings", DAYS[0], EMBEDDINGS.schema.empty_table())
    lake.write("trace_summaries", DAYS[0], TRACE_SUMMARIES.schema.empty_table())
    assert cluster(lake, DAYS[0]).items == 0
    assert rows(lake, DAYS[0]) == []


def test_a_day_that_shows_nothing_is_found_by_the_next_that_does(lake: Lake) -> None:
    for n, day in enumerate(DAYS[:10]):
        if n == 8:
            continue
        plant(lake, day, OLD)
        report = finish(lake, day)
        assert report.counts == ({"gap": 1} if n == 9 else {}), n
    (row,) = rows(lake, DAYS[9])
    assert (row["subject"], row["since"]) == ("2026-01-09", DAYS[8].day)
    assert row["text"] == "Nothing is shown for 2026-01-09 (no items), though the days before are shown"


def test_other_clusters_than_yesterday_are_drift(lake: Lake) -> None:
    plant(lake, DAYS[0], OLD)
    finish(lake, DAYS[0])
    plant(lake, DAYS[1], items("hotel", 0, 40, 0) | items("train", 0, 40, 1))
    assert finish(lake, DAYS[1]).counts["drift"] == 1
    result = drift_result(lake, DAYS[:2], load_settings())
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["largest_distance"].value == 1.0
    assert result.metadata["compared"].value == 1
    figures: Any = result.metadata["figures"].value
    assert figures["acme_trace_20260103_000000"]["mean_shift"] == pytest.approx(1, abs=0.01)
    assert drift_result(lake, DAYS[:1], load_settings()).passed


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a day of real traces, through to the events."""
    from llma_assets.ingest import ingest_file

    folder = tmp_path_factory.mktemp("coverage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMA_HOME", str(folder))
        patch.setenv("LLMA_EMBEDDER", "lsa")
        lake = Lake(str(folder))
        path = folder / "events.jsonl"
        path.write_text("".join(json.dumps(event) + "\n" for event in demo_events("airline", 40, "2026-03-08")))
        ingest_file(lake, path, "acme", NOW)
        run_day(lake, "acme", [date(2026, 3, 8)])
    return folder


REAL = TeamDay("acme", date(2026, 3, 8))


@pytest.fixture
def covered(real: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of the real lake, to be broken."""
    monkeypatch.delenv("LLMA_MIN_COVERAGE")
    shutil.copytree(real, lake.root, dirs_exist_ok=True)
    return lake


def check_coverage(lake: Lake) -> dg.AssetCheckResult:
    return coverage_result(lake, source(lake), [REAL], load_settings(), Clock(fixed=NOW.isoformat()))


def test_every_item_of_a_real_day_is_accounted_for(covered: Lake) -> None:
    found = {one.level: one for one in window_coverage(covered, source(covered), REAL, NOW)}
    statuses = covered.read("trace_summaries", REAL).to_pylist()
    assert {level: one.eligible for level, one in found.items()} == {
        level: sum(row["level"] == level for row in statuses) for level in ("trace", "generation")
    }
    assert found["trace"].outcomes["clustered"] > 20
    assert found["generation"].outcomes["skipped(not_sampled)"] > 100
    result = check_coverage(covered)
    assert result.passed and result.metadata["lowest_share"].value == 1.0
    assert find(covered, REAL).items == 0


def test_items_that_no_table_knows_are_missing(covered: Lake) -> None:
    """Summaries of which rows were lost, as a bug would lose them: the source still has the items."""
    rows_left = covered.read("trace_summaries", REAL)
    is_trace = pc.equal(rows_left["level"], "trace")
    few = pa.concat_tables([rows_left.filter(is_trace).slice(0, 30), rows_left.filter(pc.invert(is_trace))])
    covered.write("trace_summaries", REAL, few)
    result = check_coverage(covered)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["missing"].value == 10
    assert "trace: 10 of 40 items are missing" in (result.description or "")
    assert find(covered, REAL).items == 1
    (row,) = rows(covered, REAL)
    assert (row["kind"], row["level"]) == ("coverage", "trace")


def test_items_without_a_vector_or_a_place_are_missing(covered: Lake) -> None:
    vectors = covered.read("embeddings", REAL)
    covered.write("embeddings", REAL, vectors.slice(5))
    outcomes = {one.level: one.outcomes for one in window_coverage(covered, source(covered), REAL, NOW)}
    assert sum(outcome.get("unaccounted", 0) for outcome in outcomes.values()) == 5
    covered.write("embeddings", REAL, vectors)
    (trace, *others) = covered.read("cluster_assignments", REAL).to_pylist()
    trace["items"] = trace["items"][:-3]
    schema = covered.read("cluster_assignments", REAL).schema
    covered.write("cluster_assignments", REAL, pa.Table.from_pylist([trace, *others], schema))
    outcomes = {one.level: one.outcomes for one in window_coverage(covered, source(covered), REAL, NOW)}
    assert outcomes[trace["level"]]["unaccounted"] == 3
    trace["job_filters"] = '["$ai_model exact gpt-4o"]'
    covered.write("cluster_assignments", REAL, pa.Table.from_pylist([trace, *others], schema))
    outcomes = {one.level: one.outcomes for one in window_coverage(covered, source(covered), REAL, NOW)}
    assert outcomes[trace["level"]]["skipped(not_in_any_job)"] == 3, "of a level that is clustered in part only"


def test_a_failed_item_counts_against_and_a_level_that_is_too_small_does_not(covered: Lake) -> None:
    summaries = covered.read("trace_summaries", REAL).to_pylist()
    for row in [row for row in summaries if row["level"] == "trace"][:4]:
        row |= {"status": "failed", "reason": "llm_error"}
    version = covered.source_version("trace_summaries", REAL) or ""
    covered.write("trace_summaries", REAL, pa.Table.from_pylist(summaries, TRACE_SUMMARIES.schema), version)
    result = check_coverage(covered)
    assert not result.passed and result.metadata["missing"].value == 4
    cluster(covered, REAL, min_items=41)
    (trace, _) = window_coverage(covered, source(covered), REAL, NOW)
    assert trace.outcomes == {"failed(llm_error)": 4, "skipped(too_few_items)": 36}


@pytest.mark.parametrize("kind", list(CHECKS))
def test_each_kind_fails_its_own_check_as_a_warning(lake: Lake, kind: Kind) -> None:
    day = TeamDay("acme", date(2026, 1, 9))
    write(lake, day=day.day)
    assert findings_result(lake, kind, [day]).passed
    write(lake, replace(finding("a"), kind=kind, title="<b>|", text="a | <img src=x>"))
    result = findings_result(lake, kind, [day])
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["findings"].value == 1
    assert "\\| \\<img src=x\\>" in str(result.metadata["found"].value)
    assert [other for other in CHECKS if other != kind and not findings_result(lake, other, [day]).passed] == []


def test_the_checks_warn_and_never_block() -> None:
    wanted = {"covers_items", "no_drift", *(name for name, _ in CHECKS.values())}
    specs = [spec for checks in defs.asset_checks or [] for spec in checks.check_specs if spec.name in wanted]
    assert {spec.name for spec in specs} == wanted
    assert not any(spec.blocking for spec in specs)


def test_the_job_finds_alerts_and_evaluates_every_check(
    lake: Lake, instance: dg.DagsterInstance, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_ALERT_ERROR_RATE", "0.01")
    monkeypatch.setenv("LLMA_ALERT_MIN_ITEMS", "2")
    ingest(demo_events("airline", 40, "2026-03-08"))
    summarize(lake, REAL)
    embed(lake, REAL)
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    result = execute("cluster_traces", REAL, instance, log_level="CRITICAL")
    assert result.success
    assert {row["kind"] for row in rows(lake, REAL)} == {"errors"}
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed | {"covers_items": True, "no_drift": True, "no_error_cluster": False, "no_gap": True} == passed
    (event,) = result.asset_materializations_for_node("cluster_alerts")
    assert event.metadata["findings_errors"].value == len(rows(lake, REAL))


def test_days_of_the_look_back_are_those_of_runs(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every third day is run, a finding of three days ago is that of the run before."""
    monkeypatch.setenv("LLMA_INTERVAL_DAYS", "3")
    for day in (DAYS[0], DAYS[3]):
        plant(lake, day, OLD)
        break_items(lake, day, "refund", 20)
        finish(lake, day)
    assert [row["since"] for row in rows(lake, DAYS[3])] == [DAYS[0].day]
    assert DAYS[3].day - DAYS[0].day == timedelta(days=3)
