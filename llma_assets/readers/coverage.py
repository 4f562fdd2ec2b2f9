"""What became of the items of a window, level by level, through all tables."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import pyarrow.compute as pc

from llma_assets.clustering.result import NOISE
from llma_assets.findings import coverage as outcome
from llma_assets.findings.coverage import Coverage
from llma_assets.lake import Lake
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.embeddings import EmbeddingRow
from llma_assets.tables.trace_summaries import TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.versions import run_days
from llma_assets.vocabulary import ItemStatus, Level, Reason

Key = tuple[str, str]
_STATUS = ["date", "level", "item_id", "status", "reason"]


def window_coverage(lake: Lake, source: TraceEventSource, team_day: TeamDay, now: datetime) -> list[Coverage]:
    """The coverage of each level that has a clustering run on the day, over the days that its runs looked at.

    Raises:
        PartitionMissing: the day's clusters were never written.
    """
    runs = lake.read("cluster_assignments", team_day).to_pylist()
    window = run_days(team_day, runs)
    levels = sorted({Level(run["level"]) for run in runs}, reverse=True)
    found = {level: Counter[str]() for level in levels}
    rows = lake.read_days("trace_summaries", window, _STATUS)
    embedded = _by_key(lake.read_days("embeddings", window, _STATUS).to_pylist())
    places = _places(runs)
    for row in rows.to_pylist():
        if row["level"] in found:
            found[row["level"]][_outcome(row, embedded, places)] += 1
    days = {day.day for day in window}
    for stats in source.day_stats(team_day.team, now, levels):
        if stats.day not in days:
            continue
        for level, items in ((Level.TRACE, stats.traces), (Level.GENERATION, stats.generations)):
            if level in found:
                of_day = pc.and_(pc.equal(rows["date"], stats.day), pc.equal(rows["level"], str(level)))
                told = int(pc.sum(of_day).as_py() or 0)
                found[level][outcome.UNACCOUNTED] += max(0, items - told)
    return [
        Coverage(str(level), {name: n for name, n in sorted(counts.items()) if n}) for level, counts in found.items()
    ]


def _by_key(rows: Iterable[EmbeddingRow]) -> dict[Key, EmbeddingRow]:
    return {(row["level"], row["item_id"]): row for row in rows}


def _places(runs: Sequence[ClusteringRunRow]) -> dict[Key, str]:
    """Where each item is: in a cluster of any of its level's runs, or noise. Under (level, ""), why others are nowhere:
    their level has no run, or only runs of a part of the items."""
    places: dict[Key, str] = {}
    takes_all = {run["level"] for run in runs if run["items_analyzed"] and run["job_filters"] in (None, "[]")}
    for run in runs:
        for item in run["items"]:
            key = (run["level"], item["item_id"])
            if item["cluster_id"] != NOISE or key not in places:
                places[key] = outcome.NOISE if item["cluster_id"] == NOISE else outcome.CLUSTERED
        if run["level"] not in takes_all:
            reason = Reason.NOT_IN_ANY_JOB if run["items_analyzed"] else run["reason"]
            places.setdefault((run["level"], ""), f"skipped({reason})")
    return places


def _outcome(row: TraceSummaryRow, embedded: Mapping[Key, EmbeddingRow], places: Mapping[Key, str]) -> str:
    """The one end of an item: of its summary, its vector, or in the clusters."""
    key = (row["level"], row["item_id"])
    for stage, done in ((row, ItemStatus.SUMMARIZED), (embedded.get(key), ItemStatus.EMBEDDED)):
        if stage is None:
            return outcome.UNACCOUNTED
        if stage["status"] != done:
            return f"{stage['status']}({stage['reason']})"
    return places.get(key) or places.get((row["level"], "")) or outcome.UNACCOUNTED
