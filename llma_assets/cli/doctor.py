"""`llma doctor`: what is missing, and what to type."""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from llma_assets.cli.output import console, print_json, safe
from llma_assets.errors import LlmaError
from llma_assets.settings import Settings, load_settings

DoctorCheck = tuple[str, Callable[[Settings], str]]


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check the set-up. Exit code 1 if something is missing."""
    try:
        settings = load_settings()
    except LlmaError as error:
        results = [{"check": "settings", "ok": False, "detail": str(error)}]
    else:
        results = [_result(name, check, settings) for name, check in _CHECKS]
    if as_json:
        print_json(results)
    else:
        for result in results:
            mark, style = ("ok     ", "green") if result["ok"] else ("missing", "bold red")
            console.print(mark, style=style, end="  ")
            console.print(safe(f"{result['check']}: {result['detail']}"), markup=False, highlight=False)
    if not all(result["ok"] for result in results):
        raise typer.Exit(1)


def _result(name: str, check: Callable[[Settings], str], settings: Settings) -> dict[str, object]:
    try:
        return {"check": name, "ok": True, "detail": check(settings)}
    except (LlmaError, OSError) as error:
        return {"check": name, "ok": False, "detail": str(error)}


def _python(_: Settings) -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise LlmaError(f"Python {sys.version.split()[0]}; 3.11, 3.12 or 3.13 is needed")
    return sys.version.split()[0]


def _lake(settings: Settings) -> str:
    from llma_assets.lake import Lake

    lake = Lake(settings.lake)
    probe = f"{lake.root}/.doctor"
    lake.write_bytes(probe, b"")
    lake.fs.rm(probe)
    teams = lake.teams()
    return f"{lake.root} can be written; teams: {', '.join(teams) or 'none yet; type: llma ingest PATH --team TEAM'}"


def _jobs(settings: Settings) -> str:
    from llma_assets.clustering_jobs.file import load_jobs

    found = load_jobs(settings)
    own = sum(len(found.of(team).own) for team in found.teams)
    if not own:
        return "none but the two defaults of each team; type: llma jobs add --help"
    teams = sum(bool(found.of(team).own) for team in found.teams)
    return f"{own} {'job' if own == 1 else 'jobs'} of {teams} {'team' if teams == 1 else 'teams'} in {found.path}"


def _dagster(settings: Settings) -> str:
    from llma_assets.instance import dagster_home

    return f"DAGSTER_HOME is {dagster_home(settings)}"


def _embedder(settings: Settings) -> str:
    from llma_assets.providers import embedder_of

    return embedder_of(settings).description()


def _key(settings: Settings) -> str:
    from llma_assets.llm.work import endpoint_of
    from llma_assets.providers import asking_server

    stages = asking_server(settings)
    if not stages:
        return "no key needed: everything runs on this machine"
    endpoint = endpoint_of(settings)
    if not os.environ.get("OPENAI_API_KEY") and not endpoint.is_local:
        raise LlmaError(f"{', '.join(stages)} = openai, but OPENAI_API_KEY is not set; type: export OPENAI_API_KEY=…")
    return f"{', '.join(stages)} = openai at {endpoint.provider}"


def _prices(settings: Settings) -> str:
    from llma_assets.llm.prices import find_price, prices_source
    from llma_assets.llm.work import endpoint_of
    from llma_assets.providers import asking_server

    models = sorted(set(asking_server(settings).values()))
    if not models:
        return "nothing here costs money"
    is_openai = endpoint_of(settings).is_openai
    unknown = [model for model in models if find_price(model, is_openai, settings.prices) is None]
    if unknown and (settings.budget_usd is not None or settings.budget_usd_per_day is not None):
        raise LlmaError(f"a budget is set, but the price of {', '.join(unknown)} is not known; set LLMA_PRICES")
    if unknown:
        return f"the price of {', '.join(unknown)} is not known, so cost stays unknown; LLMA_PRICES gives it"
    caps = [f"${settings.budget_usd:g} a partition"] if settings.budget_usd is not None else []
    caps += [f"${settings.budget_usd_per_day:g} a team and day"] if settings.budget_usd_per_day is not None else []
    return f"{prices_source()}; budget: {' and '.join(caps) or 'none (LLMA_BUDGET_USD, LLMA_BUDGET_USD_PER_DAY)'}"


def _privacy(settings: Settings) -> str:
    from llma_assets.llm.work import endpoint_of, redactor_for
    from llma_assets.providers import asking_server

    if not asking_server(settings):
        return "no text leaves this machine"
    if redactor_for(settings, endpoint_of(settings)) is None:
        return "texts are sent as they are (LLMA_REDACTION; a server on this machine or in a private network)"
    return "addresses, numbers and keys are taken out of texts before they are sent"


_CHECKS: list[DoctorCheck] = [
    ("python", _python),
    ("lake", _lake),
    ("jobs", _jobs),
    ("dagster", _dagster),
    ("embedder", _embedder),
    ("key", _key),
    ("prices", _prices),
    ("privacy", _privacy),
]
