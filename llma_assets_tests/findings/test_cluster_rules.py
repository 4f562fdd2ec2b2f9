"""What is told of clusters, at and beside each limit."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from llma_assets.findings.cluster_rules import AlertLimits, cluster_findings, growth_of
from llma_assets.findings.facts import ClusterFacts, RunFacts
from llma_assets.findings.finding import Finding, Kind

DAY = date(2026, 1, 9)
START = date(2026, 1, 3)
LIMITS = AlertLimits(new_items=20, growth=3.0, error_rate=0.25, min_items=20)


def days(*items: int) -> dict[date, int]:
    """Items of the days that end with `DAY`; days without are left out."""
    return {DAY - timedelta(days=len(items) - 1 - n): count for n, count in enumerate(items) if count}


def cluster(items_by_day: dict[date, int], **changes: Any) -> ClusterFacts:
    size = sum(items_by_day.values())
    known: dict[str, Any] = {"lineage_id": "r/0", "first_seen": DAY - timedelta(days=30), "is_new_topic": True}
    known |= {"cluster_id": 0, "title": "Refunds", "size": size, "items_by_day": items_by_day, "error_count": 0}
    return ClusterFacts(**(known | changes))


def found(one: ClusterFacts, of_all: dict[date, int] | None = None, limits: AlertLimits = LIMITS) -> list[Finding]:
    run = RunFacts("acme", DAY, START, "trace", "trace", "run", of_all or days(*[100] * 7), (one,))
    return list(cluster_findings(run, limits))


def kinds(one: ClusterFacts, of_all: dict[date, int] | None = None, limits: AlertLimits = LIMITS) -> list[str]:
    return [str(finding.kind) for finding in found(one, of_all, limits)]


def test_a_usual_cluster_is_not_told() -> None:
    assert kinds(cluster(days(*[10] * 7), error_count=3)) == []


def test_a_new_topic_is_told_with_its_items_and_since_when() -> None:
    (finding,) = found(cluster(days(25), first_seen=DAY))
    assert finding.kind == Kind.NEW_CLUSTER
    assert finding.text == "New cluster “Refunds”: 25 items since 2026-01-09"
    assert finding.figures == {"size": 25, "new_items": 25, "limit_items": 20}
    assert (finding.subject, finding.since, finding.lineage_id, finding.title) == ("r/0", DAY, "r/0", "Refunds")


@pytest.mark.parametrize(
    ("items", "changes"),
    [
        (days(19), {"first_seen": DAY}),  # too small
        (days(*[10] * 6, 25), {"first_seen": DAY}),  # most of it is older: a regrouping
        (days(25), {"first_seen": DAY, "is_new_topic": False}),  # split off, or there was nothing to compare with
        (days(25), {"first_seen": DAY, "lineage_id": None}),  # it would be another one tomorrow
        (days(*[25] * 7), {"first_seen": DAY - timedelta(days=7)}),  # as old as the window
    ],
    ids=["small", "regrouped", "no new topic", "no lineage", "old"],
)
def test_what_is_no_new_cluster(items: dict[date, int], changes: dict[str, Any]) -> None:
    assert kinds(cluster(items, **changes)) == []


def test_a_topic_that_grows_slowly_is_told_when_it_is_large_enough() -> None:
    first = DAY - timedelta(days=2)
    assert kinds(cluster(days(6, 6, 7), first_seen=first)) == []
    (finding,) = found(cluster(days(6, 7, 7), first_seen=first))
    assert (finding.kind, finding.since) == (Kind.NEW_CLUSTER, first)


def test_the_same_new_cluster_is_the_same_alert_tomorrow_and_another_one_elsewhere() -> None:
    (today,) = found(cluster(days(25), first_seen=DAY))
    (later,) = found(cluster(days(25, 9), first_seen=DAY - timedelta(days=1)))
    assert today.alert_id != later.alert_id, "first seen on another day"
    (tomorrow,) = found(cluster(days(25), first_seen=DAY, title="Returns"))
    assert tomorrow.alert_id == today.alert_id
    (other,) = found(cluster(days(25), first_seen=DAY, lineage_id="r/1"))
    assert other.alert_id != today.alert_id


def test_growth_counts_in_number_and_in_share() -> None:
    (finding,) = found(cluster(days(10, 10, 10, 10, 10, 10, 30)))
    assert finding.kind == Kind.GROWTH
    assert finding.text == ("Cluster “Refunds” has 30 items a day, 10 before; its share grew 3.0 times or more")
    assert finding.figures["factor"] == 3.0
    growth = growth_of(cluster(days(10, 30)), RunFacts("a", DAY, START, "trace", "trace", "r", days(100, 300), ()), 1)
    assert growth is not None and growth.factor == 1.0, "all traffic grew as much"
    growth = growth_of(cluster(days(10, 10)), RunFacts("a", DAY, START, "trace", "trace", "r", days(100, 20), ()), 1)
    assert growth is not None and growth.factor == 1.0, "the others went away"


def test_an_older_cluster_that_had_no_items_grew_from_none() -> None:
    """It was kept by the place of its middle: what it held on earlier days has left the window."""
    (finding,) = found(cluster(days(25)))
    assert finding.kind == Kind.GROWTH
    assert finding.text == "Cluster “Refunds” has 25 items a day, none on the days of the window before"
    assert finding.figures["items_a_day_before"] == 0
    json.dumps(finding.figures, allow_nan=False)
    assert kinds(cluster(days(19))) == [], "too few"
    assert kinds(cluster(days(25), first_seen=DAY, is_new_topic=False)) == [], "it was not there before"
    assert kinds(cluster(days(25), first_seen=None)) == [], "nobody knows since when it is there"


@pytest.mark.parametrize(
    ("items", "of_all"),
    [
        (days(*[10] * 6, 29), days(*[100] * 7)),  # below the factor
        (days(*[4] * 6, 19), days(*[100] * 7)),  # too few items
        (days(30), days(100)),  # no day before
        (days(*[10] * 7), days(*[100] * 6, 20)),  # a Sunday
        (days(30, 30, 30, 30, 30, 30, 0), days(*[100] * 7)),  # it went away
    ],
    ids=["factor", "few", "no days before", "quiet day", "gone"],
)
def test_what_is_no_growth(items: dict[date, int], of_all: dict[date, int]) -> None:
    assert kinds(cluster(items), of_all) == []


def test_days_that_nobody_has_do_not_count_as_zero() -> None:
    items, of_all = days(30, 0, 0, 0, 0, 0, 30), days(100, 0, 0, 0, 0, 0, 100)
    assert kinds(cluster(items), of_all) == []


def test_where_every_third_day_is_run_the_last_three_are_new() -> None:
    items = days(10, 10, 10, 10, 30, 30, 30)
    assert kinds(cluster(items)) == [], "thrice since the day before yesterday, not since yesterday"
    every_third = AlertLimits(20, 3.0, 0.25, 20, recent_days=3)
    assert kinds(cluster(items), limits=every_third) == ["growth"]


@pytest.mark.parametrize(
    ("size", "errors", "expected"), [(20, 5, ["errors"]), (20, 4, []), (19, 19, []), (40, 10, ["errors"]), (40, 0, [])]
)
def test_errors_count_from_rate_and_size_on(size: int, errors: int, expected: list[str]) -> None:
    assert kinds(cluster(days(*[size // 4] * 3, size - size // 4 * 3), error_count=errors)) == expected


def test_an_error_says_how_many() -> None:
    (finding,) = found(cluster(days(*[10] * 4), error_count=12))
    assert finding.text == "Cluster “Refunds”: 12 of 40 items (30%) have errors"
    assert finding.figures == {"size": 40, "error_count": 12, "error_rate": 0.3, "limit_rate": 0.25}
