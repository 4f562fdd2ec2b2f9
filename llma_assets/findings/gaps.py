"""A day without anything to show where the days before it have."""

from collections.abc import Callable
from datetime import date, timedelta

from llma_assets.findings.finding import Finding, Kind

# A gap is told where at least this many of the seven days before it are shown, and the same weekday: a team
# that rests on Sundays has no gap there.
DAYS_BEFORE = 7
SHOWN_BEFORE = 5


def gap_start(day: date, is_shown: Callable[[date], bool]) -> date | None:
    """The first day of the gap that `day` lies in; None if it is shown, or the days before were not much better."""
    first = day
    for _ in range(DAYS_BEFORE):
        if is_shown(first):
            break
        first -= timedelta(days=1)
    first += timedelta(days=1)
    if first > day:
        return None
    before = [first - timedelta(days=n) for n in range(1, DAYS_BEFORE + 1)]
    if not is_shown(before[0]) or not is_shown(before[-1]) or sum(map(is_shown, before)) < SHOWN_BEFORE:
        return None
    return first


def gap_finding(team: str, day: date, first: date, last: date, items: int) -> Finding:
    """The finding about a gap.

    Args:
        day: on which it was found.
        items: that the last day of it holds all the same.
    """
    what = f"{items} items, but no clusters" if items else "no items"
    days = str(first) if first == last else f"{first} to {last}"
    return Finding(
        kind=Kind.GAP,
        team=team,
        day=day,
        subject=first.isoformat(),
        since=first,
        text=f"Nothing is shown for {days} ({what}), though the days before are shown",
        figures={"days": (last - first).days + 1, "items": items},
    )
