"""Tables that a person looks at first: a day's clusters, and what changed since the run before."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from llma_assets.clustering.result import NOISE
from llma_assets.lake import Lake
from llma_assets.lineage.edge import Change
from llma_assets.readers.cluster_names import ClusterNames
from llma_assets.readers.run_facts import subject_of
from llma_assets.readers.run_rows import RunKey
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.cluster_labels import ClusterLabelRow
from llma_assets.tables.cluster_lineage import LineageEdgeRow
from llma_assets.tables.cluster_metrics import ClusterMetricsRow
from llma_assets.vocabulary import MetricsKind

_CLUSTERS = pa.schema(
    [
        ("cluster", pa.string()), ("items", pa.int64()), ("share", pa.string()), ("change", pa.string()),
        ("before", pa.int64()), ("cost_usd", pa.float64()), ("errors", pa.string()), ("level", pa.string()),
    ]
)  # fmt: skip
_CHANGES = pa.schema(
    [
        ("change", pa.string()), ("cluster", pa.string()), ("items", pa.int64()), ("before", pa.int64()),
        ("out_of", pa.string()), ("level", pa.string()),
    ]
)  # fmt: skip
# What is news comes first.
_ORDER = (Change.BORN, Change.SPLIT, Change.MERGED, Change.DIED)


def clusters_table(
    runs: Sequence[ClusteringRunRow],
    labels: Sequence[ClusterLabelRow],
    metrics: Sequence[ClusterMetricsRow],
    edges: Sequence[LineageEdgeRow],
) -> pa.Table:
    """The clusters of a day's runs, trace level first, largest first, noise last.

    Args:
        runs: rows of `cluster_assignments`.
        labels, metrics, edges: rows of `cluster_labels`, `cluster_metrics` and `cluster_lineage`, of these runs.
    """
    rows: list[dict[str, Any]] = []
    for run in sorted(runs, key=subject_of, reverse=True):
        key = RunKey.of(run)
        measured = {row["cluster_id"]: row for row in key.rows(metrics) if row["kind"] == MetricsKind.CLUSTER}
        before = {edge["cluster_id"]: edge for edge in key.rows(edges) if edge["change"] == Change.KEPT}
        came = {edge["cluster_id"]: edge["change"] for edge in key.rows(edges)}
        for label in sorted(key.rows(labels), key=lambda row: (row["cluster_id"] == NOISE, -row["size"])):
            cluster_id = label["cluster_id"]
            figures, kept = measured.get(cluster_id), before.get(cluster_id)
            rate = figures["error_rate"] if figures else None
            rows.append(
                {
                    "cluster": label["title"],
                    "items": label["size"],
                    "share": f"{label['size'] / run['items_analyzed']:.1%}",
                    "change": kept["change"] if kept else came.get(cluster_id),
                    "before": kept["earlier_size"] if kept else None,
                    "cost_usd": figures["total_cost"] if figures else None,
                    "errors": None if rate is None else f"{rate:.1%}",
                    "level": subject_of(run),
                }
            )
    return pa.Table.from_pylist(rows, _CLUSTERS)


def changes_table(
    lake: Lake,
    runs: Sequence[ClusteringRunRow],
    labels: Sequence[ClusterLabelRow],
    edges: Sequence[LineageEdgeRow],
    min_users: int = 0,
) -> pa.Table:
    """What was born, split, merged and died since the run before; empty for a run that is compared with none.

    `before` counts the items of the earlier cluster: of that which died, or that a new one comes `out_of`.

    Args:
        min_users: the minimum of distinct users, which `labels` meet.
    """
    rows: list[dict[str, Any]] = []
    for run in sorted(runs, key=subject_of, reverse=True):
        key = RunKey.of(run)
        titles = {row["cluster_id"]: row["title"] for row in key.rows(labels)}
        found = [edge for edge in key.rows(edges) if edge["change"] in _ORDER and edge["earlier_date"] is not None]
        before = RunKey.before(found[0]) if found else None
        titles_before = ClusterNames(lake, min_users).titles(before) if before else {}
        for edge in sorted(found, key=lambda edge: (_ORDER.index(Change(edge["change"])), -_size(edge))):
            was = _title(titles_before, edge["earlier_cluster_id"])
            has_died = edge["cluster_id"] is None
            rows.append(
                {
                    "change": edge["change"],
                    "cluster": was if has_died else _title(titles, edge["cluster_id"]),
                    "items": edge["size"],
                    "before": edge["earlier_size"],
                    "out_of": None if has_died else was,
                    "level": subject_of(run),
                }
            )
    return pa.Table.from_pylist(rows, _CHANGES)


def _size(edge: LineageEdgeRow) -> int:
    """Of the cluster that there is now, or of that which died."""
    return edge["size"] or edge["earlier_size"] or 0


def _title(titles: Mapping[int, str], cluster_id: int | None) -> str | None:
    return None if cluster_id is None else titles.get(cluster_id)
