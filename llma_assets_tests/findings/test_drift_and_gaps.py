"""Distances between runs, gaps between days, and items that are missing."""

import math
from collections.abc import Hashable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.findings.coverage import Coverage, coverage_findings
from llma_assets.findings.drift import drift, drift_findings, js_distance
from llma_assets.findings.facts import RunFacts
from llma_assets.findings.gaps import gap_finding, gap_start

DAY = date(2026, 1, 9)
RUN = RunFacts("acme", DAY, DAY, "trace", "trace", "run", {DAY: 100}, ())
counts = st.dictionaries(st.integers(0, 5), st.integers(1, 50), min_size=1)


@given(counts, counts)
def test_the_distance_is_one_of_distributions(one: dict[Hashable, int], other: dict[Hashable, int]) -> None:
    distance = js_distance(one, other)
    assert 0 <= distance <= 1
    assert distance == pytest.approx(js_distance(other, one), abs=1e-7)
    assert js_distance(one, {key: 3 * n for key, n in one.items()}) == pytest.approx(0, abs=1e-7)
    if not one.keys() & other.keys():
        assert distance == pytest.approx(1)


def test_a_distance_worked_by_hand() -> None:
    """Of (1, 0) and (1/2, 1/2): the divergence is 1.5 − 3/4·log2(3) = 0.311."""
    assert js_distance({"a": 1}, {"a": 1, "b": 1}) == pytest.approx(math.sqrt(1.5 - 0.75 * math.log2(3)))


def test_clusters_that_are_kept_split_or_merged_are_no_drift() -> None:
    kept = drift({7: 50, 8: 50}, {0: 50, 1: 50}, 0, 0, [(7, 0), (8, 1)])
    split = drift({7: 25, 8: 25, 9: 50}, {0: 50, 1: 50}, 0, 0, [(7, 0), (8, 0), (9, 1)])
    merged = drift({7: 100}, {0: 50, 1: 50}, 0, 0, [(7, 0), (7, 1)])
    for one in (kept, split, merged):
        assert one is not None and one.js_distance == one.born_share == one.died_share == 0


def test_other_clusters_are_drift_with_shares_of_what_was_born_and_died() -> None:
    found = drift({0: 30, 1: 60}, {0: 40, 1: 40}, 10, 20, [(0, 0), (1, None), (None, 1)], 0.25)
    assert found is not None
    assert (found.born_share, found.died_share, found.mean_shift) == (0.6, 0.4, 0.25)
    assert found.js_distance == pytest.approx(js_distance({0: 30, "b": 60, -1: 10}, {0: 40, "d": 40, -1: 20}), abs=1e-6)
    (finding,) = drift_findings(found, 0.6, RUN)
    assert "distance 0.72, at most 0.60 is expected; 60% of the items are in clusters that were born" in finding.text
    assert list(drift_findings(found, 0.8, RUN)) == []


@pytest.mark.parametrize(("later", "earlier"), [({}, {0: 5}), ({0: 5}, {}), ({}, {})])
def test_a_run_without_clusters_is_compared_with_nothing(later: dict[int, int], earlier: dict[int, int]) -> None:
    assert drift(later, earlier, 5, 5, []) is None
    assert list(drift_findings(None, 0.0, RUN)) == []


def shown(pattern: str) -> set[date]:
    """The days that end with `DAY`, an `x` for one that is shown."""
    return {DAY - timedelta(days=len(pattern) - 1 - n) for n, mark in enumerate(pattern) if mark == "x"}


@pytest.mark.parametrize(
    ("pattern", "days"),
    [
        ("xxxxxxx.", 1),
        ("xxxxxxx...", 3),
        ("xxxxx.x.", 1),
        ("x.x.xxx.", 1),
        ("xxxxxxxx", 0),
        (".xxxxxx.", 0),  # the same weekday was silent a week before
        ("xxx...x.", 0),  # too few of the days before
        ("xx......", 0),
        ("........", 0),
        ("xxxxxxx........", 0),  # told long ago
    ],
)
def test_a_gap_begins_where_the_days_before_were_shown(pattern: str, days: int) -> None:
    start = gap_start(DAY, shown(pattern).__contains__)
    assert start == (DAY - timedelta(days=days - 1) if days else None)


def test_a_gap_says_which_days_and_what_they_hold() -> None:
    one = gap_finding("acme", DAY, DAY, DAY, 0)
    two = gap_finding("acme", DAY + timedelta(days=1), DAY, DAY + timedelta(days=1), 12)
    assert one.text == "Nothing is shown for 2026-01-09 (no items), though the days before are shown"
    assert "2026-01-09 to 2026-01-10 (12 items, but no clusters)" in two.text
    assert one.alert_id == two.alert_id, "told once"


def test_coverage_counts_what_failed_and_what_is_in_no_table() -> None:
    outcomes = {"clustered": 80, "noise": 5, "skipped(not_sampled)": 9, "failed(llm_error)": 3, "unaccounted": 2}
    one = Coverage("trace", outcomes | {"skipped(budget_exhausted)": 1})
    assert (one.eligible, one.missing, one.share) == (100, 6, 0.94)
    (finding,) = coverage_findings(one, 0.95, "acme", DAY)
    assert finding.text == (
        "6 of 100 trace items are missing (failed(llm_error) 3, unaccounted 2, skipped(budget_exhausted) 1); "
        "94.0% are accounted for, at least 95.0% are expected"
    )
    assert list(coverage_findings(one, 0.94, "acme", DAY)) == []
    assert Coverage("trace", {}).share is None
    assert list(coverage_findings(Coverage("trace", {}), 1.0, "acme", DAY)) == []
