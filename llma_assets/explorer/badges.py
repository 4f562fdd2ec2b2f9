"""What is worth a look at a cluster, and from which figures on."""

from collections.abc import Mapping
from typing import Any

from llma_assets.lineage.edge import Change
from llma_assets.tables.cluster_metrics import ClusterMetricsRow

# Fewer items are chance rather than news.
NEW_MIN_ITEMS = 10
# Of the cluster's share of all items, against the run before: sizes grow with the traffic, too.
GROWN_FACTOR = 1.5
# Share of the items with an error.
ERROR_RATE = 0.2
ERROR_MIN_ITEMS = 3


def badges(
    change: str | None, size: int, share: float, earlier: Mapping[str, Any] | None, metrics: ClusterMetricsRow | None
) -> list[str]:
    """`new`, `grown`, `shrunk`, `errors`: those that a cluster deserves.

    Args:
        change: how the cluster came to be; None where there is no run to compare with.
        earlier: `size` and `share` of the same cluster in the run before; None if it was not there.
        metrics: of the cluster; without them no error is told.
    """
    found = []
    if change == Change.BORN and size >= NEW_MIN_ITEMS:
        found.append("new")
    if earlier is not None and max(size, earlier["size"]) >= NEW_MIN_ITEMS:
        if share >= GROWN_FACTOR * earlier["share"]:
            found.append("grown")
        elif share <= earlier["share"] / GROWN_FACTOR:
            found.append("shrunk")
    if metrics and metrics["error_count"] >= ERROR_MIN_ITEMS and (metrics["error_rate"] or 0.0) >= ERROR_RATE:
        found.append("errors")
    return found
