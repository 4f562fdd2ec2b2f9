"""Clustering jobs: which items of a team are clustered together, and at which level. Pure."""

from dataclasses import dataclass

from llma_assets.vocabulary import Level


@dataclass(frozen=True, slots=True)
class ClusteringJob:
    """One clustering job of a team.

    Attributes:
        job_id: part of the clustering run's id; empty for the two default jobs.
        name: what a person calls it.
        level: whether its items are traces or generations.
    """

    job_id: str
    name: str
    level: Level


DEFAULT_JOBS = (
    ClusteringJob("", "Default - trace", Level.TRACE),
    ClusteringJob("", "Default - generation", Level.GENERATION),
)


def clustering_jobs(team: str) -> tuple[ClusteringJob, ...]:
    """The enabled clustering jobs of `team`. Both defaults exist for every team."""
    return DEFAULT_JOBS
