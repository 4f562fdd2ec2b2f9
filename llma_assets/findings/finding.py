"""One thing that somebody should be told, and what makes it the same thing tomorrow."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from llma_assets.emission.identity import NAMESPACE


class Kind(StrEnum):
    """What a finding is about."""

    NEW_CLUSTER = "new_cluster"
    GROWTH = "growth"
    ERRORS = "errors"
    DRIFT = "drift"
    COVERAGE = "coverage"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a (team, day).

    Attributes:
        subject: what was found to be so: a lineage id, a level (and clustering job), or the first day of a gap.
        since: first day of the episode: it is the same finding, told once, while that stays the same.
        text: one sentence with the figures; holds a cluster's title, which comes from traces.
        figures: the numbers by name, units in the names.
    """

    kind: Kind
    team: str
    day: date
    subject: str
    since: date
    text: str
    level: str | None = None
    clustering_run_id: str | None = None
    cluster_id: int | None = None
    lineage_id: str | None = None
    title: str | None = None
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)

    @property
    def alert_id(self) -> str:
        """UUIDv5 of team, kind, subject and the day since when."""
        return str(uuid.uuid5(NAMESPACE, f"alert/{self.team}/{self.kind}/{self.subject}/{self.since.isoformat()}"))
