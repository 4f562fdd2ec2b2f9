"""Changes to the jobs file: one team at a time, under a lock, written whole or not at all."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llma_assets.clustering_jobs.file import JobsFile, teams_of
from llma_assets.clustering_jobs.job import ClusteringJob, TeamJobs
from llma_assets.errors import InputRejected
from llma_assets.lake.locks import file_lock
from llma_assets.lake.store import beside_path, commit_beside
from llma_assets.settings import Settings
from llma_assets.team_day import check_team

LOCK_TIMEOUT_S = 10.0


def edit_jobs(team: str, settings: Settings, change: Callable[[TeamJobs], TeamJobs]) -> TeamJobs:
    """Replace the jobs of `team` by what `change` makes of them, and return those. Sections of other teams stay as
    they are, with their comments.

    Raises:
        InputRejected: the file or the change is wrong; then the file is left as it was.
        PartitionLocked: another process is changing it.
    """
    check_team(team)
    # A link to a file that is kept elsewhere stays a link.
    path = Path(os.path.realpath(settings.jobs_path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(str(path.parent), f"{path.name}.lock", LOCK_TIMEOUT_S):
        content = path.read_bytes() if path.exists() else b"teams: {}\n"
        teams = dict(teams_of(path, content))
        changed = change(JobsFile(path, teams, settings.max_jobs_per_team).of(team))
        section = _section(changed)
        teams = {name: of_team for name, of_team in teams.items() if name != team} | (
            {team: section} if section else {}
        )
        written = _with_section(content.decode("utf-8-sig"), team, section)
        if written is None or not _says(written, teams):
            # Not laid out as we do: the values are kept, comments inside are not.
            written = _head(content.decode("utf-8-sig")) + _dumped({"teams": teams})
        # As it will be read.
        JobsFile(path, teams_of(path, written.encode()), settings.max_jobs_per_team).of(team)
        beside = beside_path(path)
        with open(beside, "w", encoding="utf-8") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        commit_beside(beside, path)
    return changed


def _says(text: str, teams: Mapping[str, Any]) -> bool:
    """Whether `text` is a jobs file with just these sections."""
    try:
        return teams_of(Path(), text.encode()) == teams
    except InputRejected:
        return False


def _section(jobs: TeamJobs) -> dict[str, Any]:
    section: dict[str, Any] = {}
    if jobs.own:
        section["jobs"] = [_entry(job) for job in jobs.own]
    if jobs.defaults:
        section["defaults"] = {str(level): enabled for level, enabled in jobs.defaults}
    return section


def _entry(job: ClusteringJob) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": job.job_id, "name": job.name, "level": str(job.level)}
    if job.filters:
        entry["filters"] = job.filter_texts
    if not job.enabled:
        entry["enabled"] = False
    return entry


def _with_section(text: str, team: str, section: dict[str, Any]) -> str | None:
    """`text` with the lines of one team replaced; None where they cannot be told from the rest."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    (_, teams), *_ = root.value
    if teams.flow_style or not teams.value:
        return None
    keys = [key for key, _ in teams.value]
    names = [key.value for key in keys]
    starts = [text.rfind("\n", 0, key.start_mark.index) + 1 for key in keys]
    ends = [*starts[1:], teams.end_mark.index]
    at = names.index(team) if team in names else len(names) - 1
    start, end = starts[at], starts[at] + len(_without_trailing_comments(text[starts[at] : ends[at]]))
    if team not in names:
        start = end
    indent = " " * keys[at].start_mark.column
    lines = _dumped({team: section}).splitlines() if section else []
    added = "".join(f"{indent}{line}\n" for line in lines)
    if start and not text[:start].endswith("\n"):
        added = "\n" + added
    return text[:start] + added + text[end:]


def _without_trailing_comments(text: str) -> str:
    """`text` without its last lines that are blank or comments: they belong to what follows."""
    lines = text.splitlines(keepends=True)
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return "".join(lines)


def _head(text: str) -> str:
    """The comments at the beginning of the file."""
    head = []
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            break
        head.append(line)
    return "".join(head)


def _dumped(value: Any) -> str:
    import yaml

    # No line is folded: a filter stays on its line, for a diff that is read.
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000))


def find_job(jobs: TeamJobs, reference: str) -> ClusteringJob:
    """The job that a person names by id, name, or `default-trace`; an id goes before another job's name.

    Raises:
        InputRejected: there is none.
    """
    by_id = {job.reference: job for job in jobs.all()}
    by_name = {job.name: job for job in jobs.all()}
    if found := by_id.get(reference) or by_name.get(reference):
        return found
    known = ", ".join(job.reference for job in jobs.all())
    raise InputRejected(f"JOB: there is no clustering job {reference!r} (jobs: {known})")
