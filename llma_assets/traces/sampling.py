"""Which items are taken when there are more than a limit allows: by a seeded hash, never by row order or clock."""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone

from llma_assets.errors import InputRejected


def sample_by_hour(
    item_ids: Sequence[str], timestamps: Sequence[datetime], per_hour: int, seed_text: str
) -> list[bool]:
    """Marks up to `per_hour` items of each UTC hour. O(n log n).

    An item's place within its hour is its hash alone, so a re-run takes the same items, and items that arrive
    in a later hour change nothing in an earlier one.

    Args:
        item_ids, timestamps: of the same length; timestamps are aware.
        per_hour: at least 0.
        seed_text: mixed into the hash; the same text gives the same choice.

    Raises:
        InputRejected: lengths differ, `per_hour` is negative, or a timestamp has no zone.
    """
    _same_length(len(item_ids), len(timestamps), "timestamps")
    if per_hour < 0:
        raise InputRejected(f"per_hour is {per_hour}; it must be 0 or more")
    groups: defaultdict[datetime, list[int]] = defaultdict(list)
    for index, moment in enumerate(timestamps):
        offset = moment.utcoffset()
        if offset is None:
            raise InputRejected(f"timestamp {moment.isoformat()} of item {item_ids[index]!r} has no time zone")
        if offset:
            moment = moment.astimezone(timezone(timedelta(0)))
        groups[moment.replace(minute=0, second=0, microsecond=0, tzinfo=None)].append(index)
    taken = [False] * len(item_ids)
    for indices in groups.values():
        for index in _by_hash(item_ids, indices, seed_text)[:per_hour]:
            taken[index] = True
    return taken


def sample_by_day(item_ids: Sequence[str], days: Sequence[date], max_samples: int, seed_text: str) -> list[bool]:
    """Marks up to `max_samples` items, each day in proportion to its items. O(n log n).

    Shares are rounded by the largest remainder; every day that has items keeps at least one, unless there are
    more days than samples: then the largest days keep one each.

    Args:
        item_ids, days: of the same length.
        max_samples: at least 0; with as many items or fewer, all are taken.
        seed_text: mixed into the hash; the same text gives the same choice.

    Raises:
        InputRejected: lengths differ or `max_samples` is negative.
    """
    _same_length(len(item_ids), len(days), "days")
    if max_samples < 0:
        raise InputRejected(f"max_samples is {max_samples}; it must be 0 or more")
    if len(item_ids) <= max_samples:
        return [True] * len(item_ids)
    groups: defaultdict[date, list[int]] = defaultdict(list)
    for index, day in enumerate(days):
        groups[day].append(index)
    shares = _shares({day: len(groups[day]) for day in sorted(groups)}, max_samples)
    taken = [False] * len(item_ids)
    for day, share in shares.items():
        for index in _by_hash(item_ids, groups[day], seed_text)[:share]:
            taken[index] = True
    return taken


def _shares(counts: dict[date, int], seats: int) -> dict[date, int]:
    """Seats a day by the largest remainder, at least one each where the seats suffice; `counts` sorted by day."""
    if seats <= len(counts):
        largest = sorted(counts, key=lambda day: (-counts[day], day))[:seats]
        return dict.fromkeys(largest, 1)
    total = sum(counts.values())
    shares = {day: max(1, seats * count // total) for day, count in counts.items()}
    # Integer remainders: exact, so the same on every platform.
    remainder = {day: seats * count - shares[day] * total for day, count in counts.items()}
    left = seats - sum(shares.values())
    for day in sorted(counts, key=lambda day: (-remainder[day], day)):
        if left <= 0:
            break
        if shares[day] < counts[day]:
            shares[day] += 1
            left -= 1
    # The guaranteed ones came out of nobody's share: the most generously rounded days give them back.
    generous = [(remainder[day], day) for day in counts if shares[day] > 1]
    heapq.heapify(generous)
    while left < 0:
        over, day = heapq.heappop(generous)
        shares[day] -= 1
        left += 1
        if shares[day] > 1:
            heapq.heappush(generous, (over + total, day))
    return shares


def _by_hash(item_ids: Sequence[str], indices: list[int], seed_text: str) -> list[int]:
    seed = hashlib.sha256(seed_text.encode("utf-8", "surrogatepass"))

    def place(index: int) -> tuple[bytes, str]:
        digest = seed.copy()
        digest.update(b"\x00" + item_ids[index].encode("utf-8", "surrogatepass"))
        return digest.digest(), item_ids[index]

    return sorted(indices, key=place)


def _same_length(items: int, others: int, what: str) -> None:
    if items != others:
        raise InputRejected(f"item_ids has {items} entries, {what} has {others}")
