"""Commands that only read: teams, status, runs, trace, sql."""

from datetime import date
from typing import Annotated, Any

import typer

from llma_assets.cli.output import console, print_json, print_rows, safe
from llma_assets.cli.project import Project
from llma_assets.errors import InputRejected
from llma_assets.sql import sql as sql_text
from llma_assets.team_day import check_team

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Team = Annotated[str | None, typer.Option("--team", help="Only this team.")]


def teams(as_json: Json = False) -> None:
    """Teams with events: days, items, and the newest clustering run."""
    rows = Project().rows(sql_text("teams"))
    print_rows(rows, as_json, empty="no team has events yet; type: llma ingest PATH --team TEAM")


def status(team: Team = None, as_json: Json = False) -> None:
    """For each team and day, how far it got; where nothing is shown, why."""
    project = Project()
    rows = project.rows(
        """
        SELECT team_id, date, status, events, items, sampled, summarized, failed, skipped, embedded, clusters, emitted,
               window_items, is_partial, llm_cost_usd, llm_calls, llm_calls_unpriced, llm_input_tokens,
               llm_output_tokens, llm_cache_hits, reason
        FROM team_day_status WHERE $team IS NULL OR team_id = $team ORDER BY team_id, date
        """,
        {"team": team and project.check_has_events(team)},
    )
    due = _due(project, {str(row["team_id"]) for row in rows})
    rows = [row | {"due": due.get((row["team_id"], row["date"]))} for row in rows]
    if not as_json:
        rows = [_short_status(row) for row in rows]
    print_rows(rows, as_json, empty="no events yet; type: llma ingest PATH --team TEAM")


def _due(project: Project, teams: set[str]) -> dict[tuple[str, date], str]:
    """The job that a (team, day) waits for, where its input changed since it was run, or never was."""
    from llma_assets.automation.discovery import plan_team
    from llma_assets.resources.clock import Clock

    now = Clock().now()
    plans = [plan_team(team, project.lake, project.source(), project.settings, now) for team in sorted(teams)]
    due = {(run.team_day.team, run.team_day.day): run.job for plan in plans for run in reversed(plan.due)}
    waiting = {(day.team, day.day): why for plan in plans for day, why in plan.waiting.items() if "due first" in why}
    return waiting | due


def _short_status(row: dict[str, Any]) -> dict[str, Any]:
    """What fits a terminal; `--json` has every figure."""
    why = [row["reason"]] if row["reason"] else []
    why += [f"due: {row['due']}"] if row["due"] else []
    told = row["reason"] or ""
    why += [f"{reason} {count}" for reason, count in (row["skipped"] or {}).items() if f"{reason} (" not in told]
    names = ("date", "status", "events", "items", "sampled", "summarized", "embedded", "clusters", "emitted")
    shown = {"team": row["team_id"]} | {name: row[name] for name in names}
    return shown | {"llm": _spend(row), "why": ", ".join(why)}


def _spend(row: dict[str, Any]) -> str:
    """What the LLM calls for a day cost, and how many there were."""
    if not row["llm_calls"]:
        return ""
    if row["llm_calls_unpriced"] == row["llm_calls"]:
        return f"{row['llm_calls']} calls, price unknown"
    rest = f", {row['llm_calls_unpriced']} of unknown price" if row["llm_calls_unpriced"] else ""
    return f"${row['llm_cost_usd']:.4g}, {row['llm_calls']} calls{rest}"


def runs(team: Team = None, as_json: Json = False) -> None:
    """Clustering runs, newest first."""
    project = Project()
    rows = project.rows(
        """
        SELECT clustering_run_id, team_id, level, job_name, date, window_start, window_end, status,
               items_analyzed, cluster_count, noise_share, method, reason
        FROM runs WHERE $team IS NULL OR team_id = $team ORDER BY date DESC, team_id, level DESC, clustering_run_id
        """,
        {"team": team and project.check_has_events(team)},
    )
    if not as_json:
        # The id ends with that of the job, the window with the day; a row is to fit a line, its id above all.
        rows = [{name: row[name] for name in row if name not in ("job_name", "window_end")} for row in rows]
    print_rows(rows, as_json, empty="no clustering run yet; type: llma run --team TEAM --date DATE")


def trace(
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="A trace id.")],
    team: Team = None,
    as_json: Json = False,
) -> None:
    """One trace: its numbered text, its summary, and the clusters that it is in."""
    from llma_assets.traces.text import render_trace

    project = Project()
    found = project.rows(
        "SELECT DISTINCT team_id FROM trace_events WHERE trace_id = $id AND ($team IS NULL OR team_id = $team)",
        {"id": trace_id, "team": team and check_team(team)},
    )
    if not found:
        raise InputRejected(f"ID: no trace {trace_id!r} was ingested" + (f" for team {team}" if team else ""))
    if len(found) > 1:
        names = ", ".join(sorted(row["team_id"] for row in found))
        raise InputRejected(f"ID: {trace_id!r} is a trace of several teams ({names}); say which with --team")
    team = str(found[0]["team_id"])
    events = _trace_events(project, team, trace_id)
    text = render_trace(events, project.settings.max_text_chars).text if events else ""
    summaries = project.rows(
        "SELECT level, title, status, reason, summary_bullets, interesting_notes, item_cost_usd, item_latency_s, "
        "item_error_count FROM trace_summaries WHERE team_id = $team AND trace_id = $id AND level = 'trace'",
        {"team": team, "id": trace_id},
    )
    places = project.rows(
        "SELECT i.clustering_run_id, i.cluster_id, c.title, i.rank, i.distance_to_centroid FROM cluster_items AS i "
        "JOIN clusters AS c USING (team_id, clustering_run_id, cluster_id) "
        "WHERE i.team_id = $team AND i.trace_id = $id AND i.level = 'trace' ORDER BY i.clustering_run_id",
        {"team": team, "id": trace_id},
    )
    if as_json:
        print_json({"team_id": team, "trace_id": trace_id, "text": text, "summary": summaries, "clusters": places})
        return
    console.print(safe(text), markup=False, highlight=False)
    for row in summaries:
        console.print(
            f"\n{safe(row['title'] or '')}  {row['status']} {row['reason'] or ''}", style="bold", markup=False
        )
        for note in row["summary_bullets"] + row["interesting_notes"]:
            console.print(f"- {safe(note['text'])}  {note['line_refs']}", markup=False, highlight=False)
    print_rows(places, False, title="clusters", empty="in no cluster yet")


def _trace_events(project: Project, team: str, trace_id: str) -> list[Any]:
    from llma_assets.team_day import TeamDay

    days = project.rows(
        "SELECT min(date) AS first, max(date) AS last FROM trace_events WHERE team_id = $team AND trace_id = $id",
        {"team": team, "id": trace_id},
    )[0]
    return next(project.source().traces(TeamDay(team, days["first"]), [trace_id], days["last"]), [])


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One statement that reads.")],
    as_json: Json = False,
) -> None:
    """Ask the views in SQL: events, runs, clusters, cluster_items, cluster_metrics, team_day_status, …"""
    print_rows(Project().rows(query), as_json, empty="no rows")
