"""The YAML file that holds the clustering jobs of all teams. What is wrong in it is refused, never passed over:
an unread filter would be a clustering of everything.
"""

import functools
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llma_assets.clustering_jobs.filters import parse_filter
from llma_assets.clustering_jobs.job import ClusteringJob, TeamJobs
from llma_assets.errors import InputRejected
from llma_assets.settings import Settings
from llma_assets.team_day import check_team
from llma_assets.vocabulary import Level

MAX_FILE_BYTES = 1_000_000
# teams > team > jobs > job > filters is five.
_MAX_DEPTH = 10
_JOB_KEYS = ("id", "name", "level", "filters", "enabled")
_REQUIRED_KEYS = ("id", "name", "level")


@dataclass(frozen=True, slots=True)
class JobsFile:
    """The file as it was read; what it says of a team is checked when it is asked for, so that one team's mistake is
    that team's matter.

    Attributes:
        path: of the file, whether or not it exists.
        teams: what it says of each team.
        max_jobs: that a team may have.
    """

    path: Path
    teams: Mapping[str, Any]
    max_jobs: int

    def of(self, team: str) -> TeamJobs:
        """The jobs of `team`.

        Raises:
            InputRejected: naming file, team, job, field, value and what is allowed.
        """
        try:
            found = team_jobs(self.teams.get(team, {}))
            found.check(self.max_jobs)
        except InputRejected as error:
            raise InputRejected(f"{self.path}: team {team!r}: {error}") from None
        return found


def clustering_jobs(team: str, settings: Settings) -> tuple[ClusteringJob, ...]:
    """Every job of `team`, the disabled ones too. Both defaults exist for every team.

    Raises:
        InputRejected: the file cannot be read, or what it says of the team is wrong.
    """
    return load_jobs(settings).of(check_team(team)).all()


def load_jobs(settings: Settings) -> JobsFile:
    """The file that the settings name; without one, no team has jobs of its own.

    Raises:
        InputRejected: `LLMA_JOBS_FILE` names no file, or the file is not what it must be.
    """
    path = settings.jobs_path
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        if settings.jobs_file is not None:
            raise InputRejected(f"LLMA_JOBS_FILE: there is no file {path}") from None
        return JobsFile(path, {}, settings.max_jobs_per_team)
    return JobsFile(path, teams_of(path, content), settings.max_jobs_per_team)


def teams_of(path: Path, content: bytes) -> Mapping[str, Any]:
    """What the bytes of a jobs file say of each team.

    Raises:
        InputRejected: they are too many, no plain YAML, or not a table of teams.
    """
    if len(content) > MAX_FILE_BYTES:
        raise InputRejected(f"{path}: has more than {MAX_FILE_BYTES:,} bytes")
    try:
        data = _parsed(content)
        teams = _table("file", data, ("teams",), ("teams",))["teams"]
        if not isinstance(teams, dict):
            raise InputRejected(f"teams: {_shown(teams)} is not a table of teams")
        for team in teams:
            if not isinstance(team, str):
                raise InputRejected(f"team: {_shown(team)} is not text; put it into quotes: '{team}'")
            check_team(team)
    except InputRejected as error:
        raise InputRejected(f"{path}: {error}") from None
    return teams


# Asked for once a team and day; a file that did not change is not parsed again.
@functools.lru_cache(maxsize=2)
def _parsed(content: bytes) -> Any:
    import yaml

    # In C, where PyYAML was built with it.
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):
        """Takes no key twice: YAML takes the last, and a team's jobs would be gone without a word."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for number, key in enumerate(keys):
                if key in keys[:number]:
                    raise InputRejected(f"line {node.start_mark.line + 1}: {key!r} is there twice")
            return super().construct_mapping(node, deep)

    try:
        depth = 0
        for event in yaml.parse(content, Loader=base):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            # References can make a few bytes stand for billions.
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
                what = "a reference (*name)" if isinstance(event, yaml.AliasEvent) else f"depth over {_MAX_DEPTH}"
                raise InputRejected(f"line {event.start_mark.line + 1}: {what} is not allowed")
        return yaml.load(content, Loader=Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise InputRejected(f"is not YAML: {' '.join(str(error).split())}") from None


def team_jobs(section: Any) -> TeamJobs:
    """The jobs that a team's section of the file describes, before they are checked beside each other.

    Raises:
        InputRejected: a key is missing or unknown, or a value has a wrong type.
    """
    section = _table("section", section, ("jobs", "defaults"))
    jobs = section.get("jobs", [])
    if not isinstance(jobs, list):
        raise InputRejected(f"jobs: {_shown(jobs)} is not a list")
    defaults = _table("defaults", section.get("defaults", {}), tuple(Level))
    for level, value in defaults.items():
        _check_bool(f"defaults: {level}", value)
    own = tuple(_job(number, job) for number, job in enumerate(jobs, 1))
    return TeamJobs(own, tuple((level, defaults[level]) for level in Level if level in defaults))


def _job(number: int, entry: Any) -> ClusteringJob:
    where = f"job {number}"
    entry = _table(where, entry, _JOB_KEYS, _REQUIRED_KEYS)
    for key in ("id", "name"):
        if not isinstance(entry[key], str):
            raise InputRejected(f"{where}, {key}: {_shown(entry[key])} is not text; put it into quotes")
    where = f"job {entry['id']!r:.50}"
    if entry["level"] not in list(Level):
        raise InputRejected(f"{where}, level: {_shown(entry['level'])} is not one of {', '.join(Level)}")
    filters = entry.get("filters", [])
    if not isinstance(filters, list):
        raise InputRejected(f"{where}, filters: {_shown(filters)} is not a list")
    enabled = entry.get("enabled", True)
    _check_bool(f"{where}, enabled", enabled)
    try:
        parsed = tuple(parse_filter(text) for text in filters)
    except InputRejected as error:
        raise InputRejected(f"{where}, {error}") from None
    return ClusteringJob(entry["id"], entry["name"], Level(entry["level"]), parsed, enabled)


def _table(where: str, value: Any, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputRejected(f"{where}: {_shown(value)} is not a table with {', '.join(allowed)}")
    unknown = [key for key in value if key not in allowed]
    if unknown:
        raise InputRejected(f"{where}: unknown key {_shown(unknown[0])}; allowed are {', '.join(allowed)}")
    missing = [key for key in required if key not in value]
    if missing:
        raise InputRejected(f"{where}: {missing[0]!r} is missing")
    return value


def _check_bool(where: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise InputRejected(f"{where}: {_shown(value)} is not true or false")


def _shown(value: Any) -> str:
    """The value in a message, cut short however large it is."""
    return reprlib.repr(value)
