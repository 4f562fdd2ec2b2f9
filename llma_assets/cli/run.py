"""`llma run`: summaries and clusters of a team's days, through Dagster, in this process."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import typer

from llma_assets.cli.output import console, print_json, print_rows, safe
from llma_assets.cli.project import Project, parse_day
from llma_assets.errors import InputRejected
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import CLUSTERING_METHODS


def run(
    team: Annotated[str, typer.Option(help="The team.")],
    date: Annotated[str, typer.Option(help="UTC day, YYYY-MM-DD: the last day of the window.")],
    to: Annotated[str | None, typer.Option(help="Do every day from --date to this one.")] = None,
    lookback_days: Annotated[int | None, typer.Option(min=1, max=90, help="Days of the window.")] = None,
    max_samples: Annotated[int | None, typer.Option(min=20, max=10_000, help="Items to learn from.")] = None,
    method: Annotated[str | None, typer.Option(help=f"One of {', '.join(CLUSTERING_METHODS)}.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's log.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Summarize, embed, cluster, name and emit. Exit code 0: every day is shown; 3: a day has nothing to show, or
    waits for a batch, and the reason is printed; 1: a run failed."""
    project = Project()
    first = parse_day(date, "--date", project.settings)
    last = parse_day(to, "--to", project.settings) if to else first
    if last < first:
        raise InputRejected(f"--to: {last} is before --date {first}")
    if method not in (None, *CLUSTERING_METHODS):
        raise InputRejected(f"--method: {method!r} is not one of {', '.join(CLUSTERING_METHODS)}")
    project.check_has_events(team)
    config = {"lookback_days": lookback_days, "max_samples": max_samples, "method": method}
    config = {name: value for name, value in config.items() if value is not None}
    days = [TeamDay(team, first + timedelta(days=n)) for n in range((last - first).days + 1)]
    outcomes = list(_run_days(project, days, config, "INFO" if verbose else "CRITICAL", quiet=as_json))
    project.refresh_views_file()
    _print(project, days, outcomes, as_json)


def _run_days(
    project: Project, days: list[TeamDay], config: dict[str, Any], log_level: str, quiet: bool
) -> Iterator[Any]:
    from llma_assets.instance import execute, open_instance

    lookback = config.get("lookback_days", project.settings.window_days)
    run_config = {"ops": {"cluster_assignments": {"config": config}}} if config else {}
    # The days themselves, and those of their windows whose summaries are not made of what is there now.
    to_summarize = set(days) | _days_due(project, days[0].team)
    with open_instance(project.settings) as instance:
        for day in days:
            first = [due_day for due_day in day.window(lookback) if due_day in to_summarize]
            to_summarize -= set(first)
            waiting = False
            for job, due_day in [*(("summarize_traces", due_day) for due_day in first), ("cluster_traces", day)]:
                if job == "cluster_traces" and waiting:
                    continue  # It would be clustered without the days that wait.
                begun = time.monotonic()
                chosen = run_config if job == "cluster_traces" else {}
                result = execute(job, due_day, instance, run_config=chosen, log_level=log_level)
                outcome = tell(due_day, job, result, time.monotonic() - begun, quiet)
                waiting = waiting or outcome["state"] == "waiting"
                yield outcome


def _days_due(project: Project, team: str) -> set[TeamDay]:
    from llma_assets.automation.discovery import days_to_summarize
    from llma_assets.resources.clock import Clock

    return days_to_summarize(team, project.lake, project.source(), project.settings, Clock().now())


def tell(day: TeamDay, job: str, result: Any, duration_s: float, quiet: bool = False) -> dict[str, Any]:
    """Say how a run ended, and return it. `nothing` is a partition that a check rejected as empty, `waiting` one whose
    summaries are being made in a batch."""
    rejected = [check for check in result.get_asset_check_evaluations() if not check.passed]
    failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    errors = [_innermost(error) for error in failures if error and "AssetCheckFailed" not in (error.cls_name or "")]
    state = "ok" if result.success else ("nothing" if rejected and not errors else "failed")
    if state == "ok" and not any(event.is_step_materialization for event in result.all_events):
        state = "waiting"
    if not quiet:
        style = {"ok": "green", "nothing": "yellow", "waiting": "yellow", "failed": "bold red"}[state]
        line = f"  {job:<17} {day}  {state}  {duration_s:.1f} s"
        console.print(line, style=style, markup=False, highlight=False)
        for error in errors:
            console.print(f"    {safe(error)}", style="red", markup=False, highlight=False)
    return {"partition": str(day), "job": job, "state": state, "dagster_run_id": result.run_id, "errors": errors}


def _innermost(error: Any) -> str:
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip()


def _print(project: Project, days: list[TeamDay], outcomes: list[dict[str, Any]], as_json: bool) -> None:
    shown = project.rows(
        "SELECT date, status, items, summarized, embedded, clusters, emitted, reason FROM team_day_status "
        "WHERE team_id = $team AND date BETWEEN $first AND $last ORDER BY date",
        {"team": days[0].team, "first": days[0].day, "last": days[-1].day},
    )
    runs = project.rows(
        "SELECT clustering_run_id, status, items_analyzed, cluster_count, reason FROM runs "
        # Last is the run to look at: the default job's, whose id begins those of the others.
        "WHERE team_id = $team AND date BETWEEN $first AND $last ORDER BY date, level, clustering_run_id DESC",
        {"team": days[0].team, "first": days[0].day, "last": days[-1].day},
    )
    if as_json:
        print_json({"runs": outcomes, "status": shown, "clustering_runs": runs})
    else:
        print_rows(shown, False, empty="no events on these days")
        clustered = [row["clustering_run_id"] for row in runs if row["status"] == "clustered"]
        if clustered:
            console.print(f"look at them: llma clusters {clustered[-1]}", style="dim", markup=False, highlight=False)
    if any(outcome["state"] == "failed" for outcome in outcomes):
        raise typer.Exit(1)
    if any(outcome["state"] == "waiting" for outcome in outcomes):
        if not as_json:
            line = "the same command collects what the batch has made; openai_batch_sensor does so by itself"
            console.print(line, style="dim", markup=False)
        raise typer.Exit(3)
    shown_days = {row["date"] for row in shown if row["status"] == "shown"}
    if not {day.day for day in days} <= shown_days:
        raise typer.Exit(3)
