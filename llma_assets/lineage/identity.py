"""Which earlier run a run is compared with, and what a cluster is called through all runs that it is kept in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from llma_assets.lineage.edge import Unmatched


@dataclass(frozen=True, slots=True)
class RunKind:
    """What two clustering runs must have in common for their clusters to be compared.

    Attributes:
        level, job_id: of the clustering job.
        embedding_model: distances between vectors of two models mean nothing.
        method: the groups of another method are not the same groups, changed.
    """

    level: str
    job_id: str
    embedding_model: str | None
    method: str


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One clustering run with what it found, by a hash of who is with whom, as it is compared with others."""

    day: date
    clustering_run_id: str
    content_hash: str
    kind: RunKind


def earlier_run(run: ComparedRun, candidates: Iterable[ComparedRun]) -> ComparedRun | Unmatched:
    """The newest candidate of an earlier day and of the same kind as `run`; or why there is none.

    A run of another method between the two, which somebody tried for a day, does not end a lineage.
    """
    before = [other for other in candidates if other.day < run.day]
    before = [other for other in before if (other.kind.level, other.kind.job_id) == (run.kind.level, run.kind.job_id)]
    same = [other for other in before if other.kind == run.kind]
    if same:
        return max(same, key=lambda other: (other.day, other.clustering_run_id))
    if not before:
        return Unmatched.NO_EARLIER_RUN
    if all(other.kind.embedding_model != run.kind.embedding_model for other in before):
        return Unmatched.MODEL_CHANGED
    return Unmatched.METHOD_CHANGED


def lineage_id(clustering_run_id: str, cluster_id: int) -> str:
    """The name of a lineage, from the first run and cluster of it. `08_cluster_lineages.sql` says the same."""
    return f"{clustering_run_id}/{cluster_id}"
