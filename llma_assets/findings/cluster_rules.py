"""What is told of clusters: a new one, one that grew, one that fails."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from llma_assets.findings.facts import ClusterFacts, RunFacts
from llma_assets.findings.finding import Finding, Kind


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """From where on something is told.

    Attributes:
        new_items: items of a new cluster since it was first seen.
        growth: how many times its share, and its items a day, of the days before.
        error_rate: share of the items with an error, 0 to 1.
        min_items: items below which neither growth nor errors are told.
        recent_days: days that end with the run's own and count as what is new: one for each run.
    """

    new_items: int
    growth: float
    error_rate: float
    min_items: int
    recent_days: int = 1


@dataclass(frozen=True, slots=True)
class Growth:
    """The last days of a cluster beside the days of the window before them.

    Attributes:
        recent, before: items a day, over the days that have items of any cluster.
        factor: how many times more, in items a day and in share of all items, whichever is less; infinite from none.
    """

    recent_items: int
    recent: float
    before: float
    factor: float


def cluster_findings(run: RunFacts, limits: AlertLimits) -> Iterator[Finding]:
    """The findings of one clustering run, cluster by cluster. A new cluster is not told to have grown, too."""
    for cluster in run.clusters:
        if cluster.lineage_id is None:
            continue  # It would have another identity every day.
        if is_new(cluster, run, limits):
            yield _new(run, cluster, limits)
        elif (growth := growth_of(cluster, run, limits.recent_days)) and _has_grown(growth, limits):
            yield _grown(run, cluster, growth, limits)
        if (
            cluster.size >= limits.min_items
            and cluster.error_count >= limits.error_rate * cluster.size
            and cluster.error_count
        ):
            yield _failing(run, cluster, limits)


def is_new(cluster: ClusterFacts, run: RunFacts, limits: AlertLimits) -> bool:
    """Whether a topic came up that was not there: born within the window, most of its items from since then.

    A cluster that is made of older items is a regrouping, not news.
    """
    if not cluster.is_new_topic or cluster.first_seen is None or cluster.first_seen < run.window_start:
        return False
    new_items = items_since(cluster, limits)
    return new_items >= limits.new_items and 2 * new_items >= cluster.size


def items_since(cluster: ClusterFacts, limits: AlertLimits) -> int:
    """Items of the cluster from the days that its first run saw first, and later ones."""
    assert cluster.first_seen is not None
    first = cluster.first_seen - timedelta(days=limits.recent_days - 1)
    return sum(items for day, items in cluster.items_by_day.items() if day >= first)


def growth_of(cluster: ClusterFacts, run: RunFacts, recent_days: int) -> Growth | None:
    """How much more of the cluster the last days have; None where they have none of it, or there is nothing before.

    A cluster that was there before may have no items of the days before: it was kept by the place of its middle, while
    what it held left the window. One that was not there before did not grow.
    """
    border = run.day - timedelta(days=recent_days - 1)
    all_recent, all_before = _split(run.items_by_day, border)
    recent, before = _split(cluster.items_by_day, border)
    is_older = cluster.first_seen is not None and cluster.first_seen < border
    if not recent or not all_before or not (before or is_older):
        return None
    days = len([day for day in run.items_by_day if day >= border])
    days_before = len(run.items_by_day) - days
    rate, rate_before = recent / days, before / days_before
    if not before:
        return Growth(recent, rate, rate_before, math.inf)
    share_factor = (recent / all_recent) / (before / all_before)
    return Growth(recent, rate, rate_before, round(min(rate / rate_before, share_factor), 6))


def _split(items_by_day: Mapping[date, int], border: date) -> tuple[int, int]:
    recent = sum(items for day, items in items_by_day.items() if day >= border)
    return recent, sum(items_by_day.values()) - recent


def _has_grown(growth: Growth, limits: AlertLimits) -> bool:
    return growth.recent_items >= limits.min_items and growth.factor >= limits.growth


def _new(run: RunFacts, cluster: ClusterFacts, limits: AlertLimits) -> Finding:
    new_items = items_since(cluster, limits)
    text = f"New cluster “{cluster.title}”: {new_items} items since {cluster.first_seen}"
    figures = {"size": cluster.size, "new_items": new_items, "limit_items": limits.new_items}
    assert cluster.first_seen is not None
    return _finding(Kind.NEW_CLUSTER, run, cluster, text, figures, cluster.first_seen)


def _grown(run: RunFacts, cluster: ClusterFacts, growth: Growth, limits: AlertLimits) -> Finding:
    text = f"Cluster “{cluster.title}” has {growth.recent:.3g} items a day, "
    factor = {}
    if growth.before:
        text += f"{growth.before:.3g} before; its share grew {growth.factor:.1f} times or more"
        factor["factor"] = round(growth.factor, 3)
    else:
        text += "none on the days of the window before"
    figures = {
        "size": cluster.size,
        "recent_items": growth.recent_items,
        "items_a_day": round(growth.recent, 3),
        "items_a_day_before": round(growth.before, 3),
        **factor,
        "limit_factor": limits.growth,
    }
    return _finding(Kind.GROWTH, run, cluster, text, figures, run.day)


def _failing(run: RunFacts, cluster: ClusterFacts, limits: AlertLimits) -> Finding:
    rate = cluster.error_count / cluster.size
    text = f"Cluster “{cluster.title}”: {cluster.error_count} of {cluster.size} items ({rate:.0%}) have errors"
    figures = {
        "size": cluster.size,
        "error_count": cluster.error_count,
        "error_rate": round(rate, 6),
        "limit_rate": limits.error_rate,
    }
    return _finding(Kind.ERRORS, run, cluster, text, figures, run.day)


def _finding(
    kind: Kind, run: RunFacts, cluster: ClusterFacts, text: str, figures: Mapping[str, float], since: date
) -> Finding:
    return Finding(
        kind=kind,
        team=run.team,
        day=run.day,
        subject=str(cluster.lineage_id),
        since=since,
        text=text,
        level=run.level,
        clustering_run_id=run.clustering_run_id,
        cluster_id=cluster.cluster_id,
        lineage_id=cluster.lineage_id,
        title=cluster.title,
        figures=figures,
    )
