"""`llma`: the front door of the command line. Each command lives in a module named after it."""

import sys

import typer

from llma_assets import __version__
from llma_assets.cli import demo, dev, doctor, ingest, inspect, run
from llma_assets.errors import InputRejected, LlmaError

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
app.command("run")(run.run)
app.command("teams")(inspect.teams)
app.command("status")(inspect.status)
app.command("runs")(inspect.runs)
app.command("clusters")(inspect.clusters)
app.command("trace")(inspect.trace)
app.command("sql")(inspect.sql)
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
    except KeyboardInterrupt:
        errors.print("stopped; what was finished is kept, the same command goes on from there")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        sys.stderr.close()
        sys.exit(0)
