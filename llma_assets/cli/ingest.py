"""`llma ingest`: events from files into the lake."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from llma_assets.cli.output import console, print_json, safe
from llma_assets.cli.project import Project
from llma_assets.ingest.report import IngestReport
from llma_assets.lake import Lake
from llma_assets.settings import Settings
from llma_assets.team_day import TeamDay, check_team


def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs: JSONL, .gz, Parquet.")],
    team: Annotated[str, typer.Option(help="The team that the events belong to.")],
    max_bad_share: Annotated[
        float, typer.Option(min=0, max=1, help="Refuse a file with more bad rows than this.")
    ] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read PostHog-shaped events into the lake. The same file twice changes nothing; bad rows are quarantined."""
    from llma_assets.ingest import find_inputs
    from llma_assets.resources.clock import Clock

    project = Project()
    check_team(team)
    reports = ingest_files(project, find_inputs(paths), team, Clock().now(), max_bad_share, quiet=as_json)
    project.refresh_views_file()
    if as_json:
        print_json([_as_dict(report) for report in reports])
    elif reports:
        _print_totals(reports, team)


def ingest_files(
    project: Project, files: list[Path], team: str, ingested_at: Any, max_bad_share: float = 0.5, quiet: bool = False
) -> list[IngestReport]:
    """Ingest each file, tell Dagster which partitions grew, and show how far it is."""
    from llma_assets.ingest import ingest_file

    reports = []
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as progress:
        for path in files:
            task = progress.add_task(safe(path.name), total=None)

            def advance(done: int, total: int, task: Any = task) -> None:
                progress.update(task, completed=done, total=total)

            report = ingest_file(
                project.lake, path, team, ingested_at, on_progress=advance, max_bad_share=max_bad_share
            )
            progress.remove_task(task)
            reports.append(report)
            # At once: a later file may be refused, and what is in the lake is known to Dagster.
            report_materializations(project.lake, project.settings, team, [report])
            if not quiet:
                _print_report(report)
    return reports


def report_materializations(lake: Lake, settings: Settings, team: str, reports: list[IngestReport]) -> None:
    """Record in Dagster what arrived, a materialization of trace_events for each (team, day)."""
    import dagster as dg

    from llma_assets.instance import open_instance
    from llma_assets.partitions import TEAM_PARTITIONS_NAME, partition_key

    rows: dict[Any, int] = {}
    for report in reports:
        if not report.already_ingested:
            for day, count in report.rows_by_date.items():
                rows[day] = rows.get(day, 0) + count
    known = sorted(day for day in rows if day >= settings.start_date)
    if not known:
        return
    with open_instance(settings) as instance:
        if team not in instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME):
            instance.add_dynamic_partitions(TEAM_PARTITIONS_NAME, [team])
        for day in known:
            team_day = TeamDay(team, day)
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    "trace_events",
                    partition=partition_key(team_day),
                    metadata={
                        "rows_added": rows[day],
                        "files": len(lake.files("trace_events", team_day)),
                        "path": dg.MetadataValue.path(lake.folder("trace_events", team_day)),
                        "sources": dg.MetadataValue.json([r.source_file for r in reports if day in r.rows_by_date]),
                    },
                )
            )


def _print_report(report: IngestReport) -> None:
    name = safe(report.source_file)
    if report.already_ingested:
        console.print(f"{name}: already ingested, nothing changed", markup=False, highlight=False)
        return
    parts = [f"{report.rows_kept} events", f"{len(report.dates)} days"]
    if report.rows_quarantined:
        reasons = ", ".join(f"{reason} {count}" for reason, count in report.quarantined_by_reason.items())
        parts.append(f"{report.rows_quarantined} rows quarantined ({reasons})")
    if report.values_nulled:
        parts.append(f"{report.values_nulled} impossible values emptied")
    console.print(f"{name}: " + ", ".join(parts), markup=False, highlight=False)


def _print_totals(reports: list[IngestReport], team: str) -> None:
    kept = sum(report.rows_kept for report in reports if not report.already_ingested)
    days = sorted({day for report in reports for day in report.dates})
    span = f"; days {days[0]} to {days[-1]}" if days else ""
    bad = sum(report.rows_quarantined for report in reports if not report.already_ingested)
    console.print(
        f"team {team}: {kept} events added from {len(reports)} files, {bad} rows quarantined{span}",
        style="bold",
        markup=False,
    )
    if bad:
        console.print('look at them: llma sql "SELECT * FROM quarantine"', style="dim", markup=False)
    if days:
        console.print(f"next: llma run --team {team} --date {days[-1]}", style="dim", markup=False, highlight=False)


def _as_dict(report: IngestReport) -> dict[str, Any]:
    return {
        "ingest_id": report.ingest_id,
        "source_file": report.source_file,
        "already_ingested": report.already_ingested,
        "rows_read": report.rows_read,
        "rows_kept": report.rows_kept,
        "rows_quarantined": report.rows_quarantined,
        "quarantined_by_reason": {str(k): v for k, v in report.quarantined_by_reason.items()},
        "values_nulled": report.values_nulled,
        "rows_by_date": {day.isoformat(): count for day, count in report.rows_by_date.items()},
    }
