"""Samples are stable, bounded and fair."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.errors import InputRejected
from llma_assets.traces.sampling import sample_by_day, sample_by_hour

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_an_hour_holds_up_to_the_limit() -> None:
    ids = [f"t{i}" for i in range(50)]
    times = [NOON + timedelta(minutes=3 * i) for i in range(50)]  # 20 in each full hour
    taken = sample_by_hour(ids, times, 7, "seed")
    per_hour = Counter(time.hour for time, take in zip(times, taken, strict=True) if take)
    assert per_hour == {12: 7, 13: 7, 14: 7}


def test_later_hours_change_nothing_in_earlier_ones() -> None:
    ids = [f"t{i}" for i in range(40)]
    times = [NOON + timedelta(minutes=3 * i) for i in range(40)]
    early = sample_by_hour(ids[:20], times[:20], 5, "seed")
    assert sample_by_hour(ids, times, 5, "seed")[:20] == early


def test_hours_are_utc() -> None:
    here = timezone(timedelta(hours=5, minutes=30))
    times = [NOON, NOON.astimezone(here), NOON + timedelta(minutes=59)]
    assert sum(sample_by_hour(["a", "b", "c"], times, 1, "s")) == 1


def test_another_seed_takes_others() -> None:
    ids = [f"t{i}" for i in range(200)]
    assert sample_by_hour(ids, [NOON] * 200, 20, "a") != sample_by_hour(ids, [NOON] * 200, 20, "b")


def test_days_get_their_share() -> None:
    days = [date(2026, 1, 1)] * 600 + [date(2026, 1, 2)] * 300 + [date(2026, 1, 3)] * 100
    ids = [f"t{i}" for i in range(1000)]
    taken = sample_by_day(ids, days, 100, "seed")
    assert Counter(day.day for day, take in zip(days, taken, strict=True) if take) == {1: 60, 2: 30, 3: 10}


def test_the_smallest_day_keeps_one() -> None:
    days = [date(2026, 1, 1)] * 996 + [date(2026, 1, d) for d in (2, 3, 4, 5)]
    taken = sample_by_day([f"t{i}" for i in range(1000)], days, 20, "seed")
    assert Counter(day.day for day, take in zip(days, taken, strict=True) if take) == {1: 16, 2: 1, 3: 1, 4: 1, 5: 1}


def test_more_days_than_samples() -> None:
    days = [date(2026, 1, d) for d in range(1, 31)] + [date(2026, 1, 30)]
    taken = sample_by_day([f"t{i}" for i in range(31)], days, 5, "seed")
    assert sum(taken) == 5
    assert len({day for day, take in zip(days, taken, strict=True) if take}) == 5


@pytest.mark.parametrize(
    "call",
    [
        lambda: sample_by_hour(["a"], [], 1, "s"),
        lambda: sample_by_hour(["a"], [NOON], -1, "s"),
        lambda: sample_by_hour(["a"], [NOON.replace(tzinfo=None)], 1, "s"),
        lambda: sample_by_day(["a"], [], 1, "s"),
        lambda: sample_by_day(["a"], [NOON.date()], -1, "s"),
    ],
)
def test_wrong_arguments_are_rejected(call: object) -> None:
    with pytest.raises(InputRejected):
        call()  # type: ignore[operator]


@given(st.lists(st.integers(0, 6), max_size=60), st.integers(0, 70), st.randoms())
def test_day_sample_is_full_and_ignores_row_order(offsets: list[int], limit: int, shuffler: random.Random) -> None:
    rows = [(f"id\ud800{i}", date(2026, 1, 1) + timedelta(days=d)) for i, d in enumerate(offsets)]
    taken = sample_by_day([r[0] for r in rows], [r[1] for r in rows], limit, "s")
    assert sum(taken) == min(limit, len(rows))
    if limit >= len(set(offsets)):
        assert {row[1] for row, take in zip(rows, taken, strict=True) if take} == {row[1] for row in rows}
    chosen = {row for row, take in zip(rows, taken, strict=True) if take}
    shuffler.shuffle(rows)
    again = sample_by_day([r[0] for r in rows], [r[1] for r in rows], limit, "s")
    assert {row for row, take in zip(rows, again, strict=True) if take} == chosen


@given(st.lists(st.integers(0, 12), min_size=3, max_size=8), st.integers(3, 40))
def test_with_the_same_seed_a_day_keeps_its_sample_as_the_window_moves_on(sizes: list[int], limit: int) -> None:
    """A day's share may grow or shrink with the other days; who has a seat does not change beyond that."""
    rows = [(f"t{day}-{n}", date(2026, 1, 1 + day)) for day, size in enumerate(sizes) for n in range(size)]
    windows = [
        [row for row in rows if row[1] < date(2026, 1, len(sizes))],
        [row for row in rows if row[1] > date(2026, 1, 1)],
    ]
    samples = []
    for window in windows:
        taken = sample_by_day([row[0] for row in window], [row[1] for row in window], limit, "s")
        samples.append({row for row, take in zip(window, taken, strict=True) if take})
    for day in range(1, len(sizes) - 1):
        before, after = ({row for row in sample if row[1].day == 1 + day} for sample in samples)
        assert before <= after or after <= before
    if len(set(sizes)) == 1 and limit % (len(sizes) - 1) == 0:
        shared = {row for row in rows if 1 < row[1].day < len(sizes)}
        assert samples[0] & shared == samples[1] & shared
