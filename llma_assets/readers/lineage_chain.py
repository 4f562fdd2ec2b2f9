"""The lineage of the clusters of one run, followed back through the lake as the view `cluster_lineages` does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow.compute as pc

from llma_assets.errors import PartitionMissing
from llma_assets.lake import Lake
from llma_assets.lineage.edge import Change
from llma_assets.lineage.identity import lineage_id
from llma_assets.team_day import TeamDay

# A run back costs the reading of two small files. A lineage of more runs than these has no id in the event: one
# that is cut off would get another id every day. The view knows no bound.
MAX_RUNS = 1_000
_PRECEDENCE = (Change.KEPT, Change.MERGED, Change.SPLIT, Change.BORN)
_COLUMNS = [
    "clustering_run_id",
    "content_hash",
    "change",
    "cluster_id",
    "earlier_clustering_run_id",
    "earlier_date",
    "earlier_content_hash",
    "earlier_cluster_id",
]


def lineages(lake: Lake, run: dict[str, Any], max_runs: int = MAX_RUNS) -> dict[int, dict[str, Any]]:
    """What is known of the lineage of each cluster of `run`, a row of `cluster_assignments`.

    Returns:
        By cluster id: `lineage_id` and `first_seen` (a date), both None where the lineage is too long; `change`, how
        the cluster came to be in this run; `is_new_topic`, whether the first cluster of the lineage was born beside
        clusters of an earlier run.

    Raises:
        PartitionMissing: the day's lineage was never written, or is of other clusters.
    """
    found: dict[int, dict[str, Any]] = {}
    # The cluster of today that each open end leads to.
    open_ends: dict[int, int] = {}
    steps = _runs_back(lake, run)
    for number, (run_id, day, edges) in enumerate(steps):
        if number == 0:
            if edges is None:
                raise PartitionMissing(f"cluster_lineage {run['date']}|{run['team_id']} is of other clusters")
            for edge in edges:
                if edge["cluster_id"] is not None:
                    change = _first_change(edges, edge["cluster_id"])
                    unknown = {"lineage_id": None, "first_seen": None, "is_new_topic": False}
                    found[edge["cluster_id"]] = unknown | {"change": change}
            open_ends = {cluster_id: cluster_id for cluster_id in found}
        before = {edge["cluster_id"]: edge["earlier_cluster_id"] for edge in edges or [] if _is_kept(edge)}
        for cluster_id, today in open_ends.items():
            if cluster_id not in before:
                found[today] |= {
                    "lineage_id": lineage_id(run_id, cluster_id),
                    "first_seen": day,
                    "is_new_topic": _is_new_topic(edges or [], cluster_id),
                }
        open_ends = {before[end]: today for end, today in open_ends.items() if end in before}
        if not open_ends or number + 1 >= max_runs:
            break
    return found


@dataclass(frozen=True, slots=True)
class PassedRun:
    """A run on the way back from another one.

    Attributes:
        lineage_of: lineage, and the day that it was first seen on, of each cluster that has edges; None for both where
            the way back is too long. A run without edges begins every lineage of its clusters.
    """

    run_id: str
    day: date
    lineage_of: dict[int, tuple[str | None, date | None]] = field(default_factory=dict)


def way_back(lake: Lake, run: dict[str, Any], since: date, max_runs: int = MAX_RUNS) -> list[PassedRun]:
    """`run`, the run that it was compared with, and those before that one which are not older than `since`.

    The way is walked once for all of them, as far back as one of their clusters was kept.
    """
    passed: list[PassedRun] = []
    # Where the cluster of a passed run, by its place in `passed`, was in the run at hand.
    open_ends: dict[tuple[int, int], int] = {}
    for number, (run_id, day, edges) in enumerate(_runs_back(lake, run)):
        is_passed = number <= 1 or day >= since
        if is_passed:
            passed.append(PassedRun(run_id, day))
            ids = {edge["cluster_id"] for edge in edges or []} - {None}
            open_ends |= {(len(passed) - 1, cluster_id): cluster_id for cluster_id in ids}
        before = {edge["cluster_id"]: edge["earlier_cluster_id"] for edge in edges or [] if _is_kept(edge)}
        for (place, cluster_id), end in open_ends.items():
            passed[place].lineage_of[cluster_id] = (None, None) if end in before else (lineage_id(run_id, end), day)
        open_ends = {place: before[end] for place, end in open_ends.items() if end in before}
        if number + 1 >= max_runs or not (open_ends or is_passed):
            break
    return passed


def _runs_back(lake: Lake, run: dict[str, Any]) -> Iterator[tuple[str, date, list[dict[str, Any]] | None]]:
    """The run and those before it, newest first, each with its day and edges; None for the last if it has none."""
    run_id: str = run["clustering_run_id"]
    team, day, content_hash = run["team_id"], run["date"], run["content_hash"]
    while True:
        edges = _edges(lake, TeamDay(team, day), run_id, content_hash)
        before = edges[0] if edges else None
        if before is None or before["earlier_date"] is None:
            yield run_id, day, edges
            return
        day_before, id_before = before["earlier_date"], before["earlier_clustering_run_id"]
        if not _is_present(lake, TeamDay(team, day_before), id_before, before["earlier_content_hash"]):
            # Made between other clusters than there are now: they lead nowhere.
            yield run_id, day, [edge | {"earlier_cluster_id": None, "change": Change.BORN} for edge in edges or []]
            return
        yield run_id, day, edges
        day, run_id, content_hash = day_before, id_before, before["earlier_content_hash"]


def _edges(lake: Lake, team_day: TeamDay, run_id: str, content_hash: str) -> list[dict[str, Any]] | None:
    if not lake.exists("cluster_lineage", team_day):
        return None
    rows = lake.read("cluster_lineage", team_day, _COLUMNS)
    of_run = pc.and_(pc.equal(rows["clustering_run_id"], run_id), pc.equal(rows["content_hash"], content_hash))
    return rows.filter(of_run).to_pylist() or None


def _is_present(lake: Lake, team_day: TeamDay, run_id: str, content_hash: str) -> bool:
    if not lake.exists("cluster_assignments", team_day):
        return False
    rows = lake.read("cluster_assignments", team_day, ["clustering_run_id", "content_hash"]).to_pylist()
    return {"clustering_run_id": run_id, "content_hash": content_hash} in rows


def _is_new_topic(edges: list[dict[str, Any]], cluster_id: int) -> bool:
    """Whether the cluster was born in a run that had clusters to compare with."""
    own = {edge["change"] for edge in edges if edge["cluster_id"] == cluster_id}
    return own == {Change.BORN} and any(edge["earlier_cluster_id"] is not None for edge in edges)


def _is_kept(edge: dict[str, Any]) -> bool:
    return edge["change"] == Change.KEPT


def _first_change(edges: list[dict[str, Any]], cluster_id: int) -> str:
    """How the cluster came to be: a kept one may have taken in others as well."""
    changes = {edge["change"] for edge in edges if edge["cluster_id"] == cluster_id}
    return next(str(change) for change in _PRECEDENCE if change in changes)
