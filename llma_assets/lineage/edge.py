"""What became of a cluster between an earlier clustering run and a later one: one edge, with its figures."""

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What an edge says.

    `kept`: the same cluster, later. `split`: a part of an earlier cluster that others hold parts of, too. `merged`:
    an earlier cluster that went into one with others. `born`: none of these leads to the cluster. `died`: none of
    these leads on from the earlier one. `no_clusters`: the run found none, and there was none before.
    """

    KEPT = "kept"
    SPLIT = "split"
    MERGED = "merged"
    BORN = "born"
    DIED = "died"
    NO_CLUSTERS = "no_clusters"


class Basis(StrEnum):
    """What two clusters were compared by."""

    MEMBERS = "members"
    CENTROIDS = "centroids"


class Unmatched(StrEnum):
    """Why a run was compared with no earlier one; its clusters are all born."""

    NO_EARLIER_RUN = "no_earlier_run"
    MODEL_CHANGED = "model_changed"
    METHOD_CHANGED = "method_changed"


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge of the lineage. Noise has none.

    Shares and the Jaccard index count only items that both runs looked at, those that are noise in one of them
    included; they are None where there is no second cluster, or where such items say nothing about the two.

    Attributes:
        cluster_id: in the later run; None for one that died.
        earlier_cluster_id: in the earlier run; None for one that was born.
        shared_items: members of both.
        jaccard: of the two sets of members, 0 to 1.
        share: of the later cluster, the part that comes from the earlier one, 0 to 1.
        earlier_share: of the earlier cluster, the part that went into the later one, 0 to 1.
        centroid_cosine: of the two centroids, −1 to 1.
        reason: why there was no run to compare with.
    """

    change: Change
    cluster_id: int | None
    earlier_cluster_id: int | None
    basis: Basis | None = None
    shared_items: int | None = None
    jaccard: float | None = None
    share: float | None = None
    earlier_share: float | None = None
    centroid_cosine: float | None = None
    reason: Unmatched | None = None
