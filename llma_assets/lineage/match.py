"""Matches the clusters of two runs: by the members that they share, and by centroids where these say nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from llma_assets.clustering.overlap import KEPT_JACCARD, jaccard, one_to_one
from llma_assets.clustering.result import NOISE
from llma_assets.lineage.edge import Basis, Change, Edge, Unmatched

# The part of a cluster from which on its whereabouts count for a split or a merger,
SUBSTANTIAL = 0.2
# and the part of itself that a piece has from the cluster that it was split from, or took into a merger.
MOST = 0.5
KEPT_COSINE = 0.85


@dataclass(frozen=True, slots=True)
class ClusterMembership:
    """The clusters of one run.

    Attributes:
        cluster_of: cluster id of every item that the run looked at, `NOISE` included.
        centroids: of every cluster, any length, shape (d,).
    """

    cluster_of: Mapping[str, int]
    centroids: Mapping[int, np.ndarray]


@dataclass(frozen=True, slots=True)
class _Overlap:
    """Counts over the items that both runs looked at; rows are later clusters, columns earlier ones.

    Attributes:
        ids, earlier_ids: cluster ids of rows and columns, ascending.
        shared: members of both, shape (k, m).
        members, earlier_members: of each cluster, shapes (k,) and (m,).
    """

    ids: list[int]
    earlier_ids: list[int]
    shared: np.ndarray
    members: np.ndarray
    earlier_members: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """Of each later cluster, the part that comes from each earlier one."""
        return self.shared / np.maximum(self.members, 1)[:, None]

    @property
    def earlier_share(self) -> np.ndarray:
        """Of each earlier cluster, the part that went into each later one."""
        return self.shared / np.maximum(self.earlier_members, 1)[None, :]

    @property
    def jaccard(self) -> np.ndarray:
        """Of the members of each pair."""
        return jaccard(self.shared, self.members, self.earlier_members)


def match(later: ClusterMembership, earlier: ClusterMembership) -> list[Edge]:
    """The edges between two runs over vectors of one model.

    `kept` is a one-to-one matching: of all such matchings, that with the largest sum of Jaccard indices of at least
    `KEPT_JACCARD`; then, among clusters whose members the other run did not look at, that with the largest sum of
    centroid cosines of at least `KEPT_COSINE`. The order of items and clusters changes nothing.

    Returns:
        Each later cluster is in at least one edge, as is each earlier one; by later id, then by earlier id, those
        that died last.
    """
    overlap = _overlap(later, earlier)
    cosines = _cosines(later, earlier, overlap)
    changes = dict.fromkeys(one_to_one(overlap.jaccard, KEPT_JACCARD), (Change.KEPT, Basis.MEMBERS))
    changes |= _moved(overlap, set(changes))
    changes |= dict.fromkeys(_by_centroid(overlap, cosines, set(changes)), (Change.KEPT, Basis.CENTROIDS))
    edges = [_edge(overlap, cosines, pair, *changes[pair]) for pair in changes]
    found = {edge.cluster_id for edge in edges}
    edges += [Edge(Change.BORN, cluster_id, None) for cluster_id in overlap.ids if cluster_id not in found]
    found = {edge.earlier_cluster_id for edge in edges}
    edges += [Edge(Change.DIED, None, cluster_id) for cluster_id in overlap.earlier_ids if cluster_id not in found]
    return sorted(edges, key=_place)


def all_born(later: ClusterMembership, reason: Unmatched) -> list[Edge]:
    """The edges of a run that has no earlier one to compare with."""
    return [Edge(Change.BORN, cluster_id, None, reason=reason) for cluster_id in sorted(later.centroids)]


def _place(edge: Edge) -> tuple[bool, int, int]:
    earlier = -1 if edge.earlier_cluster_id is None else edge.earlier_cluster_id
    return (edge.cluster_id is None, edge.cluster_id or 0, earlier)


def _overlap(later: ClusterMembership, earlier: ClusterMembership) -> _Overlap:
    ids, earlier_ids = sorted(later.centroids), sorted(earlier.centroids)
    row = {cluster_id: n for n, cluster_id in enumerate(ids)}
    column = {cluster_id: n for n, cluster_id in enumerate(earlier_ids)}
    # One row and one column more for the noise of each.
    counts = np.zeros((len(ids) + 1, len(earlier_ids) + 1), np.int64)
    for item_id, cluster_id in later.cluster_of.items():
        was = earlier.cluster_of.get(item_id)
        if was is not None:
            at = len(ids) if cluster_id == NOISE else row[cluster_id]
            counts[at, len(earlier_ids) if was == NOISE else column[was]] += 1
    return _Overlap(ids, earlier_ids, counts[:-1, :-1], counts[:-1].sum(axis=1), counts[:, :-1].sum(axis=0))


def _cosines(later: ClusterMembership, earlier: ClusterMembership, overlap: _Overlap) -> np.ndarray:
    """Of the centroids of each pair, shape (k, m)."""
    if not overlap.ids or not overlap.earlier_ids:
        return np.zeros((len(overlap.ids), len(overlap.earlier_ids)))
    rows = _unit(np.array([later.centroids[cluster_id] for cluster_id in overlap.ids], np.float64))
    columns = _unit(np.array([earlier.centroids[cluster_id] for cluster_id in overlap.earlier_ids], np.float64))
    return np.clip(rows @ columns.T, -1.0, 1.0)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _moved(overlap: _Overlap, kept: set[tuple[int, int]]) -> dict[tuple[int, int], tuple[Change, Basis]]:
    """Splits and mergers beside what was kept: a cluster that was kept may have lost a part, or taken one in."""
    is_kept = np.zeros(overlap.shared.shape, bool)
    for pair in kept:
        is_kept[pair] = True
    share, earlier_share = overlap.share, overlap.earlier_share
    holds = (earlier_share >= SUBSTANTIAL) & ((share >= MOST) | is_kept)
    splits = holds & (holds.sum(axis=0) >= 2)[None, :] & ~is_kept
    gave = (share >= SUBSTANTIAL) & ((earlier_share >= MOST) | is_kept)
    mergers = gave & (gave.sum(axis=1) >= 2)[:, None] & ~is_kept
    found = {}
    for i, j in np.argwhere(splits | mergers):
        change = Change.MERGED if mergers[i, j] else Change.SPLIT
        found[int(i), int(j)] = (change, Basis.MEMBERS)
    return found


def _by_centroid(overlap: _Overlap, cosines: np.ndarray, matched: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of clusters without an edge yet, of which at least one has no member that both runs looked at."""
    free = np.ones(len(overlap.ids), bool)
    earlier_free = np.ones(len(overlap.earlier_ids), bool)
    for i, j in matched:
        free[i] = earlier_free[j] = False
    silent = (overlap.members == 0)[:, None] | (overlap.earlier_members == 0)[None, :]
    return one_to_one(np.where(silent & free[:, None] & earlier_free[None, :], cosines, 0.0), KEPT_COSINE)


def _edge(overlap: _Overlap, cosines: np.ndarray, pair: tuple[int, int], change: Change, basis: Basis) -> Edge:
    i, j = pair
    counted = basis == Basis.MEMBERS
    return Edge(
        change=change,
        cluster_id=overlap.ids[i],
        earlier_cluster_id=overlap.earlier_ids[j],
        basis=basis,
        shared_items=int(overlap.shared[pair]),
        jaccard=round(float(overlap.jaccard[pair]), 6) if counted else None,
        share=round(float(overlap.share[pair]), 6) if counted else None,
        earlier_share=round(float(overlap.earlier_share[pair]), 6) if counted else None,
        centroid_cosine=round(float(cosines[pair]), 6) + 0.0,
    )
