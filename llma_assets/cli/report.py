"""`llma report`: the cluster explorer of a team and day, made if need be, opened in the browser."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llma_assets.cli.output import console, print_json, safe
from llma_assets.cli.project import Project, parse_day
from llma_assets.errors import InputRejected
from llma_assets.team_day import TeamDay, check_team

# Days named in an error, newest first.
_DAYS_TOLD = 5


def report(
    team: Annotated[str, typer.Option(help="The team.")],
    date: Annotated[str | None, typer.Option(help="UTC day, YYYY-MM-DD; else the newest one.")] = None,
    level: Annotated[str | None, typer.Option(help="trace or generation: what is shown first.")] = None,
    out: Annotated[str | None, typer.Option(help="Write the page to this file, too.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    open_it: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, open nothing.")] = False,
) -> None:
    """The cluster explorer as one file: the day's page, made anew where what it tells has changed."""
    if level not in (None, "trace", "generation"):
        raise InputRejected(f"--level: {level!r} is not one of trace, generation")
    from llma_assets.queries.export.out_file import checked_out, out_file

    project = Project()
    target = None if out is None else checked_out(out, project.lake, force)
    day = _day(project, check_team(team), date)
    path, is_new = built(project, day)
    if target is not None:
        with out_file(target) as file:
            file.write(project.lake.fs.cat_file(path))
    shown = str(target) if target is not None else path
    if as_json:
        print_json({"team_id": day.team, "date": day.day, "path": shown, "is_new": is_new} | _row(project, day))
        return
    console.print(safe(shown), markup=False, highlight=False, soft_wrap=True)
    if open_it and _has_browser() and (target is not None or project.lake.is_local):
        import webbrowser

        webbrowser.open(Path(shown).resolve().as_uri() + (f"#level={level}" if level else ""))


def built(project: Project, day: TeamDay) -> tuple[str, bool]:
    """The path of the day's page, and whether it was made just now.

    Raises:
        InputRejected: the day has no clusters; says why.
    """
    from llma_assets.stages.cluster_report import TABLE, BuildReport
    from llma_assets.tables.cluster_report import REPORT_PAGE

    lake = project.lake
    stage = BuildReport(lake, project.source(), project.settings, logging.getLogger("llma"))
    path = lake.path(TABLE, day, REPORT_PAGE)
    if lake.fs.exists(path) and lake.source_version(TABLE, day) == stage.version(day):
        return path, False
    if not stage.run(day).items:
        raise InputRejected(f"--date: {day.day} of team {day.team} has no clusters: {_why_nothing(project, day)}")
    return path, True


def _day(project: Project, team: str, date: str | None) -> TeamDay:
    lake = project.lake
    if date is not None:
        day = TeamDay(team, parse_day(date, "--date", project.settings))
        if not lake.exists("cluster_assignments", day):
            raise InputRejected(
                f"--date: {day.day} of team {team} was not clustered; {_days_with_clusters(project, team)}"
            )
        return day
    newest = next(_clustered(project, team), None)
    if newest is None:
        known = ", ".join(lake.teams("cluster_assignments")) or "none"
        raise InputRejected(
            f"--team: {team!r} has no clusters in {lake.root} (teams that have: {known}); type: llma run"
        )
    return newest


def _clustered(project: Project, team: str) -> Any:
    """Days of `team` with clusters, newest first."""
    for day in reversed(project.lake.days("cluster_assignments", team)):
        if any(project.lake.read("cluster_assignments", day, ["items_analyzed"])["items_analyzed"].to_pylist()):
            yield day


def _days_with_clusters(project: Project, team: str) -> str:
    from itertools import islice

    days = [day.day.isoformat() for day in islice(_clustered(project, team), _DAYS_TOLD)]
    return f"days with clusters: {', '.join(days)}" if days else f"no day of {team} was; type: llma run"


def _why_nothing(project: Project, day: TeamDay) -> str:
    found = project.rows(
        "SELECT reason FROM team_day_status WHERE team_id = $team AND date = $day", {"team": day.team, "day": day.day}
    )
    return (found[0]["reason"] if found else None) or "no_items"


def _row(project: Project, day: TeamDay) -> dict[str, Any]:
    (row,) = project.lake.read("cluster_report", day).to_pylist()
    return {name: value for name, value in row.items() if name not in ("team_id", "date", "file")}


def _has_browser() -> bool:
    """Whether a browser could show it: not on a server without a display."""
    if os.environ.get("BROWSER") or sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
