"""What a stage tells about the partition that it wrote."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from llma_assets.lake import WriteResult
from llma_assets.team_day import TeamDay


@dataclass(frozen=True, slots=True)
class StageReport:
    """The outcome of one stage for one (team, day).

    Attributes:
        rows_in: rows that the stage was asked to treat.
        items: rows of the result that count as output; 0 means that nothing may be emitted.
        counts: rows by `status` or `status(reason)`.
        empty_reason: why `items` is 0; None otherwise.
        figures: further named numbers, units in the names.
        preview: some columns and rows that a person would want to see.
        pictures: each draws PNG bytes, where a picture says more; None where that fails. Drawing takes longer than
            most stages, and not everybody who runs one looks.
        tables: further tables by name, for people; whole, as long as they are short.
    """

    team_day: TeamDay
    written: WriteResult
    rows_in: int
    items: int
    counts: dict[str, int]
    empty_reason: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    preview: pa.Table | None = None
    pictures: tuple[Callable[[], bytes | None], ...] = ()
    tables: dict[str, pa.Table] = field(default_factory=dict)


def count_outcomes(statuses: Iterable[str], reasons: Iterable[str | None]) -> dict[str, int]:
    """Rows by outcome, commonest first: `{"summarized": 90, "skipped(no_text)": 2}`."""
    outcomes = Counter(f"{s}({r})" if r else s for s, r in zip(statuses, reasons, strict=True))
    return dict(sorted(outcomes.items(), key=lambda pair: (-pair[1], pair[0])))


def commonest_reason(reasons: Iterable[str | None], default: str) -> str:
    """The reason that most rows give, with its count, for a partition in which nothing succeeded."""
    counted = Counter(reason for reason in reasons if reason)
    if not counted:
        return str(default)
    reason, count = min(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return f"{reason} ({count} of {sum(counted.values())})"
