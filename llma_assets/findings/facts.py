"""What the rules look at: one clustering run and its clusters, in numbers."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One cluster, noise excluded.

    Attributes:
        lineage_id: None where the lineage is longer than is followed.
        first_seen: day of the first run of the lineage.
        is_new_topic: whether the lineage was born beside clusters that were there before it.
        items_by_day: of the window, by the UTC day on which they began.
        error_count: items with at least one error.
    """

    cluster_id: int
    lineage_id: str | None
    first_seen: date | None
    is_new_topic: bool
    title: str
    size: int
    items_by_day: dict[date, int]
    error_count: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One clustering run.

    Attributes:
        window_start: first day of the window.
        subject: the level, and the clustering job where it is not a default one.
        items_by_day: all items of the window, noise included, by day; days without items are not in it.
    """

    team: str
    day: date
    window_start: date
    level: str
    subject: str
    clustering_run_id: str
    items_by_day: dict[date, int]
    clusters: tuple[ClusterFacts, ...]
