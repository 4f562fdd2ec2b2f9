"""Which items the clustering jobs of a team want: what is summarized, and what each job clusters."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llma_assets.clustering_jobs import ClusteringJob, enabled_jobs
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import Level, Reason


@dataclass(frozen=True, slots=True)
class WantedItems:
    """The items of some days that enabled jobs want.

    Attributes:
        by_level: ids of items; None where all of a level are wanted; no entry where no job of the level is enabled.
    """

    by_level: Mapping[Level, frozenset[str] | None]

    def reason_against(self, level: str, item_id: str) -> Reason | None:
        """Why nobody wants the item; None if somebody does."""
        if level not in self.by_level:
            return Reason.JOB_DISABLED
        ids = self.by_level[Level(level)]
        return None if ids is None or item_id in ids else Reason.NOT_IN_ANY_JOB


def wanted_items(source: TraceEventSource, team_day: TeamDay, jobs: Sequence[ClusteringJob]) -> WantedItems:
    """The items of a day that the enabled ones of `jobs` want."""
    return wanted_by(jobs_of_day(source, team_day, jobs))


def wanted_by(jobs: Mapping[ClusteringJob, frozenset[str] | None]) -> WantedItems:
    """The items that one or more of the jobs want, each given with its own."""
    by_level: dict[Level, frozenset[str] | None] = {}
    for job, ids in jobs.items():
        known = by_level.get(job.level, frozenset())
        by_level[job.level] = None if ids is None or known is None else known | ids
    return WantedItems(by_level)


def jobs_of_day(
    source: TraceEventSource, team_day: TeamDay, jobs: Sequence[ClusteringJob]
) -> dict[ClusteringJob, frozenset[str] | None]:
    """The enabled ones of `jobs`, each with the ids of its items of a day; None for all of its level."""
    enabled = enabled_jobs(jobs)
    return dict(zip(enabled, items_of_jobs(source, [team_day], enabled), strict=True))


def count_by_job(
    jobs: Mapping[ClusteringJob, frozenset[str] | None], keys: Iterable[tuple[str, str]]
) -> Counter[ClusteringJob]:
    """How many of the items, named by level and id, each job has."""
    keys = list(keys)
    return Counter(
        {
            job: sum(level == job.level and (ids is None or item_id in ids) for level, item_id in keys)
            for job, ids in jobs.items()
        }
    )


def items_of_jobs(
    source: TraceEventSource, team_days: Sequence[TeamDay], jobs: Sequence[ClusteringJob]
) -> list[frozenset[str] | None]:
    """For each job the ids of its items on these days; None for a job without filters, which takes all.

    The source is asked only about filters, and once for all of them.
    """
    filtered = [job for job in jobs if job.filters]
    found = iter(source.job_items(team_days, filtered) if filtered else [])
    return [next(found) if job.filters else None for job in jobs]
