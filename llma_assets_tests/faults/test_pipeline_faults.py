"""The whole graph under faults: killed anywhere, run twice at once, run twenty at once, shuffled."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llma_assets.lake import Lake
from llma_assets.lake.faults import KILL_POINTS
from llma_assets.team_day import TeamDay
from llma_assets_tests import ROOT
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.pipeline import cluster, embed, run_day, summarize

DAY = date(2025, 6, 2)
Ingest = Callable[..., Any]
Snapshot = Callable[[], dict[str, bytes]]

RUN = f"""
import sys
sys.path.append({str(ROOT)!r})
from datetime import date
from llma_assets_tests.stages.pipeline import run_day
from llma_assets.lake import Lake
run_day(Lake(sys.argv[1]), sys.argv[2], [date.fromisoformat(day) for day in sys.argv[3:]])
"""


def start(lake: Lake, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """The stages of a day in a process of their own."""
    command = [sys.executable, "-c", RUN, lake.url, *arguments]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE)


@pytest.fixture
def undisturbed(ingest: Ingest, lake: Lake, snapshot: Snapshot) -> dict[str, bytes]:
    """The lake after a run that nobody disturbed; the results are removed again."""
    ingest(demo_events("assistant", 30, DAY.isoformat()))
    run_day(lake, "acme", [DAY])
    clean = snapshot()
    forget_results(lake)
    return clean


def forget_results(lake: Lake) -> None:
    for path in Path(lake.root).rglob("part.parquet"):
        path.unlink()


def left_overs(lake: Lake) -> list[str]:
    return [str(path) for path in Path(lake.root).rglob("*.tmp")]


@pytest.mark.on_request
@pytest.mark.parametrize(
    "point",
    # Each point the first time; and the later writes, so that every table's is reached.
    [
        *KILL_POINTS,
        *(f"{point}@{n}" for point in ("after_write", "after_rename") for n in (2, 3, 4, 5, 6)),
    ],
)
def test_killed_at_a_write_point_then_run_again_is_the_same(
    undisturbed: dict[str, bytes], lake: Lake, snapshot: Snapshot, point: str
) -> None:
    """F1, over the whole graph: what is there is whole and right, and a rerun gives the same bytes."""
    killed = start(lake, "acme", DAY.isoformat(), LLMA_KILL_AT=point)
    assert killed.wait() == -9
    for path, content in snapshot().items():
        assert content == undisturbed[path], path
    assert start(lake, "acme", DAY.isoformat()).wait() == 0
    assert snapshot() == undisturbed
    assert left_overs(lake) == []


@pytest.mark.on_request
def test_killed_at_random_moments_then_run_again_is_the_same(
    undisturbed: dict[str, bytes], lake: Lake, snapshot: Snapshot
) -> None:
    """F2: seeded moments over the length of a run, each over what the one before left."""
    generator = random.Random(2)
    for _ in range(6):
        process = start(lake, "acme", DAY.isoformat())
        timer = threading.Timer(generator.uniform(0.6, 2.5), process.kill)
        timer.start()
        process.wait()
        timer.cancel()
        for path, content in snapshot().items():
            assert content == undisturbed[path], path
    assert start(lake, "acme", DAY.isoformat()).wait() == 0
    assert snapshot() == undisturbed
    assert left_overs(lake) == []


def test_finished_summaries_and_vectors_survive_a_kill(ingest: Ingest, lake: Lake) -> None:
    """Nothing finished is computed again: the checkpoint of a killed run is read by the next."""
    ingest(demo_events("assistant", 60, DAY.isoformat()))
    day = TeamDay("acme", DAY)
    process = start(lake, "acme", DAY.isoformat(), LLMA_KILL_AT="after_checkpoint@100")
    assert process.wait() == -9
    assert not lake.exists("trace_summaries", day)
    report = summarize(lake, day)
    assert report.figures["cache_hits"] == 100
    assert report.figures["summaries_generated"] > report.figures["cache_hits"]


@pytest.mark.slow
def test_the_same_partition_twice_at_once_is_the_same(
    undisturbed: dict[str, bytes], lake: Lake, snapshot: Snapshot
) -> None:
    """F8: two processes, one partition."""
    both = [start(lake, "acme", DAY.isoformat()) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert snapshot() == undisturbed


@pytest.mark.on_request
def test_twenty_partitions_in_parallel_are_as_one_after_the_other(
    ingest: Ingest, lake: Lake, snapshot: Snapshot
) -> None:
    """F9: twenty (team, day) partitions, four processes at a time."""
    events = demo_events("assistant", 22, DAY.isoformat())
    teams = [f"team{n:02d}" for n in range(20)]
    for team in teams:
        ingest(events, team)
    for team in teams:
        run_day(lake, team, [DAY])
    serial = snapshot()
    forget_results(lake)
    for at in range(0, len(teams), 4):
        group = [start(lake, team, DAY.isoformat()) for team in teams[at : at + 4]]
        assert [process.wait() for process in group] == [0] * 4
    assert snapshot() == serial


@pytest.mark.on_request
@pytest.mark.parametrize(("threads", "seed"), [("1", "0"), ("4", "1"), ("16", "2")])
def test_order_threads_and_hash_seed_change_no_byte(
    undisturbed: dict[str, bytes], lake: Lake, snapshot: Snapshot, threads: str, seed: str
) -> None:
    """F24, over the whole graph."""
    limits = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "LLMA_DUCKDB_THREADS": threads}
    assert start(lake, "acme", DAY.isoformat(), PYTHONHASHSEED=seed, **limits).wait() == 0
    assert snapshot() == undisturbed


@pytest.mark.parametrize(
    "zone",
    [
        "Pacific/Kiritimati",
        *(pytest.param(zone, marks=pytest.mark.slow) for zone in ("America/St_Johns", "Asia/Kathmandu")),
    ],
)
def test_the_host_s_time_zone_changes_no_byte(
    undisturbed: dict[str, bytes], lake: Lake, snapshot: Snapshot, zone: str
) -> None:
    """F21: days and windows are UTC wherever the machine stands."""
    assert start(lake, "acme", DAY.isoformat(), TZ=zone).wait() == 0
    assert snapshot() == undisturbed


def test_adding_a_team_changes_no_byte_of_another(ingest: Ingest, lake: Lake, snapshot: Snapshot) -> None:
    ingest(demo_events("assistant", 25, DAY.isoformat()))
    run_day(lake, "acme", [DAY])
    before = snapshot()
    ingest(demo_events("assistant", 25, "2025-06-03"), "other")
    run_day(lake, "other", [date(2025, 6, 3)])
    after = snapshot()
    assert {path: after[path] for path in before} == before


def test_a_window_with_a_gap_is_refused_by_name(ingest: Ingest, lake: Lake) -> None:
    """F27: a day that was summarized but not embedded is not silently left out."""
    ingest(demo_events("assistant", 30, DAY.isoformat()))
    summarize(lake, TeamDay("acme", DAY))
    with pytest.raises(Exception, match=r"embeddings 2025-06-02\|acme are not made of its present summaries"):
        cluster(lake, TeamDay("acme", DAY))
    with pytest.raises(Exception, match=r"trace_summaries 2025-06-03\|acme has not been written"):
        embed(lake, TeamDay("acme", date(2025, 6, 3)))


def test_the_items_of_a_run_are_the_embedded_ones_each_once(ingest: Ingest, lake: Lake) -> None:
    """Every item of the window ends in one cluster or in the noise, and the event holds them all."""
    start_of_day = datetime(2025, 6, 2, tzinfo=UTC)
    days = [(start_of_day + timedelta(days=n)).date() for n in range(2)]
    for day in days:
        ingest(demo_events("assistant", 20, day.isoformat()))
    run_day(lake, "acme", days)
    last = TeamDay("acme", days[-1])
    (run,) = [row for row in lake.read("cluster_assignments", last).to_pylist() if row["level"] == "trace"]
    embedded = lake.read_days("embeddings", [TeamDay("acme", day) for day in days]).to_pylist()
    assert sorted(i["item_id"] for i in run["items"]) == sorted(e["item_id"] for e in embedded if e["level"] == "trace")
    assert run["items_analyzed"] == run["items_clustered"] + run["items_noise"] == len(run["items"]) == 40
    assert sum(cluster["size"] for cluster in run["clusters"]) == run["items_clustered"]
