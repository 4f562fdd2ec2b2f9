"""`llma jobs`: the clustering jobs of a team, in the file that LLMA_JOBS_FILE names (default: LLMA_HOME/jobs.yaml)."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from llma_assets.cli.output import console, print_json, print_rows, safe
from llma_assets.clustering_jobs import ClusteringJob
from llma_assets.clustering_jobs.edit import edit_jobs, find_job
from llma_assets.clustering_jobs.file import load_jobs
from llma_assets.clustering_jobs.filters import parse_filter
from llma_assets.clustering_jobs.job import TeamJobs, id_of_name
from llma_assets.errors import InputRejected
from llma_assets.settings import Settings, load_settings
from llma_assets.team_day import check_team
from llma_assets.vocabulary import Level

app = typer.Typer(help="Clustering jobs: which items of a team are clustered together.", no_args_is_help=True)

Team = Annotated[str, typer.Option("--team", help="The team.")]
Job = Annotated[str, typer.Argument(metavar="JOB", help="Its id or name; default-trace, default-generation.")]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        help="PROPERTY OPERATOR VALUE, e.g. '$ai_model exact gpt-4o'; several must all hold for one event. "
        "Operators: exact, is_not, contains, not_contains, gt, lt, is_set, is_not_set, regex.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_jobs(
    team: Annotated[str | None, typer.Option("--team", help="Only this team.")] = None, as_json: Json = False
) -> None:
    """Every job of a team, or of all teams that have events or jobs of their own."""
    settings = load_settings()
    file = load_jobs(settings)
    teams = [check_team(team)] if team else sorted({*_teams_with_events(settings), *file.teams})
    rows = [_plain(name, job) for name in teams for job in file.of(name).all()]
    if not as_json:
        rows = [row | {"filters": "; ".join(row["filters"]), "enabled": _yes(row["enabled"])} for row in rows]
    print_rows(rows, as_json, empty="no team has events or jobs yet; type: llma ingest PATH --team TEAM")


@app.command()
def get(job: Job, team: Team, as_json: Json = False) -> None:
    """One job."""
    found = find_job(load_jobs(load_settings()).of(check_team(team)), job)
    _tell(team, found, as_json)


@app.command()
def add(
    team: Team,
    name: Annotated[str, typer.Option(help="What people call it; unique in the team, up to 100 characters.")],
    level: Annotated[str, typer.Option(help="trace or generation.")],
    filters: Filters = None,
    job_id: Annotated[str | None, typer.Option("--id", help="Part of run ids: a-z 0-9 -; made of the name.")] = None,
    is_disabled: Annotated[bool, typer.Option("--disabled", help="Add it, and do not run it yet.")] = False,
    as_json: Json = False,
) -> None:
    """Add a job. The default job of its level is disabled by that, unless somebody enabled it."""
    settings = load_settings()
    wanted = tuple(parse_filter(text) for text in filters or [])

    def change(jobs: TeamJobs) -> TeamJobs:
        new_id = id_of_name(name, [job.job_id for job in jobs.own]) if job_id is None else job_id
        return replace(jobs, own=(*jobs.own, ClusteringJob(new_id, name, _level(level), wanted, not is_disabled)))

    changed = edit_jobs(team, settings, change)
    _tell(team, changed.own[-1], as_json)
    if not as_json:
        _say_what_runs(team, changed)
        _say_what_matches(team, changed.own[-1], settings)


@app.command("set")
def change_job(
    job: Job,
    team: Team,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    filters: Filters = None,
    no_filters: Annotated[bool, typer.Option("--no-filters", help="Every item of the level.")] = False,
    as_json: Json = False,
) -> None:
    """Change a job's name or filters. Filters that are given replace all that it has; id and level stay, as the names
    and lineages of its clusters hang on them."""
    if filters and no_filters:
        raise InputRejected("--no-filters: not together with --filter")
    if name is None and not filters and not no_filters:
        raise InputRejected("set: give --name, --filter or --no-filters")
    wanted = tuple(parse_filter(text) for text in filters or [])

    def change(jobs: TeamJobs) -> TeamJobs:
        old = _own(jobs, job)
        new = replace(old, filters=wanted if filters or no_filters else old.filters)
        new = new if name is None else replace(new, name=name)
        return replace(jobs, own=tuple(new if job == old else job for job in jobs.own))

    settings = load_settings()
    changed = edit_jobs(team, settings, change)
    found = find_job(changed, job) if name is None else next(job for job in changed.own if job.name == name)
    _tell(team, found, as_json)
    if not as_json:
        _say_what_matches(team, found, settings)


@app.command()
def enable(job: Job, team: Team, as_json: Json = False) -> None:
    """Run a job again; also a default job beside jobs of the team's own."""
    _switch(job, team, True, as_json)


