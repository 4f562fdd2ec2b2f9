"""Teams, UTC days and windows: the words every partition is named with. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from llma_assets.errors import InputRejected

TEAM_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Names that Windows gives to devices whatever their extension: a folder of that name cannot exist
# there, and a lake may be copied to any machine.
_DEVICE_NAMES = {"con", "prn", "aux", "nul"} | {f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10)}

WINDOW_DAYS = 7


def check_team(team: str) -> str:
    """Return `team` if it may name a team; it becomes a partition key and a folder.

    Raises:
        InputRejected: not 1 to 64 letters, digits, `_` or `-`, or a reserved device name.
    """
    if not isinstance(team, str) or not TEAM_PATTERN.fullmatch(team):
        raise InputRejected(f"team: {team!r} is not 1 to 64 of A-Z a-z 0-9 _ -")
    if team.lower() in _DEVICE_NAMES:
        raise InputRejected(f"team: {team!r} is a name that some file systems reserve; choose another")
    return team


@dataclass(frozen=True, order=True, slots=True)
class TeamDay:
    """One partition: a team and a UTC day."""

    team: str
    day: date

    def __post_init__(self) -> None:
        check_team(self.team)

    @property
    def start(self) -> datetime:
        """First instant of the day, UTC."""
        return datetime.combine(self.day, time(), UTC)

    @property
    def end(self) -> datetime:
        """First instant after the day, UTC."""
        return self.start + timedelta(days=1)

    def window(self, days: int = WINDOW_DAYS) -> list["TeamDay"]:
        """The `days` team-days that end with this one, oldest first."""
        return [TeamDay(self.team, self.day - timedelta(days=back)) for back in reversed(range(days))]

    def __str__(self) -> str:
        return f"{self.day.isoformat()}|{self.team}"
