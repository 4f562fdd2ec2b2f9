"""`llma`: the front door of the command line. Each command lives in a module named after it."""

import sys

import typer

from llma_assets.cli import (
    alerts,
    clusters,
    demo,
    dev,
    doctor,
    estimate,
    export,
    ingest,
    inspect,
    jobs,
    report,
    run,
    search,
)
from llma_assets.errors import InputRejected, LlmaError
from llma_assets.version import __version__

INTERRUPTED = 130
STOPPED = "stopped; what was finished is kept, the same command goes on from there"

app = typer.Typer(
    name="llma",
    help="Turns LLM traces into named clusters, per team, per day. LLMA_HOME picks the lake (default: .llma).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llma_assets {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("ingest")(ingest.ingest)
app.command("estimate")(estimate.estimate)
app.command("run")(run.run)
app.command("teams")(inspect.teams)
app.command("status")(inspect.status)
app.command("runs")(inspect.runs)
app.command("clusters")(clusters.clusters)
app.command("export")(export.export)
app.command("report")(report.report)
app.command("search")(search.search)
app.command("trace")(inspect.trace)
app.command("sql")(inspect.sql)
app.add_typer(jobs.app, name="jobs")
app.add_typer(alerts.app, name="alerts")
app.command("doctor")(doctor.doctor)
app.command("dev")(dev.dev)


def main() -> None:
    """Run the command; an error that we raise on purpose is one line, exit code 2 for wrong input."""
    from llma_assets.cli.output import errors, safe

    try:
        app()
    except LlmaError as error:
        errors.print(f"error: {safe(str(error))}", style="bold red", markup=False, highlight=False)
        sys.exit(2 if isinstance(error, InputRejected) else 1)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        errors.print(f"error: {safe(str(error))}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            errors.print(STOPPED, markup=False)
        raise
    except (KeyboardInterrupt, RuntimeError) as error:
        # DuckDB tells an interrupt as a RuntimeError of its own.
        if isinstance(error, RuntimeError) and "interrupted" not in str(error).lower():
            raise
        errors.print(STOPPED, markup=False)
        sys.exit(INTERRUPTED)
