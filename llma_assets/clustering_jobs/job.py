"""What a clustering job is, and what of it the data depends on. Pure."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llma_assets.clustering_jobs.filters import PropertyFilter
from llma_assets.errors import InputRejected
from llma_assets.vocabulary import Level

MAX_NAME_CHARS = 100
MAX_FILTERS = 20
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ClusteringJob:
    """One clustering job of a team.

    Attributes:
        job_id: part of the clustering run's id; empty for the two default jobs.
        name: what a person calls it.
        level: whether its items are traces or generations.
        filters: an item is clustered if one of its events satisfies all of them.
        enabled: whether it is run.
    """

    job_id: str
    name: str
    level: Level
    filters: tuple[PropertyFilter, ...] = ()
    enabled: bool = True

    @property
    def reference(self) -> str:
        """What a person names it by: its id, or `default-trace`."""
        return self.job_id or f"default-{self.level}"

    @property
    def filter_texts(self) -> list[str]:
        """The filters as they are written."""
        return [str(property_filter) for property_filter in self.filters]


DEFAULT_JOBS = (
    ClusteringJob("", "Default - trace", Level.TRACE),
    ClusteringJob("", "Default - generation", Level.GENERATION),
)
_RESERVED_IDS = {job.reference for job in DEFAULT_JOBS}
_RESERVED_NAMES = {job.name.casefold() for job in DEFAULT_JOBS}


@dataclass(frozen=True, slots=True)
class TeamJobs:
    """The jobs of one team as they are written down.

    Attributes:
        own: the team's own jobs.
        defaults: the default jobs that somebody enabled or disabled, by level.
    """

    own: tuple[ClusteringJob, ...] = ()
    defaults: tuple[tuple[Level, bool], ...] = ()

    def all(self) -> tuple[ClusteringJob, ...]:
        """Every job, the two defaults first. A default is disabled where the team has a job of its own at that level,
        unless somebody said otherwise."""
        own, said = {job.level for job in self.own}, dict(self.defaults)
        defaults = (replace(job, enabled=said.get(job.level, job.level not in own)) for job in DEFAULT_JOBS)
        return (*defaults, *self.own)

    def check(self, max_jobs: int) -> None:
        """Refuse too many jobs, and an id or a name that is wrong or there twice.

        Raises:
            InputRejected: naming the job, the field, the value and the allowed range.
        """
        if len(self.own) > max_jobs:
            raise InputRejected(f"jobs: {len(self.own)} of them, at most {max_jobs} (LLMA_MAX_JOBS_PER_TEAM)")
        ids, names = set(_RESERVED_IDS), set(_RESERVED_NAMES)
        for job in self.own:
            check_id(job.job_id)
            _check_name(job)
            if job.job_id in ids:
                raise InputRejected(f"job {job.job_id!r}, id: is there already; ids are unique in a team")
            if job.name.casefold() in names:
                raise InputRejected(f"job {job.job_id!r}, name: {job.name!r} is there already; it must be unique")
            if len(job.filters) > MAX_FILTERS:
                raise InputRejected(f"job {job.job_id!r}, filters: {len(job.filters)} of them, at most {MAX_FILTERS}")
            ids.add(job.job_id)
            names.add(job.name.casefold())


def check_id(job_id: str) -> None:
    """Refuse an id that would not be safe in a run's id and in a path.

    Raises:
        InputRejected: not 1 to 32 lower-case letters, digits and inner hyphens.
    """
    if not isinstance(job_id, str) or not _ID.fullmatch(job_id):
        raise InputRejected(f"job {job_id!r}, id: must be 1 to 32 of a-z 0-9 -, with no hyphen at an end")


def _check_name(job: ClusteringJob) -> None:
    name = job.name
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_CHARS or name != name.strip():
        raise InputRejected(
            f"job {job.job_id!r}, name: {name!r:.120} must be 1 to {MAX_NAME_CHARS} characters, no blank at an end"
        )
    if not name.isprintable():
        raise InputRejected(f"job {job.job_id!r}, name: {name!r} holds a character that cannot be printed")


def id_of_name(name: str, taken: Sequence[str]) -> str:
    """A free id that looks like `name`; `job` where nothing of it can be in an id."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:28].strip("-") or "job"
    candidates = [base, *(f"{base}-{number}" for number in range(2, 1_000))]
    return next(candidate for candidate in candidates if candidate not in {*taken, *_RESERVED_IDS})


def enabled_jobs(jobs: Sequence[ClusteringJob]) -> tuple[ClusteringJob, ...]:
    """The jobs that are run."""
    return tuple(job for job in jobs if job.enabled)


def items_tag(jobs: Sequence[ClusteringJob]) -> str:
    """What of the jobs decides which items are summarized; empty where that is all of them."""
    tag: dict[str, list[list[str]]] = {}
    for level in Level:
        wanted = [sorted(job.filter_texts) for job in enabled_jobs(jobs) if job.level == level]
        # One job without filters takes all: the others change nothing.
        if [] not in wanted:
            tag[level] = sorted(wanted)
    return json.dumps(tag) if tag else ""


def runs_tag(jobs: Sequence[ClusteringJob]) -> str:
    """What of the jobs the clustering runs depend on; empty for the two default jobs."""
    enabled = enabled_jobs(jobs)
    if enabled == DEFAULT_JOBS:
        return ""
    return json.dumps([[job.job_id, job.name, job.level, job.filter_texts] for job in enabled])
