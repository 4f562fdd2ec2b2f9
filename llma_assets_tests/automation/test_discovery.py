"""Which runs are due: once for each content, never for idle, empty or small teams, never for our own events."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from llma_assets.automation.discovery import plan_team, select_teams
from llma_assets.automation.schedules import daily_clusters, hourly_summaries
from llma_assets.automation.team_discovery_sensor import team_discovery_sensor
from llma_assets.definitions import resources
from llma_assets.instance import execute
from llma_assets.lake import Lake
from llma_assets.partitions import TEAM_PARTITIONS_NAME, team_day_of
from llma_assets.resources.clock import Clock
from llma_assets.settings import load_settings
from llma_assets.sources.lake_event_source import lake_event_source
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import embed, finish_day, summarize

Ingest = Callable[..., Any]
AT = datetime(2026, 3, 9, 10, tzinfo=UTC)


def tick(instance: dg.DagsterInstance, cursor: str | None = None, now: datetime = NOW) -> Any:
    """One evaluation of the sensor; what it asks to register is registered, as the daemon would."""
    outside = resources(load_settings(), Clock(fixed=now.isoformat()))
    needed = {name: outside[name] for name in ("lake", "event_source", "clock")}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=needed) as context:
        result: Any = team_discovery_sensor(context)
    for request in result.dynamic_partitions_requests or []:
        instance.add_dynamic_partitions(TEAM_PARTITIONS_NAME, request.partition_keys)
    return result


def run(instance: dg.DagsterInstance, requests: list[dg.RunRequest]) -> list[bool]:
    """Run what was requested, as the daemon would, and tell which runs succeeded."""
    return [
        execute(
            r.job_name or "", team_day_of(r.partition_key or ""), instance, tags=r.tags, log_level="CRITICAL"
        ).success
        for r in requests
    ]


def run_stages(_: dg.DagsterInstance, requests: list[dg.RunRequest]) -> None:
    """The stages of what was requested, without Dagster: a fifth of the time."""
    settings = load_settings()
    lake = Lake(settings.lake)
    for request in requests:
        day = team_day_of(request.partition_key or "")
        if request.job_name == "summarize_traces":
            summarize(lake, day)
            embed(lake, day)
        else:
            finish_day(lake, day, settings.cluster_method)


def settle(instance: dg.DagsterInstance, by: Callable[..., Any] = run_stages) -> tuple[list[str], str | None]:
    """Tick and run until nothing is due; the jobs that ran, and the cursor."""
    jobs: list[str] = []
    cursor: str | None = None
    for _ in range(12):
        result = tick(instance, cursor)
        cursor = result.cursor
        if not result.run_requests:
            return jobs, cursor
        jobs += [f"{request.job_name} {request.partition_key}" for request in result.run_requests]
        by(instance, result.run_requests)
    raise AssertionError(f"the sensor never rests: {jobs}")


def questions(
    count: int, day: datetime = AT, text: str = "How can I change the billing address of order"
) -> list[dict[str, Any]]:
    return [
        {
            "uuid": f"u{day.date()}-{n}",
            "event": "$ai_generation",
            "distinct_id": f"p{n}",
            "timestamp": (day + timedelta(seconds=n)).isoformat(),
            "properties": {"$ai_trace_id": f"t{day.date()}-{n}", "$ai_input": f"{text} {n}?" if text else None},
        }
        for n in range(count)
    ]  # fmt: skip


def test_discover_summarize_cluster_then_rest(ingest: Ingest, instance: dg.DagsterInstance, lake: Lake) -> None:
    ingest(demo_events("assistant", 30, "2025-06-02"))
    first = tick(instance)
    assert [r.job_name for r in first.run_requests] == ["summarize_traces"]
    assert instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME) == ["acme"]
    jobs, cursor = settle(instance, run)
    assert jobs == ["summarize_traces 2025-06-02|acme", "cluster_traces 2025-06-02|acme"]
    assert lake.read("cluster_events", TeamDay("acme", date(2025, 6, 2))).num_rows == 2
    assert tick(instance, cursor).run_requests == []
    # A new cursor must not ask again either: the lake says what is done.
    assert tick(instance, None).run_requests == []


def test_a_small_team_is_summarized_and_told_why_it_is_not_clustered(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake
) -> None:
    ingest(questions(12))
    jobs, _ = settle(instance)
    assert jobs == ["summarize_traces 2026-03-09|acme"]
    settings, source = load_settings(), lake_event_source(load_settings())
    plan = plan_team("acme", lake, source, settings, NOW)
    assert plan.waiting == {TeamDay("acme", date(2026, 3, 9)): "too_few_items (12 of 20)"}
    assert plan.settled


def test_a_team_whose_every_trace_is_empty_is_asked_once(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake
) -> None:
    ingest(questions(25, text=""))
    first = tick(instance)
    assert run(instance, first.run_requests) == [False]
    assert tick(instance, first.cursor).run_requests == []
    assert tick(instance).run_requests == []
    assert not lake.exists("embeddings", TeamDay("acme", date(2026, 3, 9)))
    # Something changes: asked again.
    ingest(questions(1, AT + timedelta(hours=1), "A question at last"), at=NOW + timedelta(hours=1))
    assert [r.job_name for r in tick(instance, first.cursor).run_requests] == ["summarize_traces"]


def test_own_events_never_make_a_team_eligible(ingest: Ingest, instance: dg.DagsterInstance) -> None:
    derived = [
        {
            "uuid": f"d{n}",
            "event": event,
            "distinct_id": "x",
            "timestamp": AT.isoformat(),
            "properties": {"$ai_trace_id": "t"},
        }
        for n, event in enumerate(["$ai_trace_summary", "$ai_generation_summary", "$ai_trace_clusters", "$ai_tag"])
    ]
    ingest(derived)
    result = tick(instance)
    assert result.run_requests == []
    assert not result.dynamic_partitions_requests
    assert json.loads(result.cursor)["settled"].keys() == {"acme"}


def test_late_events_ask_for_that_day_and_the_windows_that_hold_it(
    ingest: Ingest, instance: dg.DagsterInstance
) -> None:
    for n in range(3):
        ingest(questions(22, AT - timedelta(days=n)))
    _, cursor = settle(instance)
    late = questions(1, AT - timedelta(days=1), "A late question about parking")
    late[0] |= {"uuid": "late"}
    late[0]["properties"]["$ai_trace_id"] = "late"
    ingest(late)
    jobs, _ = settle(instance)
    assert jobs == [
        "summarize_traces 2026-03-08|acme",
        "cluster_traces 2026-03-08|acme",
        "cluster_traces 2026-03-09|acme",
    ]
    assert cursor is not None


def test_days_of_a_lake_from_before_clusters_were_measured_are_run_once_more(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake
) -> None:
    """F36: what a view told by itself then is in a table now."""
    ingest(questions(22))
    settle(instance)
    metrics = Path(lake.path("cluster_metrics", TeamDay("acme", date(2026, 3, 9))))
    events = Path(lake.path("cluster_events", TeamDay("acme", date(2026, 3, 9))))
    before = metrics.read_bytes(), events.read_bytes()
    metrics.unlink()
    jobs, _ = settle(instance)
    assert jobs == ["cluster_traces 2026-03-09|acme"]
    assert (metrics.read_bytes(), events.read_bytes()) == before


def test_a_day_that_loses_its_input_becomes_empty_and_its_events_go(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake
) -> None:
    """F28: rerun with an emptied source."""
    ingest(questions(25))
    settle(instance, run)
    day = TeamDay("acme", date(2026, 3, 9))
    assert lake.read("cluster_events", day).num_rows > 0
    for path in lake.files("trace_events", day):
        Path(path).unlink()
    jobs, cursor = settle(instance, run)
    assert jobs == ["summarize_traces 2026-03-09|acme", "cluster_traces 2026-03-09|acme"]
    for table in ("trace_summaries", "embeddings", "cluster_labels", "cluster_events"):
        assert lake.read(table, day).num_rows == 0, table
    assert tick(instance, cursor).run_requests == []


def test_a_tick_is_bounded_and_the_next_goes_on(
    ingest: Ingest, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_MAX_REQUESTS_PER_TICK", "3")
    for team in ("a", "b"):
        for n in range(4):
            ingest(questions(2, AT - timedelta(days=n)), team)
    first = tick(instance)
    second = tick(instance, first.cursor)
    assert [len(r.run_requests) for r in (first, second)] == [3, 3]
    assert {r.partition_key.partition("|")[2] for r in first.run_requests} == {"a"}
    assert "b" in {r.partition_key.partition("|")[2] for r in second.run_requests}


def test_an_active_run_is_not_asked_for_again_and_a_failing_one_three_times(
    ingest: Ingest,
    instance: dg.DagsterInstance,
) -> None:
    ingest(questions(5))
    keys = []
    for _ in range(5):
        (request,) = tick(instance).run_requests or [None]
        if request is None:
            break
        keys.append(request.run_key)
        instance.add_run(
            dg.DagsterRun(job_name="summarize_traces", status=dg.DagsterRunStatus.STARTED, tags=dict(request.tags))
        )
        assert tick(instance).run_requests == []
        (active,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        instance.report_run_failed(active)
    assert len(keys) == len(set(keys)) == 3


def test_one_broken_team_does_not_stop_the_others(ingest: Ingest, instance: dg.DagsterInstance, lake: Lake) -> None:
    ingest(questions(3), "bad")
    ingest(questions(3), "good")
    Path(lake.files("trace_events", TeamDay("bad", date(2026, 3, 9)))[0]).write_bytes(b"PAR1 not really")
    assert [r.partition_key for r in tick(instance).run_requests] == ["2026-03-09|good"]


def test_a_day_that_is_not_over_waits(ingest: Ingest, instance: dg.DagsterInstance) -> None:
    ingest(questions(3))
    assert tick(instance, now=AT + timedelta(hours=2)).run_requests == []
    assert len(tick(instance, now=AT + timedelta(days=1)).run_requests) == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ["a", "b", "c"]),
        ({"LLMA_TEAMS_ALLOW": "b"}, ["b"]),
        ({"LLMA_TEAMS_SKIP": "a,b"}, ["c"]),
        ({"LLMA_TEAMS_GUARANTEED": "c"}, ["c", "a", "b"]),
        ({"LLMA_TEAMS_GUARANTEED": "c", "LLMA_TEAMS_SKIP": "c"}, ["a", "b"]),
        ({"LLMA_TEAMS_GUARANTEED": "z", "LLMA_TEAMS_ALLOW": "a"}, ["z", "a"]),
        ({"LLMA_TEAMS_SAMPLE_PERCENT": "0", "LLMA_TEAMS_GUARANTEED": "b"}, ["b"]),
    ],
)
def test_which_teams_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: list[str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert select_teams(["c", "a", "b"], load_settings()) == expected


def test_the_sample_of_teams_is_a_share_and_the_same_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_TEAMS_SAMPLE_PERCENT", "30")
    teams = [f"team{n}" for n in range(2_000)]
    chosen = select_teams(teams, load_settings())
    assert 500 < len(chosen) < 700
    assert select_teams(teams[::-1], load_settings()) == chosen


def test_a_source_that_fails_leaves_the_guaranteed_teams(
    ingest: Ingest, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(questions(3), "vip")
    ingest(questions(3), "other")
    monkeypatch.setenv("LLMA_TEAMS_GUARANTEED", "vip")

    def fails(*_: Any) -> list[str]:
        raise OSError("no answer")

    monkeypatch.setattr("llma_assets.sources.lake_event_source.LakeEventSource.teams", fails)
    assert [r.partition_key for r in tick(instance).run_requests] == ["2026-03-09|vip"]


def schedule(instance: dg.DagsterInstance, one: Any, moment: datetime) -> list[str]:
    """The partitions that a schedule asks for at `moment`."""
    outside = resources(load_settings())
    needed = {name: outside[name] for name in one.required_resource_keys}
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=moment, resources=needed) as context:
        return [str(r.partition_key) for r in one(context) or [] if isinstance(r, dg.RunRequest)]


def test_the_hourly_schedule_asks_for_what_finished_and_never_for_idle_teams(
    ingest: Ingest, instance_on_disk: dg.DagsterInstance
) -> None:
    instance_on_disk.add_dynamic_partitions(TEAM_PARTITIONS_NAME, ["a", "idle"])
    late = datetime(2026, 3, 9, 23, 50, tzinfo=UTC)
    over_midnight = questions(2, late)
    over_midnight[1]["timestamp"] = (late + timedelta(minutes=30)).isoformat()
    over_midnight[1]["properties"]["$ai_trace_id"] = over_midnight[0]["properties"]["$ai_trace_id"]
    ingest(questions(3, late - timedelta(hours=9)) + over_midnight, "a")
    assert schedule(instance_on_disk, hourly_summaries, datetime(2026, 3, 9, 13, 40, tzinfo=UTC)) == []
    assert schedule(instance_on_disk, hourly_summaries, datetime(2026, 3, 9, 15, 40, tzinfo=UTC)) == ["2026-03-09|a"]
    summarize(Lake(load_settings().lake), TeamDay("a", date(2026, 3, 9)), now=datetime(2026, 3, 9, 15, 40, tzinfo=UTC))
    embed(Lake(load_settings().lake), TeamDay("a", date(2026, 3, 9)))
    assert schedule(instance_on_disk, hourly_summaries, datetime(2026, 3, 9, 16, 40, tzinfo=UTC)) == []
    # The trace that ran past midnight is finished at 00:50, and asked for at the next full round.
    assert "2026-03-09|a" in schedule(instance_on_disk, hourly_summaries, datetime(2026, 3, 10, 1, 40, tzinfo=UTC))


def test_the_daily_schedule_asks_every_n_days_where_there_is_enough(
    ingest: Ingest, instance_on_disk: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_on_disk.add_dynamic_partitions(TEAM_PARTITIONS_NAME, ["big", "small"])
    first = datetime(2025, 1, 1, 9, tzinfo=UTC)
    for team, count in (("big", 25), ("small", 5)):
        ingest(questions(count, first), team)
        summarize(lake, TeamDay(team, first.date()))
        embed(lake, TeamDay(team, first.date()))
    monkeypatch.setenv("LLMA_INTERVAL_DAYS", "3")
    asked = [schedule(instance_on_disk, daily_clusters, datetime(2025, 1, 2 + n, 2, 30, tzinfo=UTC)) for n in range(6)]
    assert asked == [["2025-01-01|big"], [], [], ["2025-01-04|big"], [], []]


def test_a_stray_folder_or_a_raised_start_date_stops_nobody(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(questions(25), "acme")
    settle(instance)
    Path(lake.root, "trace_events", "team=acme", "date=2026-03-09 copy").mkdir()
    monkeypatch.setenv("LLMA_START_DATE", "2026-03-10")
    assert tick(instance).run_requests == []


def test_a_lowered_minimum_is_seen_at_once(
    ingest: Ingest, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(questions(12))
    _, cursor = settle(instance)
    # Somebody runs it by hand: an empty partition with the reason.
    assert not execute("cluster_traces", TeamDay("acme", date(2026, 3, 9)), instance, log_level="CRITICAL").success
    assert tick(instance, cursor).run_requests == []
    monkeypatch.setenv("LLMA_MIN_ITEMS", "10")
    assert [r.job_name for r in tick(instance, cursor).run_requests] == ["cluster_traces"]


def test_a_manual_run_with_another_window_is_not_undone(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake
) -> None:
    for n in range(3):
        ingest(questions(22, AT - timedelta(days=n)))
    settle(instance)
    config = {"ops": {"cluster_assignments": {"config": {"lookback_days": 2, "method": "kmeans"}}}}
    day = TeamDay("acme", date(2026, 3, 9))
    assert execute("cluster_traces", day, instance, run_config=config, log_level="CRITICAL").success
    assert tick(instance).run_requests == []
    runs = lake.read("cluster_assignments", day).to_pylist()
    # Two days of 22 traces; of the generations 15 an hour were taken.
    assert {(run["method"], run["items_in_window"]) for run in runs} == {("kmeans", 44), ("kmeans", 30)}


@pytest.mark.slow
def test_another_embedder_makes_vectors_again(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(questions(25))
    _, cursor = settle(instance, run)
    monkeypatch.setenv("LLMA_EMBEDDER", "minilm")
    assert [r.job_name for r in tick(instance, cursor).run_requests] == ["summarize_traces"]
    jobs, _ = settle(instance, run)
    assert jobs == ["summarize_traces 2026-03-09|acme", "cluster_traces 2026-03-09|acme"]
    clustered = lake.read("cluster_assignments", TeamDay("acme", date(2026, 3, 9))).to_pylist()[0]
    assert clustered["embedding_model"].startswith("all-MiniLM-L6-v2@")
    assert json.loads(clustered["params"])["embedding_model"] == clustered["embedding_model"]


def test_guaranteed_teams_go_first_also_after_a_full_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_TEAMS_GUARANTEED", "vip")
    assert select_teams(["a", "b", "c"], load_settings(), after="b") == ["vip", "c", "a", "b"]
    assert select_teams(["a", "b", "c"], load_settings(), after="gone") == ["vip", "a", "b", "c"]


def test_an_embedder_chosen_for_one_run_is_known_by_the_partition(
    ingest: Ingest, instance: dg.DagsterInstance, lake: Lake
) -> None:
    ingest(questions(5))
    day = TeamDay("acme", date(2026, 3, 9))
    chosen = {"resources": {"providers": {"config": {"embedder": "minilm"}}}}
    assert execute("summarize_traces", day, instance, run_config=chosen, log_level="CRITICAL").success
    assert set(lake.read("embeddings", day, ["model"])["model"].to_pylist()) == {"all-MiniLM-L6-v2@53aa5117"}
    assert "/minilm:" in (lake.source_version("embeddings", day) or "")
    wrong = {"resources": {"providers": {"config": {"embedder": "word2vec"}}}}
    failed = execute("summarize_traces", day, instance, run_config=wrong, log_level="CRITICAL")
    assert not failed.success
