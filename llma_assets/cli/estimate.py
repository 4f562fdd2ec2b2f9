"""`llma estimate`: what a backfill would take, before it is begun."""

import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llma_assets.cli.output import console, print_json, print_rows
from llma_assets.cli.project import Project, parse_day
from llma_assets.errors import InputRejected
from llma_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from llma_assets.estimation.estimate import Estimate, StageEstimate
    from llma_assets.llm.tokens import Range

UNKNOWN = "unknown; set LLMA_PRICES"


def estimate(
    team: Annotated[str, typer.Option(help="The team.")],
    first: Annotated[str, typer.Option("--from", help="First UTC day, YYYY-MM-DD.")],
    to: Annotated[str | None, typer.Option(help="Last UTC day; --from if not given.")] = None,
    provider: Annotated[str | None, typer.Option(help="openai: as if all three providers were.")] = None,
    model: Annotated[str | None, typer.Option(help="As if this model wrote summaries and names.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell items, tokens and dollars of a backfill of these days, with direct calls and with the Batch API. Asks no
    server and needs no key. What is there already and would not be made again is not counted."""
    project = Project()
    begin = parse_day(first, "--from", project.settings)
    end = parse_day(to, "--to", project.settings) if to else begin
    if end < begin:
        raise InputRejected(f"--to: {end} is before --from {begin}")
    project.check_has_events(team)
    settings = _settings(project.settings, provider, model)

    from llma_assets.estimation.estimate import EstimateBackfill
    from llma_assets.resources.clock import Clock

    log = logging.getLogger(__name__)
    found = EstimateBackfill(project.lake, project.source(), settings, Clock().now(), log).run(team, begin, end)
    if as_json:
        print_json(as_plain(found, settings))
    else:
        _print(found, settings)


def _settings(settings: Settings, provider: str | None, model: str | None) -> Settings:
    """The settings as they would be with the provider and model asked about."""
    from llma_assets.providers import asking_server, names
    from llma_assets.providers.provider import Kind

    known = sorted(set.intersection(*(set(names(kind)) for kind in Kind)))
    if provider is not None and provider not in known:
        raise InputRejected(f"--provider: {provider!r} is not one of {', '.join(known)}")
    chosen: dict[str, Any] = {}
    if provider:
        chosen |= dict.fromkeys(map(str, Kind), provider)
    if model is not None:
        if not provider and not asking_server(settings).keys() & {Kind.SUMMARIZER, Kind.LABELER}:
            raise InputRejected(f"--model: nobody would ask {model!r}, the providers are local; add --provider openai")
        chosen |= {"openai_summary_model": model, "openai_label_model": model}
    return load_settings(**chosen)


def as_plain(found: "Estimate", settings: Settings) -> dict[str, Any]:
    """The estimate as JSON-ready values."""
    from llma_assets.llm.prices import prices_as_of, prices_source

    return {
        "team": found.team,
        "from": found.first,
        "to": found.last,
        "delivery": settings.openai_delivery,
        "texts_read": found.texts_read,
        "texts": found.texts,
        "prices": {"source": prices_source(), "as_of": prices_as_of()},
        "stages": [_stage(stage) for stage in found.stages],
        "total": {"cost_usd": _ends(found.cost_usd()), "batch_cost_usd": _ends(found.cost_usd(is_batch=True))},
    }


def _stage(stage: "StageEstimate") -> dict[str, Any]:
    price = stage.price
    return {
        "stage": stage.stage,
        "model": stage.model,
        "items": stage.items,
        "kept": stage.kept,
        "is_paid": stage.is_paid,
        "input_tokens": _ends(stage.input_tokens, 0),
        "output_tokens": _ends(stage.output_tokens, 0),
        "cost_usd": _ends(stage.cost_usd),
        "batch_cost_usd": _ends(stage.batch_cost_usd),
        "price": price
        and {
            "input_usd": price.input_usd,
            "cached_input_usd": price.cached_input_usd,
            "output_usd": price.output_usd,
            "source": price.source,
            "as_of": price.as_of,
        },
        "basis": stage.basis,
    }


def _ends(value: "Range | None", digits: int = 6) -> dict[str, float] | None:
    if value is None:
        return None
    return {name: round(getattr(value, name), digits or None) for name in ("low", "point", "high")}


def _print(found: "Estimate", settings: Settings) -> None:
    rows = [
        {
            "stage": stage.stage,
            "model": stage.model,
            "items": stage.items,
            "kept": stage.kept,
            "input tokens": _tokens(stage.input_tokens),
            "output tokens": _tokens(stage.output_tokens),
            "dollars": _dollars(stage.cost_usd),
            "with the Batch API": _dollars(stage.batch_cost_usd),
        }
        for stage in found.stages
    ]
    total = {"dollars": _dollars(found.cost_usd()), "with the Batch API": _dollars(found.cost_usd(is_batch=True))}
    print_rows([*rows, dict.fromkeys(rows[0], "") | {"stage": "total"} | total], False)
    for line in _notes(found, settings):
        console.print(line, style="dim", markup=False, highlight=False)


def _notes(found: "Estimate", settings: Settings) -> list[str]:
    """What the numbers rest on."""
    from llma_assets.llm.prices import prices_as_of

    paid = [stage for stage in found.stages if stage.is_paid]
    if not paid:
        return ["no server is asked: this costs nothing (--provider openai tells what it would cost there)"]
    lines = [f"{found.texts_read:,} of {found.texts:,} texts were read to tell their size"]
    for basis in dict.fromkeys(stage.basis for stage in paid):
        lines.append(f"{', '.join(stage.stage for stage in paid if stage.basis == basis)}: {basis}")
    lines.append("a model that thinks before it answers may write several times as many tokens")
    sources = sorted({stage.price.source for stage in paid if stage.price})
    if sources:
        lines.append(f"prices: {'; '.join(sources)}; the list was last compared on {prices_as_of()}")
    if any(stage.is_paid for stage in found.stages if stage.stage == "summaries"):
        lines.append(f"summaries are set to go by {settings.openai_delivery} calls (LLMA_OPENAI_DELIVERY)")
    return lines


def _tokens(value: "Range") -> str:
    return _told(value, lambda number: f"{number:,.0f}" if number < 10_000 else f"{number / 1000:,.0f}k")


def _dollars(value: "Range | None") -> str:
    return (
        UNKNOWN if value is None else _told(value, lambda number: f"{number:,.2f}" if number >= 1 else f"{number:.2g}")
    )


def _told(value: "Range", show: Any) -> str:
    """The likeliest number, and the ends where they differ from it as shown."""
    low, point, high = (show(number) for number in (value.low, value.point, value.high))
    return point if low == point == high else f"{point} ({low} to {high})"
