"""When clusters look wrong: too few, one that holds nearly all, much noise, or clusters that chance made."""

from collections.abc import Iterator
from typing import Protocol

from llma_assets.clustering.guards import is_degenerate
from llma_assets.tables.cluster_assignments import ClusteringRunRow

# Mean cosine distance of two items. Below it all say nearly the same, and one cluster is the truth.
MIN_DIVERSITY = 0.1


class StructureLimits(Protocol):
    """What a clustering run is held to: the settings of these names."""

    @property
    def min_clusters(self) -> int: ...
    @property
    def max_cluster_share(self) -> float: ...
    @property
    def max_noise_share(self) -> float: ...
    @property
    def min_stability(self) -> float: ...


def structure_findings(run: ClusteringRunRow, limits: StructureLimits) -> Iterator[str]:
    """What is wrong with one clustering run, each with figure and limit.

    Args:
        run: a row of `cluster_assignments` with items.
    """
    clusters, share = len(run["clusters"]), run["largest_share"] or 0.0
    is_diverse = run["diversity"] is not None and run["diversity"] >= MIN_DIVERSITY
    if is_diverse and is_degenerate(clusters, share, limits.min_clusters, limits.max_cluster_share):
        if clusters < limits.min_clusters:
            yield f"{clusters} clusters, at least {limits.min_clusters} are expected"
        if share >= limits.max_cluster_share:
            yield f"one cluster holds {share:.0%}, less than {limits.max_cluster_share:.0%} is expected"
    if (run["noise_share"] or 0.0) > limits.max_noise_share:
        yield f"{run['noise_share']:.0%} are noise, at most {limits.max_noise_share:.0%} are expected"
    if run["stability"] is not None and run["stability"] < limits.min_stability:
        yield f"stability is {run['stability']:.2f}, at least {limits.min_stability:.2f} is expected"
