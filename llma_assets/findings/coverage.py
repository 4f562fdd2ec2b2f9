"""Which part of a window's items is accounted for: shown, or left out for a reason that is in the data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from llma_assets.findings.finding import Finding, Kind
from llma_assets.vocabulary import Reason

CLUSTERED, NOISE = "clustered", "noise"
# The source has the item, but no table says what became of it.
UNACCOUNTED = "unaccounted"
# Skipped so far, but it should not have been: money was short.
_LEFT_OVER = (Reason.BUDGET_EXHAUSTED,)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the eligible items of one level of a window.

    Attributes:
        outcomes: items by outcome: `clustered`, `noise`, `skipped(reason)`, `failed(reason)`, `unaccounted`.
    """

    level: str
    outcomes: Mapping[str, int]

    @property
    def eligible(self) -> int:
        """All items that the window has."""
        return sum(self.outcomes.values())

    @property
    def missing(self) -> int:
        """Items that failed, that no table accounts for, or that were left out for want of money."""
        return sum(count for outcome, count in self.outcomes.items() if _is_missing(outcome))

    @property
    def share(self) -> float | None:
        """Of the eligible items, those that are accounted for; None without items."""
        return 1 - self.missing / self.eligible if self.eligible else None


def _is_missing(outcome: str) -> bool:
    return outcome == UNACCOUNTED or outcome.startswith("failed") or outcome in {f"skipped({r})" for r in _LEFT_OVER}


def coverage_findings(found: Coverage, minimum: float, team: str, day: date) -> Iterator[Finding]:
    """A finding where less than `minimum` (0 to 1) is accounted for."""
    if found.share is None or found.share >= minimum:
        return
    missing = {outcome: n for outcome, n in found.outcomes.items() if _is_missing(outcome)}
    why = ", ".join(f"{outcome} {n}" for outcome, n in sorted(missing.items(), key=lambda pair: (-pair[1], pair[0])))
    text = (
        f"{found.missing} of {found.eligible} {found.level} items are missing ({why}); "
        f"{found.share:.1%} are accounted for, at least {minimum:.1%} are expected"
    )
    figures = {
        "share": round(found.share, 6),
        "eligible": found.eligible,
        "missing": found.missing,
        "limit_share": minimum,
    }
    yield Finding(
        kind=Kind.COVERAGE,
        team=team,
        day=day,
        subject=found.level,
        since=day,
        text=text,
        level=found.level,
        figures=figures,
    )
