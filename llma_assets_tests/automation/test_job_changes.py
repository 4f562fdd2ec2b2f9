"""Which runs a change of clustering jobs makes due: those that it concerns, and no other."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import dagster as dg
import pytest

from llma_assets.automation.discovery import is_clusterable, plan_team
from llma_assets.automation.schedules import daily_clusters, hourly_summaries
from llma_assets.clustering_jobs import ClusteringJob
from llma_assets.clustering_jobs.edit import edit_jobs
from llma_assets.clustering_jobs.filters import parse_filter
from llma_assets.clustering_jobs.job import TeamJobs
from llma_assets.definitions import resources
from llma_assets.lake import Lake
from llma_assets.partitions import TEAM_PARTITIONS_NAME
from llma_assets.settings import load_settings
from llma_assets.sources.lake_event_source import lake_event_source
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import Level
from llma_assets_tests.automation.test_discovery import questions, settle, tick
from llma_assets_tests.real_traces import NOW

AT = datetime(2026, 3, 9, 10, tzinfo=UTC)
DAY = TeamDay("acme", date(2026, 3, 9))
# 21 of the 25 questions of a day.
EVEN = ClusteringJob("even", "Even", Level.TRACE, (parse_filter("distinct_id regex ^p[0-9]$|^p1|^p20"),))
NO_GENERATIONS = ((Level.GENERATION, False),)
OFF = ((Level.TRACE, False), (Level.GENERATION, False))


def have(*own: ClusteringJob, defaults: tuple[tuple[Level, bool], ...] = (), team: str = "acme") -> None:
    edit_jobs(team, load_settings(), lambda _: TeamJobs(own, defaults))


def plan(lake: Lake) -> Any:
    return plan_team("acme", lake, lake_event_source(load_settings()), load_settings(), NOW)


def due(lake: Lake) -> list[str]:
    return [f"{due_run.job} {due_run.team_day}" for due_run in plan(lake).due]


def test_each_change_asks_for_what_it_concerns(
    ingest: Callable[..., Any], instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_CLUSTER_METHOD", "kmeans")
    ingest(questions(25))
    ingest(questions(3), "other")
    settle(instance)
    both = ["summarize_traces 2026-03-09|acme", "cluster_traces 2026-03-09|acme"]

    have(EVEN, defaults=NO_GENERATIONS)
    assert settle(instance)[0] == both
    (run,) = lake.read("cluster_assignments", DAY).to_pylist()
    assert (run["clustering_run_id"], run["items_in_window"]) == ("acme_trace_20260310_000000_even", 21)
    (event,) = lake.read("cluster_events", DAY).to_pylist()
    assert '"$ai_clustering_job_id":"even"' in event["properties"].replace(": ", ":")
    assert set(lake.read("cluster_lineage", DAY)["job_id"].to_pylist()) == {"even"}

    # Another name: the summaries are what they were.
    have(replace(EVEN, name="Not odd"), defaults=NO_GENERATIONS)
    assert due(lake) == both[1:]
    # Another team's jobs and a job that is disabled change nothing.
    have(EVEN, replace(EVEN, job_id="x", name="X", enabled=False), defaults=NO_GENERATIONS)
    have(EVEN, team="third")
    assert due(lake) == []
    # A wider filter: summaries first, whatever the cluster run then finds.
    have(replace(EVEN, filters=()), defaults=NO_GENERATIONS)
    assert due(lake) == both[:1]

    have(defaults=OFF)
    assert settle(instance)[0] == both
    found = plan(lake)
    assert (found.waiting, found.due, found.settled) == ({DAY: "job_disabled"}, [], True)
    for table in ("embeddings", "cluster_labels", "cluster_events", "cluster_lineage", "cluster_metrics"):
        assert lake.read(table, DAY).num_rows == 0, table
    assert not is_clusterable(lake, DAY, load_settings())
    have()
    assert due(lake) == both[:1]


def test_a_wrong_file_is_told_and_stops_no_other_team(
    ingest: Callable[..., Any], instance_on_disk: dg.DagsterInstance
) -> None:
    for team in ("acme", "other"):
        ingest(questions(3), team)
    load_settings().jobs_path.write_text("teams: {acme: {jobs: [{id: a}]}}")
    result = tick(instance_on_disk)
    assert [request.partition_key for request in result.run_requests] == ["2026-03-09|other"]
    instance_on_disk.add_dynamic_partitions(TEAM_PARTITIONS_NAME, ["acme", "other"])
    outside = resources(load_settings())
    at = AT + timedelta(days=1)
    with dg.build_schedule_context(
        instance_on_disk, at, resources={name: outside[name] for name in ("lake", "event_source")}
    ) as context:
        requests = list(cast("Iterator[Any]", hourly_summaries(context)))
        assert [request.partition_key for request in requests] == ["2026-03-09|other"]
    with dg.build_schedule_context(instance_on_disk, at, resources={"lake": outside["lake"]}) as context:
        assert list(cast("Iterator[Any]", daily_clusters(context))) == []
