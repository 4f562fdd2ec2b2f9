"""The lineage of the clusters of one run, followed back through the lake as the view `cluster_lineages` does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from llma_assets.errors import PartitionMissing
from llma_assets.lake import Lake
from llma_assets.lineage.edge import Change
from llma_assets.lineage.identity import lineage_id
from llma_assets.readers.run_rows import RunKey, rows_of_run
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS, ClusteringRunRow
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE, LineageEdgeRow

# A run back costs the reading of two small files. A lineage of more runs than these has no id in the event: one
# that is cut off would get another id every day. The view knows no bound.
MAX_RUNS = 1_000
_PRECEDENCE = (Change.KEPT, Change.MERGED, Change.SPLIT, Change.BORN)
_COLUMNS = [
    "team_id",
    "change",
    "cluster_id",
    "earlier_clustering_run_id",
    "earlier_date",
    "earlier_content_hash",
    "earlier_cluster_id",
]


def lineages(lake: Lake, run: ClusteringRunRow, max_runs: int = MAX_RUNS) -> dict[int, dict[str, Any]]:
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
    for number, (key, edges) in enumerate(_runs_back(lake, run)):
        if number == 0:
            if not edges:
                raise PartitionMissing(f"cluster_lineage {run['date']}|{run['team_id']} is of other clusters")
            for edge in edges:
                if edge["cluster_id"] is not None:
                    change = _first_change(edges, edge["cluster_id"])
                    unknown = {"lineage_id": None, "first_seen": None, "is_new_topic": False}
                    found[edge["cluster_id"]] = unknown | {"change": change}
            open_ends = {cluster_id: cluster_id for cluster_id in found}
        before = _kept(edges)
        for cluster_id, today in open_ends.items():
            if cluster_id not in before:
                found[today] |= {
                    "lineage_id": lineage_id(key.clustering_run_id, cluster_id),
                    "first_seen": key.team_day.day,
                    "is_new_topic": _is_new_topic(edges, cluster_id),
                }
        open_ends = {before[end]: today for end, today in open_ends.items() if end in before}
        if not open_ends or number + 1 >= max_runs:
            break
    return found


@dataclass(frozen=True, slots=True)
class LineageRun:
    """A run on the way back from another one.

    Attributes:
        lineage_of: lineage, and the day that it was first seen on, of each cluster that has edges; None for both where
            the way back is too long. A run without edges begins every lineage of its clusters.
    """

    run: RunKey
    lineage_of: dict[int, tuple[str | None, date | None]] = field(default_factory=dict)


def lineage_history(lake: Lake, run: ClusteringRunRow, since: date, max_runs: int = MAX_RUNS) -> list[LineageRun]:
    """`run`, the run that it was compared with, and those before that one which are not older than `since`.

    The way is walked once for all of them, as far back as one of their clusters was kept.
    """
    history: list[LineageRun] = []
    # Where the cluster of a passed run, by its place in `history`, was in the run at hand.
    open_ends: dict[tuple[int, int], int] = {}
    for number, (key, edges) in enumerate(_runs_back(lake, run)):
        run_id, day = key.clustering_run_id, key.team_day.day
        is_wanted = number <= 1 or day >= since
        if is_wanted:
            history.append(LineageRun(key))
            ids = {edge["cluster_id"] for edge in edges if edge["cluster_id"] is not None}
            open_ends |= {(len(history) - 1, cluster_id): cluster_id for cluster_id in ids}
        before = _kept(edges)
        for (place, cluster_id), end in open_ends.items():
            history[place].lineage_of[cluster_id] = (None, None) if end in before else (lineage_id(run_id, end), day)
        open_ends = {place: before[end] for place, end in open_ends.items() if end in before}
        if number + 1 >= max_runs or not (open_ends or is_wanted):
            break
    return history


def _runs_back(lake: Lake, run: ClusteringRunRow) -> Iterator[tuple[RunKey, Sequence[LineageEdgeRow]]]:
    """The run and those before it, newest first, each with its edges; none for the last if it has none."""
    key = RunKey.of(run)
    while True:
        edges = rows_of_run(lake, CLUSTER_LINEAGE, key, _COLUMNS)
        before = RunKey.before(edges[0]) if edges else None
        if before is None:
            yield key, edges
            return
        if not rows_of_run(lake, CLUSTER_ASSIGNMENTS, before, []):
            # Made between other clusters than there are now: they lead nowhere.
            yield key, [{**edge, "earlier_cluster_id": None, "change": Change.BORN} for edge in edges]
            return
        yield key, edges
        key = before


def _is_new_topic(edges: Sequence[LineageEdgeRow], cluster_id: int) -> bool:
    """Whether the cluster was born in a run that had clusters to compare with."""
    own = {edge["change"] for edge in edges if edge["cluster_id"] == cluster_id}
    return own == {Change.BORN} and any(edge["earlier_cluster_id"] is not None for edge in edges)


def _kept(edges: Sequence[LineageEdgeRow]) -> dict[int, int]:
    """The earlier cluster of each that was kept."""
    ends = ((edge["cluster_id"], edge["earlier_cluster_id"]) for edge in edges if edge["change"] == Change.KEPT)
    return {later: earlier for later, earlier in ends if later is not None and earlier is not None}


def _first_change(edges: Sequence[LineageEdgeRow], cluster_id: int) -> str:
    """How the cluster came to be: a kept one may have taken in others as well."""
    changes = {edge["change"] for edge in edges if edge["cluster_id"] == cluster_id}
    return next(str(change) for change in _PRECEDENCE if change in changes)