@app.command()
def disable(job: Job, team: Team, as_json: Json = False) -> None:
    """Run a job no more; also a default job. A team without any that is enabled gets nothing."""
    _switch(job, team, False, as_json)


@app.command()
def rm(job: Job, team: Team, as_json: Json = False) -> None:
    """Remove a job of the team's own. Its clusters go when its days are run again."""

    def change(jobs: TeamJobs) -> TeamJobs:
        gone = _own(jobs, job)
        return replace(jobs, own=tuple(job for job in jobs.own if job != gone))

    changed = edit_jobs(team, load_settings(), change)
    if as_json:
        print_json([_plain(team, job) for job in changed.all()])
    else:
        _say_what_runs(team, changed)


def _switch(reference: str, team: str, enabled: bool, as_json: bool) -> None:
    def change(jobs: TeamJobs) -> TeamJobs:
        found = find_job(jobs, reference)
        if found.job_id:
            new = replace(found, enabled=enabled)
            return replace(jobs, own=tuple(new if job == found else job for job in jobs.own))
        said = dict(jobs.defaults) | {found.level: enabled}
        return replace(jobs, defaults=tuple((level, said[level]) for level in Level if level in said))

    changed = edit_jobs(team, load_settings(), change)
    _tell(team, find_job(changed, reference), as_json)
    if not as_json:
        _say_what_runs(team, changed)


def _own(jobs: TeamJobs, reference: str) -> ClusteringJob:
    found = find_job(jobs, reference)
    if not found.job_id:
        raise InputRejected(f"JOB: {reference!r} is a default job; it can be enabled and disabled, and nothing else")
    return found


def _level(level: str) -> Level:
    if level not in list(Level):
        raise InputRejected(f"--level: {level!r} is not one of {', '.join(Level)}")
    return Level(level)


def _teams_with_events(settings: Settings) -> list[str]:
    from llma_assets.lake import Lake

    return Lake(settings.lake).teams()


def _plain(team: str, job: ClusteringJob) -> dict[str, Any]:
    return {
        "team": team,
        "id": job.reference,
        "name": job.name,
        "level": str(job.level),
        "enabled": job.enabled,
        "filters": job.filter_texts,
    }


def _tell(team: str, job: ClusteringJob, as_json: bool) -> None:
    if as_json:
        print_json(_plain(team, job))
        return
    state = "" if job.enabled else ", disabled"
    console.print(f"{job.reference}  {safe(job.name)}", style="bold", markup=False, highlight=False)
    console.print(f"team {team}, level {job.level}{state}", markup=False, highlight=False)
    for text in job.filter_texts or ["every item of the level"]:
        console.print(f"  {safe(text)}", markup=False, highlight=False, soft_wrap=True)


def _say_what_runs(team: str, jobs: TeamJobs) -> None:
    names = ", ".join(job.reference for job in jobs.all() if job.enabled)
    text = f"team {team} runs: {names}" if names else f"team {team} runs nothing: every job is disabled"
    console.print(text, style="dim", markup=False, highlight=False)


def _say_what_matches(team: str, job: ClusteringJob, settings: Settings) -> None:
    """How many items of the newest day the filters match: a property that is misspelt matches none."""
    if team not in _teams_with_events(settings):
        console.print(f"team {team} has no events yet", style="yellow", markup=False)
        return
    from llma_assets.lake import Lake
    from llma_assets.readers.job_items import jobs_of_day
    from llma_assets.sources.lake_event_source import lake_event_source

    source, day = lake_event_source(settings), Lake(settings.lake).days("trace_events", team)[-1]
    ids = jobs_of_day(source, day, [replace(job, enabled=True)]).popitem()[1]
    items = source.day_items(day, [job.level]).num_rows
    text = f"matches {items if ids is None else len(ids)} of {items} {job.level}s of {day.day}, the newest day"
    console.print(text, style="dim" if ids is None or ids else "yellow", markup=False, highlight=False)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
