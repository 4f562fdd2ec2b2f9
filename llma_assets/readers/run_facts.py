"""The clustering runs of a (team, day) as the rules of `findings` look at them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from llma_assets.errors import PartitionMissing
from llma_assets.findings.drift import Drift, drift
from llma_assets.findings.facts import ClusterFacts, RunFacts
from llma_assets.lake import Lake
from llma_assets.readers.cluster_names import ClusterNames
from llma_assets.readers.lineage_chain import lineages
from llma_assets.readers.run_rows import RunKey, rows_of_run
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS, ClusteringRunRow, ClusterRow
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE
from llma_assets.tables.cluster_metrics import CLUSTER_METRICS
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import MetricsKind

_METRICS = ["kind", "cluster_id", "error_count"]
_EDGES = ["team_id", "cluster_id", "earlier_cluster_id", "earlier_date", "earlier_clustering_run_id"]
_EDGES += ["earlier_content_hash"]
_SHAPES = ["items_noise", "clusters"]


def run_facts(
    lake: Lake, team_day: TeamDay, runs: Sequence[ClusteringRunRow], min_users: int = 0
) -> Iterator[RunFacts]:
    """Facts of each run, with the names that its clusters have.

    Args:
        min_users: the minimum of distinct users.

    Raises:
        PartitionMissing: the day's labels, metrics or lineage were never written, or are of other clusters.
    """
    for run in runs:
        titles = ClusterNames(lake, min_users).titles(RunKey.of(run))
        metrics = rows_of_run(lake, CLUSTER_METRICS, RunKey.of(run), _METRICS)
        errors = {row["cluster_id"]: row["error_count"] for row in metrics if row["kind"] == MetricsKind.CLUSTER}
        for table, found in (("cluster_labels", titles), ("cluster_metrics", errors)):
            if run["clusters"] and not found:
                raise PartitionMissing(f"{table} {team_day} are of other clusters; run {table} first")
        yield _facts(run, titles, errors, lineages(lake, run))


def _facts(
    run: ClusteringRunRow,
    titles: Mapping[int, str],
    errors: Mapping[int | None, int],
    known: Mapping[int, Mapping[str, Any]],
) -> RunFacts:
    days: dict[int, Counter[date]] = defaultdict(Counter)
    for item in run["items"]:
        days[item["cluster_id"]][item["trace_timestamp"].date()] += 1
    clusters = tuple(
        ClusterFacts(
            cluster_id=cluster["cluster_id"],
            lineage_id=known[cluster["cluster_id"]]["lineage_id"],
            first_seen=known[cluster["cluster_id"]]["first_seen"],
            is_new_topic=known[cluster["cluster_id"]]["is_new_topic"],
            title=titles[cluster["cluster_id"]],
            size=cluster["size"],
            items_by_day=dict(days[cluster["cluster_id"]]),
            error_count=errors[cluster["cluster_id"]],
        )
        for cluster in run["clusters"]
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


def subject_of(run: ClusteringRunRow) -> str:
    """The level of a run, and its clustering job where that is not a default one."""
    return f"{run['level']}/{run['job_id']}" if run["job_id"] else str(run["level"])


def drift_of(lake: Lake, run: ClusteringRunRow) -> Drift | None:
    """The drift of a run from the one that its lineage compares it with; None where there is no such run."""
    edges = rows_of_run(lake, CLUSTER_LINEAGE, RunKey.of(run), _EDGES)
    before = RunKey.before(edges[0]) if edges else None
    found = rows_of_run(lake, CLUSTER_ASSIGNMENTS, before, _SHAPES) if before else []
    if not found:
        return None
    (earlier,) = found
    return drift(
        {cluster["cluster_id"]: cluster["size"] for cluster in run["clusters"]},
        {cluster["cluster_id"]: cluster["size"] for cluster in earlier["clusters"]},
        run["items_noise"],
        earlier["items_noise"],
        [(edge["cluster_id"], edge["earlier_cluster_id"]) for edge in edges],
        _mean_shift(run["clusters"], earlier["clusters"]),
    )


def _mean_shift(later: Sequence[ClusterRow], earlier: Sequence[ClusterRow]) -> float | None:
    """Cosine distance of the mean vectors of two runs, by their centroids and sizes; None where they do not fit."""
    if not later or not earlier:
        return None
    means = [
        np.sum([np.asarray(cluster["centroid"], np.float64) * cluster["size"] for cluster in clusters], axis=0)
        for clusters in (later, earlier)
    ]
    if means[0].shape != means[1].shape:
        return None
    norm = float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
    return round(1 - float(means[0] @ means[1]) / norm, 6) if norm else None
