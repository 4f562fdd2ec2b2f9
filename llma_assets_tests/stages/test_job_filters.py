"""Filters of clustering jobs, from the events to the clusters: who is summarized, and who is clustered with whom."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from llma_assets.cli.project import Project
from llma_assets.clustering_jobs import ClusteringJob, clustering_jobs
from llma_assets.clustering_jobs.edit import edit_jobs
from llma_assets.clustering_jobs.filters import parse_filter
from llma_assets.clustering_jobs.job import TeamJobs
from llma_assets.errors import InputRejected
from llma_assets.estimation.estimate import EstimateBackfill
from llma_assets.lake import Lake
from llma_assets.settings import load_settings
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import Level
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import LOG, cluster, embed, measure, source, summarize

Ingest = Callable[..., Any]
DAY = TeamDay("acme", date(2025, 6, 2))
GPT4 = ("gpt-4-0314", "gpt-4-0613")


def job(job_id: str, *filters: str, level: Level = Level.TRACE) -> ClusteringJob:
    return ClusteringJob(job_id, job_id.upper(), level, tuple(map(parse_filter, filters)))


def have(*own: ClusteringJob, **defaults: bool) -> None:
    said = tuple((Level(level), enabled) for level, enabled in defaults.items())
    edit_jobs("acme", load_settings(), lambda _: TeamJobs(own, said))


def traces_of(events: list[dict[str, Any]], *models: str) -> set[str]:
    return {e["properties"]["$ai_trace_id"] for e in events if e["properties"].get("$ai_model") in models}


def reasons(lake: Lake, day: TeamDay = DAY) -> dict[tuple[str, str | None], set[str]]:
    found: dict[tuple[str, str | None], set[str]] = {}
    for row in lake.read("trace_summaries", day).to_pylist():
        found.setdefault((row["level"], row["reason"]), set()).add(row["item_id"])
    return found


@pytest.fixture
def events(ingest: Ingest) -> list[dict[str, Any]]:
    """60 real traces of three models, 23, 20 and 17, one generation each."""
    events = demo_events("assistant", 60, "2025-06-02")
    ingest(events)
    return events


def test_two_jobs_of_a_level_are_two_runs_of_different_items(lake: Lake, events: list[dict[str, Any]]) -> None:
    have(job("four", "$ai_model contains GPT-4-"), job("three", "$ai_model exact gpt-3.5-turbo-0125", "event is_set"))
    summarize(lake, DAY)
    embed(lake, DAY)
    report = cluster(lake, DAY, "kmeans")
    runs = {run["clustering_run_id"]: run for run in lake.read("cluster_assignments", DAY).to_pylist()}
    assert runs.keys() == {
        "acme_generation_20250603_000000", "acme_trace_20250603_000000_four", "acme_trace_20250603_000000_three",
    }  # fmt: skip
    items = {run_id: {item["item_id"] for item in run["items"]} for run_id, run in runs.items()}
    assert items["acme_trace_20250603_000000_four"] == traces_of(events, *GPT4)
    assert items["acme_trace_20250603_000000_three"] == traces_of(events, "gpt-3.5-turbo-0125")
    told = {one["job_id"]: one for one in report.figures["clustering_jobs"]}
    assert told["four"] == {
        "job_id": "four", "job_name": "FOUR", "level": "trace", "status": "clustered", "items_in_window": 40,
        "filters": ["$ai_model contains GPT-4-"], "items_analyzed": 40,
    }  # fmt: skip
    assert report.figures["trace_three_clusters"] > 0
    assert measure(lake, DAY).figures["trace_three_distinct_users"] is not None
    shown = Project().rows("SELECT job_id, job_name, job_filters FROM runs WHERE job_id = 'three'")
    filters = '["$ai_model exact gpt-3.5-turbo-0125", "event is_set"]'
    assert shown == [{"job_id": "three", "job_name": "THREE", "job_filters": filters}]
    assert Project().rows("SELECT DISTINCT job_filters FROM runs WHERE job_id = ''") == [{"job_filters": "[]"}]


def test_items_with_vectors_of_another_model_are_counted_for_the_job_that_wants_them(
    lake: Lake, events: list[dict[str, Any]], ingest: Ingest
) -> None:
    later = TeamDay("acme", date(2025, 6, 3))
    ingest(demo_events("assistant", 40, "2025-06-03"))
    for day in (DAY, later):
        summarize(lake, day)
        embed(lake, day)
    rows = lake.read("embeddings", DAY)
    older = rows.set_column(rows.column_names.index("model"), "model", pa.array(["older"] * len(rows), pa.string()))
    lake.write("embeddings", DAY, older, lake.source_version("embeddings", DAY) or "")
    have(job("old", "$ai_model exact gpt-4-0314"), trace=True, generation=False)
    cluster(lake, later, "kmeans")
    left_out = {run["job_id"]: run["items_other_model"] for run in lake.read("cluster_assignments", later).to_pylist()}
    assert left_out == {"": 60, "old": 23}


def test_what_no_job_wants_is_passed_over_and_takes_no_place_in_the_sample(
    lake: Lake, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_MAX_TRACES_PER_HOUR", "1")
    wanted = traces_of(events, "gpt-4-0314")
    have(job("old", "$ai_model exact gpt-4-0314"))

    seen: set[str] = set()

    class Counting(ExtractiveSummarizer):
        def summarize(self, items: Any, keep: Any = None) -> Any:
            for item in items:
                seen.add(item.key[1])
                yield from super().summarize([item], keep)

    summarize(lake, DAY, Counting())
    found = reasons(lake)
    assert found["trace", None] | found["trace", "not_sampled"] == wanted
    hours = {datetime.fromisoformat(e["timestamp"]).hour for e in events if e["properties"]["$ai_trace_id"] in wanted}
    assert len(found["trace", None]) == len(hours), "one an hour in each hour that has any"
    assert len(found["trace", "not_in_any_job"]) == 60 - len(wanted)
    unwanted = found["trace", "not_in_any_job"]
    assert not seen & unwanted, "no text of them is read, and nobody is paid"
    assert ("generation", "not_in_any_job") not in found


def test_a_team_whose_every_job_is_disabled_gets_nothing_and_is_told_why(
    lake: Lake, events: list[dict[str, Any]]
) -> None:
    summarize(lake, DAY)
    embed(lake, DAY)
    cluster(lake, DAY, "kmeans")
    have(trace=False, generation=False)
    report = summarize(lake, DAY)
    assert report.items == 0
    assert report.empty_reason == "job_disabled (120 of 120)"
    assert lake.read("embeddings", DAY).num_rows == 0
    report = cluster(lake, DAY, "kmeans")
    assert report.items == 0
    assert report.empty_reason == "trace: job_disabled (0 of 20); generation: job_disabled (0 of 20)"
    runs = lake.read("cluster_assignments", DAY).to_pylist()
    assert {(run["job_name"], run["status"], run["reason"]) for run in runs} == {
        ("Default - trace", "skipped", "job_disabled"), ("Default - generation", "skipped", "job_disabled"),
    }  # fmt: skip
    (status,) = Project().rows("SELECT * FROM team_day_status")
    assert (status["status"], status["reason"]) == ("nothing", "job_disabled (120)")
    assert (status["items"], status["sampled"], status["skipped"]) == (120, 0, {"job_disabled": 120})


def test_a_job_that_is_switched_off_and_on_pays_for_no_summary_twice(lake: Lake, events: list[dict[str, Any]]) -> None:
    summarize(lake, DAY)
    before = reasons(lake)
    first = lake.read("trace_summaries", DAY)
    have(job("old", "$ai_model exact gpt-4-0314"), trace=False)
    narrow = summarize(lake, DAY)
    assert narrow.figures["cache_hits"] == len(before["generation", None]) + 23
    assert Project().rows("SELECT count(*) AS n FROM events WHERE event = '$ai_trace_summary'") == [{"n": 23}]
    have()

    class Untouched(ExtractiveSummarizer):
        def summarize(self, items: Any, keep: Any = None) -> Any:
            assert list(items) == []
            return iter(())

    summarize(lake, DAY, Untouched())
    assert lake.read("trace_summaries", DAY).equals(first)


def test_without_jobs_of_its_own_a_team_has_the_versions_that_it_always_had(
    lake: Lake, events: list[dict[str, Any]]
) -> None:
    summarize(lake, DAY)
    embed(lake, DAY)
    cluster(lake, DAY, "kmeans")
    (stats,) = source(lake).day_stats("acme", NOW, list(Level))
    assert lake.source_version("trace_summaries", DAY) == stats.source_version
    written = lake.source_version("cluster_assignments", DAY)
    have(job("all"))
    summarize(lake, DAY)
    assert lake.source_version("trace_summaries", DAY) == stats.source_version, "it wants the very same items"
    cluster(lake, DAY, "kmeans")
    assert lake.source_version("cluster_assignments", DAY) != written
    have()
    cluster(lake, DAY, "kmeans")
    assert lake.source_version("cluster_assignments", DAY) == written


def test_a_wrong_file_fails_the_run_and_leaves_the_partition(lake: Lake, events: list[dict[str, Any]]) -> None:
    summarize(lake, DAY)
    before = lake.read("trace_summaries", DAY)
    load_settings().jobs_path.write_text("teams: {acme: {jobs: [{id: a, name: A, level: trace, filter: [x is_set]}]}}")
    with pytest.raises(InputRejected, match="unknown key 'filter'"):
        summarize(lake, DAY)
    assert lake.read("trace_summaries", DAY).equals(before)


# --- the source -------------------------------------------------------------------------------


def event(trace: str, at: datetime, kind: str = "$ai_generation", **properties: Any) -> dict[str, Any]:
    return {
        "uuid": f"{trace}-{kind}-{at.isoformat()}",
        "event": kind,
        "distinct_id": "ana",
        "timestamp": at.isoformat(),
        "properties": {"$ai_trace_id": trace, "$ai_input": "How do I reset my password?"} | properties,
    }


def found(lake: Lake, days: list[TeamDay], *jobs: ClusteringJob) -> list[set[str]]:
    return [set(ids) for ids in source(lake).job_items(days, jobs)]


def test_one_event_must_satisfy_all_filters_and_a_generation_stands_for_itself(lake: Lake, ingest: Ingest) -> None:
    at = datetime(2025, 6, 2, 10, tzinfo=UTC)
    ours: dict[str, Any] = {"$llma_assets": 1}
    events = [
        event("both", at, plan="pro", n=5), event("both", at + timedelta(seconds=1), "$ai_span", plan="free"),
        event("apart", at, plan="pro"), event("apart", at + timedelta(seconds=1), n=5),
        event("span", at, "$ai_span", plan="pro", n=5), event("span", at + timedelta(seconds=1)),
        # Neither ours nor derived events count.
        event("own", at, plan="free"), event("own", at + timedelta(seconds=1), plan="pro", n=5, **ours),
        event("derived", at, plan="free"), event("derived", at + timedelta(seconds=1), "$ai_tag", plan="pro", n=5),
    ]  # fmt: skip
    ingest(events)
    filters = ("plan exact pro", "n gt 4")
    traces, generations = found(lake, [DAY], job("t", *filters), job("g", *filters, level=Level.GENERATION))
    assert traces == {"both", "span"}
    assert generations == {f"both-$ai_generation-{at.isoformat()}"}


def test_a_trace_that_crosses_midnight_is_judged_whole_and_by_its_latest_delivery(lake: Lake, ingest: Ingest) -> None:
    late = datetime(2025, 6, 2, 23, 59, 59, tzinfo=UTC)
    first, second = event("long", late, plan="free"), event("long", late + timedelta(seconds=5), plan="pro")
    ingest([first, second, event("next", late + timedelta(hours=1), plan="pro")])
    pro = job("pro", "plan exact pro")
    assert found(lake, [DAY], pro) == [{"long"}]
    assert found(lake, [TeamDay("acme", date(2025, 6, 3))], pro) == [{"next"}]
    corrected = replace_properties(second, plan="free")
    ingest([corrected], at=NOW + timedelta(days=1))
    assert found(lake, [DAY], pro) == [set()]


def replace_properties(one: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return one | {"properties": one["properties"] | properties}


def test_hostile_filters_change_nothing_in_the_lake(
    lake: Lake, ingest: Ingest, snapshot: Callable[[], dict[str, bytes]]
) -> None:
    """S15: in property, value, job id and team; the table is intact and the match literal."""
    evil = "x') OR 1=1; DROP TABLE items; --"
    at = datetime(2025, 6, 2, 10, tzinfo=UTC)
    ingest([event("t1", at, **{evil: evil}), event("t2", at)])
    before = snapshot()
    one = ClusteringJob(evil, evil, Level.TRACE, (parse_filter(f'"{evil}" exact {evil}'),))
    other = replace(one, filters=(parse_filter(f"{evil.split()[0]} exact {evil}"),))
    assert found(lake, [DAY], one, other) == [{"t1"}, set()]
    assert snapshot() == before
    for team in ("1; DROP", "1e3' OR '1", "０", "-1'"):
        with pytest.raises(InputRejected, match="team"):
            clustering_jobs(team, load_settings())
    for team in ("True", "1e3", "-1", str(2**63)):
        # Names like any other: no team 1 is meant by them.
        ingest([event("of-1", at, plan="pro")], team="1")
        assert found(lake, [TeamDay(team, DAY.day)], job("pro", "plan exact pro")) == [set()]


def test_no_days_no_jobs_no_events(lake: Lake) -> None:
    assert found(lake, [], job("a", "x is_set")) == [set()]
    assert found(lake, [DAY]) == []
    assert found(lake, [DAY], job("a", "x is_set")) == [set()]


# --- estimate ---------------------------------------------------------------------------------


def test_an_estimate_counts_what_the_jobs_want(lake: Lake, events: list[dict[str, Any]]) -> None:
    def stages() -> Counter[str]:
        estimate = EstimateBackfill(lake, source(lake), load_settings(), NOW, LOG).run("acme", DAY.day, DAY.day)
        return Counter({stage.stage: stage.items for stage in estimate.stages})

    plain = stages()
    assert plain["labels"] == 2
    generations = plain["summaries"] - 60
    have(job("four", "$ai_model contains gpt-4"), job("three", "$ai_model exact gpt-3.5-turbo-0125"))
    assert stages() == Counter(summaries=60 + generations, embeddings=60 + generations, labels=3)
    have(job("few", "$ai_model exact gpt-4-0613"), generation=False)
    assert stages() == Counter(summaries=17, embeddings=17, labels=0), "17 are too few to be clustered"
    have(trace=False, generation=False)
    assert stages() == Counter(summaries=0, embeddings=0, labels=0)
