"""Whether a cluster keeps the name that it had in the run before, and if not, why it gets another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from llma_assets.labeling.label import ClusterEvidence
from llma_assets.labeling.minimum_users import is_suppressed
from llma_assets.labeling.response import is_grounded
from llma_assets.lineage.edge import Change
from llma_assets.tables.cluster_labels import ClusterLabelRow
from llma_assets.tables.cluster_lineage import LineageEdgeRow

# Members in common with the run before; two thirds of two equally large clusters are a Jaccard index of .5.
NAME_JACCARD = 0.5
# Of the centroids of now and of when the name was made. Measured in benchmarks/lineage.py: two groups of 15 of one
# intent lie above it, one of the nearest other intent below, and many small steps add up to losing the name. Small
# clusters are named anew more often than they need be: a name that is made again does less harm than a false one.
NAME_COSINE = 0.9


class NameReason(StrEnum):
    """Why a cluster has its name. All but the first and the last two: it was named in this run."""

    KEPT = "kept"
    NEW_CLUSTER = "new_cluster"
    SPLIT = "split"
    MERGED = "merged"
    CONTENT_CHANGED = "content_changed"
    BETTER_SOURCE = "better_source"
    LABELER_CHANGED = "labeler_changed"
    EARLIER_UNNAMED = "earlier_unnamed"
    NOISE = "noise"
    TOO_FEW_USERS = "too_few_users"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a cluster comes from, and what that was called.

    Attributes:
        edge: a row of `cluster_lineage`: of the cluster that it was kept from, else of the one that it shares most
            members with; None for one that was born.
        label: the row of `cluster_labels` of that cluster; None where it has none.
        others: what else happened to the two: changes of their other edges.
    """

    edge: LineageEdgeRow | None
    label: ClusterLabelRow | None
    others: frozenset[str] = frozenset()

    @property
    def title(self) -> str | None:
        """What the earlier cluster was called."""
        return self.label["title"] if self.label else None


def origins(
    edges: Sequence[LineageEdgeRow], labels: Mapping[int, ClusterLabelRow], cluster_ids: Sequence[int]
) -> dict[int, Origin]:
    """The origin of each cluster of a run.

    Args:
        edges: the run's rows of `cluster_lineage`.
        labels: rows of `cluster_labels` of the earlier run, by cluster id.
        cluster_ids: of the run.
    """
    found = {}
    for cluster_id in cluster_ids:
        into = [
            (edge["change"] != Change.KEPT, -(edge["shared_items"] or 0), edge["earlier_cluster_id"], n)
            for n, edge in enumerate(edges)
            if edge["cluster_id"] == cluster_id and edge["earlier_cluster_id"] is not None
        ]
        if not into:
            found[cluster_id] = Origin(None, None)
            continue
        _, _, earlier_cluster_id, place = min(into)
        edge = edges[place]
        others = {e["change"] for e in edges if e is not edge and _touches(e, edge)}
        found[cluster_id] = Origin(edge, labels.get(earlier_cluster_id), frozenset(others))
    return found


def _touches(other: LineageEdgeRow, edge: LineageEdgeRow) -> bool:
    """Whether two edges have an end in common."""
    return other["cluster_id"] == edge["cluster_id"] or other["earlier_cluster_id"] == edge["earlier_cluster_id"]


def name_reason(
    origin: Origin,
    evidence: ClusterEvidence,
    cosine: float | None,
    model: str | None,
    prompt_version: str | None,
) -> NameReason:
    """`KEPT` if the earlier name stands, else why it does not.

    Args:
        evidence: of the cluster as it is now.
        cosine: of its centroid and that of the cluster that the name was first made for, so that many small steps
            count like one large one; None where that is no longer known.
        model, prompt_version: of the labeler. One without a model replaces no name that a model gave.
    """
    edge, label = origin.edge, origin.label
    if edge is None:
        return NameReason.NEW_CLUSTER
    if edge["change"] != Change.KEPT:
        return NameReason(edge["change"])
    if label is None or is_suppressed(label):
        return NameReason.EARLIER_UNNAMED
    if model is not None and label["source"] != "llm":
        return NameReason.BETTER_SOURCE
    if model is not None and (label["model"], label["prompt_version"]) != (model, prompt_version):
        return NameReason.LABELER_CHANGED
    moved = edge["jaccard"] is not None and edge["jaccard"] < NAME_JACCARD
    if moved or cosine is None or cosine < NAME_COSINE or not is_grounded(label["title"], evidence):
        for change in (Change.MERGED, Change.SPLIT):
            if change in origin.others:
                return NameReason(change)
        return NameReason.CONTENT_CHANGED
    return NameReason.KEPT


def cosine_of(first: Sequence[float] | None, second: Sequence[float] | None) -> float | None:
    """Cosine of two centroids; None where one is missing or they are of different length."""
    if first is None or second is None or len(first) != len(second):
        return None
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return float(one @ two / max(float(np.linalg.norm(one) * np.linalg.norm(two)), 1e-12))
