"""`llma export`: a clustering run, a cluster or a period as a file."""

import sys
from collections.abc import Callable
from typing import Annotated, Any, BinaryIO

import typer

from llma_assets.cli.output import console, print_json, safe
from llma_assets.cli.project import Project
from llma_assets.cli.search import checked_days, checked_level, checked_team
from llma_assets.errors import InputRejected
from llma_assets.vocabulary import Level

STANDARD_OUTPUT = "-"
DOCUMENT = "json"
Write = Callable[[BinaryIO], int]


def export(
    out: Annotated[str, typer.Option(help="File to write, or - for standard output.")],
    form: Annotated[
        str, typer.Option("--format", help="csv, parquet or jsonl: a row an item; json: a run as a document.")
    ] = "csv",
    run: Annotated[str | None, typer.Option(help="A clustering run.")] = None,
    cluster: Annotated[int | None, typer.Option(help="With --run: only this cluster; -1 is noise.")] = None,
    team: Annotated[str | None, typer.Option(help="A team's items of a period.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First UTC day of the period.")] = None,
    to: Annotated[str | None, typer.Option(help="Last UTC day of the period.")] = None,
    level: Annotated[str, typer.Option(help="Of a period: trace or generation.")] = Level.TRACE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write items with their clusters, figures and summaries to a file: those of a clustering run, of one cluster of
    it, or of a team's days. A file appears when it is whole."""
    from llma_assets.queries.export.formats import FORMATS
    from llma_assets.queries.export.out_file import checked_out, out_file

    if form not in (*FORMATS, DOCUMENT):
        raise InputRejected(f"--format: {form!r} is not one of {', '.join((*FORMATS, DOCUMENT))}")
    project = Project()
    write = _of_run(project, form, run, cluster) if run else _of_days(project, form, team, first, to, level)
    if run and (team or first or to):
        raise InputRejected("--run: a run has its team and days; leave out --team, --from and --to")
    if out == STANDARD_OUTPUT:
        if form in ("csv", "parquet") and sys.stdout.isatty():
            raise InputRejected(f"--out: {form} does not go to a terminal; name a file, or use a pipe")
        write(sys.stdout.buffer)
        return
    target = checked_out(out, project.lake, force)
    with out_file(target) as file:
        rows = write(file)
    told = "1 run" if form == DOCUMENT else f"{rows} items"
    console.print(safe(f"{told} written to {target}"), markup=False, highlight=False, soft_wrap=True)


def _of_run(project: Project, form: str, run: str, cluster: int | None) -> Write:
    from llma_assets.cli.clusters import run_document, run_row
    from llma_assets.queries.export.rows import COLUMNS, ExportRows

    row = run_row(project, run, "--run")
    if form == DOCUMENT:
        if cluster is not None:
            raise InputRejected("--cluster: a document holds a whole run; leave it out, or choose another --format")
        return lambda file: _write_document(run_document(project, run), file)
    if cluster is not None:
        of_run = "SELECT DISTINCT cluster_id FROM cluster_items WHERE clustering_run_id = $run ORDER BY cluster_id"
        known = [row["cluster_id"] for row in project.rows(of_run, {"run": run})]
        if cluster not in known:
            raise InputRejected(f"--cluster: {run} has no cluster {cluster}, only {', '.join(map(str, known))}")

    # Titles, summaries and names of tools are one user's.
    with_texts = not project.settings.min_users_per_cluster

    def write(file: BinaryIO) -> int:
        from llma_assets.queries.export.formats import write_rows

        with project.views() as connection:
            return write_rows(ExportRows(connection, with_texts).of_run(row, cluster), COLUMNS, form, file)

    return write


def _of_days(project: Project, form: str, team: str | None, first: str | None, to: str | None, level: str) -> Write:
    from llma_assets.queries.export.rows import COLUMNS, ExportRows

    if team is None or first is None:
        raise InputRejected("--run or --team with --from: say which items are wanted")
    if form == DOCUMENT:
        raise InputRejected("--format: json is a clustering run; name it with --run, or choose csv, parquet or jsonl")
    checked_team(project, team)
    begin, end = checked_days(project, first, to)
    wanted = checked_level(level)

    # Titles, summaries and names of tools are one user's.
    with_texts = not project.settings.min_users_per_cluster

    def write(file: BinaryIO) -> int:
        from llma_assets.queries.export.formats import write_rows

        with project.views() as connection:
            batches = ExportRows(connection, with_texts).of_days(project.lake, team, wanted, begin, end)
            return write_rows(batches, COLUMNS, form, file)

    return write


def _write_document(document: dict[str, Any], file: BinaryIO) -> int:
    print_json(document, file)
    return 1
