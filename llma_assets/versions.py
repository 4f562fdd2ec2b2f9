"""The version of a window: changes exactly when a day in it was embedded from other items."""

import hashlib
import re
from collections.abc import Mapping, Sequence

from llma_assets.clustering.result import ALGORITHM_VERSION
from llma_assets.clustering_jobs import ClusteringJob
from llma_assets.clustering_jobs.job import items_tag, runs_tag
from llma_assets.lake import Lake
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.team_day import TeamDay

_PART = re.compile(r"~\d+$")


def version_of_part(version: str, items: int) -> str:
    """Version of a partition that holds `items` of what it should, the rest being left for another day."""
    return f"{version}~{items}"


def whole_version(version: str) -> str:
    """The version that a partition has once nothing is left for another day."""
    return _PART.sub("", version)


def is_part(version: str | None) -> bool:
    """Whether a partition of that version leaves something for another day."""
    return version is not None and _PART.search(version) is not None


def window_version(lake: Lake, window: Sequence[TeamDay], jobs: Sequence[ClusteringJob]) -> str:
    """Version of what the window's embeddings were made from, as stored in the lake, and of the jobs that it has."""
    return combine({day: lake.source_version("embeddings", day) or "" for day in window}, jobs)


def summaries_version(items_version: str, jobs: Sequence[ClusteringJob]) -> str:
    """Version of a day's summaries: of its items, and of which of them the jobs want."""
    return _with(items_version, items_tag(jobs))


def embeddings_version(summaries_version: str, recipe: str) -> str:
    """Version of a day's embeddings: of its summaries, and of what turns them into vectors."""
    return f"{summaries_version}/{recipe}" if summaries_version else ""


def is_version_of(embeddings: str | None, summaries_version: str) -> bool:
    """Whether embeddings of version `embeddings` were made from summaries of that version."""
    return embeddings is not None and embeddings.partition("/")[0] == summaries_version


def combine(versions: Mapping[TeamDay, str], jobs: Sequence[ClusteringJob]) -> str:
    """One version out of a version a day and the jobs; days without items do not count."""
    lines = [f"{day} {version}" for day, version in sorted(versions.items()) if version]
    version = hashlib.sha256("\n".join([ALGORITHM_VERSION, *lines]).encode()).hexdigest() if lines else ""
    return _with(version, runs_tag(jobs))


def _with(version: str, tag: str) -> str:
    """`version` as it is without a tag: a team without jobs of its own has the versions that it always had."""
    return hashlib.sha256(f"{version}\n{tag}".encode()).hexdigest() if version and tag else version


def run_days(team_day: TeamDay, runs: Sequence[ClusteringRunRow]) -> list[TeamDay]:
    """The days that the clustering runs of a partition looked at, oldest first."""
    days = max(((run["window_end"] - run["window_start"]).days for run in runs), default=1)
    return team_day.window(days)
