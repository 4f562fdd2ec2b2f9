"""`llma demo`: real traces of two teams, from files to named clusters, as the sensor would do it."""

import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer

from llma_assets.cli.output import console, safe
from llma_assets.cli.project import Project, Rows
from llma_assets.cli.run import tell
from llma_assets.settings import load_settings

TEAMS = ("airline", "assistant")


def demo(
    embedder: Annotated[str | None, typer.Option(help="minilm (default), lsa for a smoke test, openai.")] = None,
    provider: Annotated[str | None, typer.Option(help="openai: summaries and names by a model.")] = None,
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server, with --provider openai.")] = None,
) -> None:
    """Run the whole pipeline on real traces that ship with the package. No key, no server."""
    _choose(embedder, provider, base_url)
    from llma_assets.providers import embedder_of

    started = time.monotonic()
    project = Project()
    settings = load_settings()
    # Stops here, before any work, if the local model is missing.
    chosen = embedder_of(settings)
    model = chosen.server_model or chosen.model
    console.print(f"lake {project.lake.root}; embedder {model}; summarizer {settings.summarizer}", markup=False)
    if settings.embedder == "lsa":
        console.print("lsa is a smoke test: these clusters say little", style="yellow")
    _ingest(project)
    failed = run_due(project)
    project.refresh_views_file()
    _show(project)
    console.print(f"\ndone in {time.monotonic() - started:.0f} s", style="bold")
    for path in report_pages(project):
        console.print(f"open it in a browser: {path}", markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _choose(embedder: str | None, provider: str | None, base_url: str | None) -> None:
    """Options are settings by another name, so that everything below reads one place."""
    import os

    from llma_assets import providers
    from llma_assets.providers.provider import Kind

    # Only the demo's own teams: what else is in the lake is not run, and not paid for, by a demo.
    only = {"LLMA_TEAMS_ALLOW": ",".join(TEAMS), "LLMA_TEAMS_GUARANTEED": "", "LLMA_TEAMS_SKIP": ""}
    chosen = only | {"LLMA_EMBEDDER": embedder, "LLMA_OPENAI_BASE_URL": base_url}
    if provider is not None:
        chosen |= {"LLMA_SUMMARIZER": provider, "LLMA_LABELER": provider}
        if provider in providers.names(Kind.EMBEDDER) and embedder is None:
            chosen["LLMA_EMBEDDER"] = provider
    os.environ.update({name: value for name, value in chosen.items() if value is not None})


def _ingest(project: Project) -> None:
    from llma_assets.cli.ingest import ingest_files
    from llma_assets.resources.clock import Clock

    for team in TEAMS:
        with as_file(files("llma_assets.demo") / "data" / f"{team}.parquet") as path:
            ingest_files(project, [path], team, Clock().now())


def run_due(project: Project) -> int:
    """Ask the discovery sensor what is due and run it, until nothing is; the number of failed runs."""
    import dagster as dg

    from llma_assets.automation.team_discovery_sensor import team_discovery_sensor
    from llma_assets.definitions import resources
    from llma_assets.instance import execute, open_instance
    from llma_assets.partitions import TEAM_PARTITIONS_NAME, team_day_of

    cursor, failed = None, 0
    with open_instance(project.settings) as instance:
        while True:
            outside = {k: v for k, v in resources(project.settings).items() if k in ("lake", "event_source", "clock")}
            with dg.build_sensor_context(instance=instance, cursor=cursor, resources=outside) as context:
                tick: Any = team_discovery_sensor(context)
            cursor = tick.cursor
            for request in tick.dynamic_partitions_requests or []:
                instance.add_dynamic_partitions(TEAM_PARTITIONS_NAME, request.partition_keys)
                console.print(f"discovered: {', '.join(request.partition_keys)}", markup=False)
            if not tick.run_requests:
                return failed
            for request in tick.run_requests:
                begun = time.monotonic()
                day = team_day_of(request.partition_key)
                tags = {**request.tags, "dagster/run_key": request.run_key}
                result = execute(request.job_name, day, instance, tags=tags, log_level="CRITICAL")
                outcome = tell(day, request.job_name, result, time.monotonic() - begun)
                failed += outcome["state"] == "failed"


def _show(project: Project) -> None:
    from llma_assets.cli.clusters import clusters
    from llma_assets.cli.inspect import status

    status()
    newest = project.rows(
        "SELECT max_by(clustering_run_id, date) AS run FROM runs WHERE status = 'clustered' AND level = 'trace' "
        "AND team_id IN (SELECT unnest($teams)) GROUP BY team_id ORDER BY team_id",
        {"teams": list(TEAMS)},
    )
    for row in newest:
        console.print()
        clusters(row["run"])
    maps = [write_map(project, row["run"]) for row in newest]
    console.print()
    for path in maps:
        console.print(f"map: {path}", markup=False, highlight=False, soft_wrap=True)
    last = newest[-1]["run"] if newest else "RUN"
    for line in (
        "what to type next:",
        "  llma report --team airline     the clusters as a page, opened in the browser",
        "  llma dev                       the same in the Dagster UI",
        f"  llma clusters {last}",
        '  llma sql "SELECT title, size FROM clusters ORDER BY size DESC LIMIT 10"',
        "  llma ingest PATH --team TEAM   your own traces",
    ):
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)


def report_pages(project: Project) -> list[str]:
    """The explorer's page of each team's newest day."""
    newest = project.rows(
        "SELECT max_by(file, date) AS file FROM cluster_report WHERE team_id IN (SELECT unnest($teams)) "
        "GROUP BY team_id ORDER BY team_id",
        {"teams": list(TEAMS)},
    )
    return [f"{project.lake.root}/{row['file']}" for row in newest]


def write_map(project: Project, run: str) -> Path:
    """The cluster map of a run as `LLMA_HOME/maps/<run>.png`."""
    from llma_assets.presentation.cluster_map import cluster_map

    items: Rows = project.rows(
        "SELECT x, y, cluster_id FROM cluster_items WHERE clustering_run_id = $run", {"run": run}
    )
    named = project.rows("SELECT cluster_id, title FROM clusters WHERE clustering_run_id = $run", {"run": run})
    titles = {cluster["cluster_id"]: safe(cluster["title"]) for cluster in named}
    path = project.settings.home.resolve() / "maps" / f"{run}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cluster_map(items, titles, f"{run}: {len(items)} items"))
    return path
