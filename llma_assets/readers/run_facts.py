"""The clustering runs of a (team, day) as the rules of `findings` look at them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow.compute as pc

from llma_assets.errors import PartitionMissing
from llma_assets.findings.drift import Drift, drift
from llma_assets.findings.facts import ClusterFacts, RunFacts
from llma_assets.labeling.suppression import suppress_title
from llma_assets.lake import Lake
from llma_assets.readers.lineage_chain import lineages
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import MetricsKind

Row = dict[str, Any]
_LABELS = ["clustering_run_id", "content_hash", "cluster_id", "title", "source", "min_users"]
_METRICS = ["clustering_run_id", "content_hash", "kind", "cluster_id", "error_count"]
_EDGES = [
    "clustering_run_id",
    "content_hash",
    "cluster_id",
    "earlier_cluster_id",
    "earlier_date",
    "earlier_clustering_run_id",
    "earlier_content_hash",
]
_SHAPES = ["clustering_run_id", "content_hash", "items_noise", "clusters"]


def runs_of(lake: Lake, team_day: TeamDay) -> list[Row]:
    """The rows of `cluster_assignments` that hold items."""
    assignments = lake.read("cluster_assignments", team_day)
    runs: list[Row] = assignments.filter(pc.greater(assignments["items_analyzed"], 0)).to_pylist()
    return runs


def run_facts(lake: Lake, team_day: TeamDay, runs: list[Row], min_users: int = 0) -> Iterator[RunFacts]:
    """Facts of each run, with the names that its clusters have.

    Args:
        min_users: the minimum of distinct users.

    Raises:
        PartitionMissing: the day's labels, metrics or lineage were never written, or are of other clusters.
    """
    for run in runs:
        titles = titles_of(lake, team_day, run, min_users)
        metrics = of_run(lake, "cluster_metrics", team_day, _METRICS, run)
        errors = {row["cluster_id"]: row["error_count"] for row in metrics if row["kind"] == MetricsKind.CLUSTER}
        for table, found in (("cluster_labels", titles), ("cluster_metrics", errors)):
            if run["clusters"] and not found:
                raise PartitionMissing(f"{table} {team_day} are of other clusters; run {table} first")
        yield _facts(run, titles, errors, lineages(lake, run))


def _facts(
    run: Row, titles: Mapping[int, str], errors: Mapping[int, int], known: Mapping[int, Mapping[str, Any]]
) -> RunFacts:
    days: dict[int, Counter[date]] = defaultdict(Counter)
    for item in run["items"]:
        days[item["cluster_id"]][item["trace_timestamp"].date()] += 1
    clusters = tuple(
        ClusterFacts(
            cluster_id=one["cluster_id"],
            lineage_id=known[one["cluster_id"]]["lineage_id"],
            first_seen=known[one["cluster_id"]]["first_seen"],
            is_new_topic=known[one["cluster_id"]]["is_new_topic"],
            title=titles[one["cluster_id"]],
            size=one["size"],
            items_by_day=dict(days[one["cluster_id"]]),
            error_count=errors[one["cluster_id"]],
        )
        for one in run["clusters"]
    )
    return RunFacts(
        team=run["team_id"],
        day=run["date"],
        window_start=run["window_start"].date(),
        level=run["level"],
        subject=subject_of(run),
        clustering_run_id=run["clustering_run_id"],
        items_by_day=dict(sum(days.values(), Counter())),
        clusters=clusters,
    )


def titles_of(lake: Lake, team_day: TeamDay, run: Mapping[str, Any], min_users: int) -> dict[int, str]:
    """The name of each cluster, as far as it meets the minimum of users."""
    rows = of_run(lake, "cluster_labels", team_day, _LABELS, run)
    return {row["cluster_id"]: suppress_title(row, min_users) for row in rows}


def subject_of(run: Mapping[str, Any]) -> str:
    """The level of a run, and its clustering job where that is not a default one."""
    return f"{run['level']}/{run['job_id']}" if run["job_id"] else str(run["level"])


def drift_of(lake: Lake, run: Row) -> Drift | None:
    """The drift of a run from the one that its lineage compares it with; None where there is no such run."""
    edges = of_run(lake, "cluster_lineage", TeamDay(run["team_id"], run["date"]), _EDGES, run)
    if not edges or edges[0]["earlier_date"] is None:
        return None
    before = {
        "clustering_run_id": edges[0]["earlier_clustering_run_id"],
        "content_hash": edges[0]["earlier_content_hash"],
    }
    found = of_run(lake, "cluster_assignments", TeamDay(run["team_id"], edges[0]["earlier_date"]), _SHAPES, before)
    if not found:
        return None
    (earlier,) = found
    return drift(
        {one["cluster_id"]: one["size"] for one in run["clusters"]},
        {one["cluster_id"]: one["size"] for one in earlier["clusters"]},
        run["items_noise"],
        earlier["items_noise"],
        [(edge["cluster_id"], edge["earlier_cluster_id"]) for edge in edges],
        _mean_shift(run["clusters"], earlier["clusters"]),
    )


def _mean_shift(later: list[Row], earlier: list[Row]) -> float | None:
    """Cosine distance of the mean vectors of two runs, by their centroids and sizes; None where they do not fit."""
    means = [
        sum(np.asarray(one["centroid"], np.float64) * one["size"] for one in clusters) for clusters in (later, earlier)
    ]
    if any(np.ndim(mean) == 0 for mean in means) or means[0].shape != means[1].shape:
        return None
    norm = float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
    return round(1 - float(means[0] @ means[1]) / norm, 6) if norm else None


def of_run(lake: Lake, table: str, team_day: TeamDay, columns: list[str], run: Mapping[str, Any]) -> list[Row]:
    """Rows of one clustering run, as far as they are about these very clusters; none where nothing was written."""
    if not lake.exists(table, team_day):
        return []
    rows = lake.read(table, team_day, columns)
    of_run = pc.and_(
        pc.equal(rows["clustering_run_id"], run["clustering_run_id"]),
        pc.equal(rows["content_hash"], run["content_hash"]),
    )
    found: list[Row] = rows.filter(of_run).to_pylist()
    return found
