"""`llma search`: the items whose summaries come nearest to a question."""

from datetime import date
from typing import Annotated, Any

import typer

from llma_assets.cli.output import console, errors, print_json, print_rows, safe
from llma_assets.cli.project import Project, parse_day
from llma_assets.errors import InputRejected
from llma_assets.team_day import check_team
from llma_assets.vocabulary import Level

SMOKE_TEST = "lsa sees which words two texts share, not what they mean; these similarities say little"


def search(
    question: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in your own words.")],
    team: Annotated[str | None, typer.Option(help="Only this team.")] = None,
    level: Annotated[str, typer.Option(help="trace or generation.")] = Level.TRACE,
    first: Annotated[str | None, typer.Option("--from", help="First UTC day, YYYY-MM-DD.")] = None,
    to: Annotated[str | None, typer.Option(help="Last UTC day.")] = None,
    limit: Annotated[int, typer.Option(help="Items to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find items by meaning: the question gets a vector by the model that made those of the summaries, and the nearest
    ones are listed, each with its cluster in the newest clustering run that holds it."""
    from llma_assets.queries.search import Scope, ask, check_limit, checked_question
    from llma_assets.resources.clock import Clock

    asked = checked_question(question)
    check_limit(limit)
    project = Project()
    scope = Scope(checked_team(project, team), checked_level(level), *checked_days(project, first, to))
    searched, rows = ask(project.lake, project.settings, scope, asked, limit, Clock().now)
    if as_json:
        print_json({"query": asked, "model": searched.model, "items_searched": searched.items, "results": rows})
    else:
        _print(project, rows, searched)
    for model, items in searched.other_models.items():
        line = f"not searched: {items} items whose vectors are by {model}; run their days again to have one model"
        errors.print(safe(line), style="yellow", markup=False, highlight=False)


def _print(project: Project, rows: list[Any], searched: Any) -> None:
    console.print(f"{searched.items} items searched by {searched.model}", style="dim", markup=False, highlight=False)
    if project.settings.embedder == "lsa":
        console.print(SMOKE_TEST, style="yellow")
    several = len({row["team_id"] for row in rows}) > 1
    shown = [
        {"rank": row["rank"], "similarity": round(row["similarity"], 3), "date": row["date"]}
        | ({"team": row["team_id"]} if several else {})
        | {"title": row["title"], "cluster": row["cluster_title"], "clustering_run": row["clustering_run_id"]}
        | {"item_id": row["item_id"]}
        for row in rows
    ]
    print_rows(shown, False)


def checked_team(project: Project, team: str | None) -> str | None:
    """The team, if one was named and it has vectors or summaries.

    Raises:
        InputRejected: the name cannot be a team's, or nothing of it is in the lake.
    """
    if team is None:
        return None
    check_team(team)
    known = project.lake.teams("trace_summaries")
    if team not in known:
        there = ", ".join(known) or "none yet; type: llma ingest PATH --team TEAM"
        raise InputRejected(f"--team: {team!r} has no summaries in {project.lake.root} (teams: {there})")
    return team


def checked_level(level: str) -> str:
    """The level.

    Raises:
        InputRejected: it is neither trace nor generation.
    """
    if level not in set(Level):
        raise InputRejected(f"--level: {level!r} is not one of {', '.join(Level)}")
    return str(level)


def checked_days(project: Project, first: str | None, to: str | None) -> tuple[date, date]:
    """First and last UTC day; what is not given is open: from the start date, to today.

    Raises:
        InputRejected: a day that has no partition, or the last before the first.
    """
    from llma_assets.resources.clock import Clock

    settings = project.settings
    begin = parse_day(first, "--from", settings) if first else settings.start_date
    end = parse_day(to, "--to", settings) if to else Clock().now().date()
    if end < begin:
        raise InputRejected(f"--to: {end} is before --from {begin}")
    return begin, end
