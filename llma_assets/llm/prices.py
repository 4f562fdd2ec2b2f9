"""What models cost: OpenAI's list prices from the data of genai-prices, and whatever LLMA_PRICES says.

Nothing is fetched: the list is the one that the installed release carries, and `prices_as_of` says how old it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llma_assets.settings import PriceOverride

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

# "50% lower costs": OpenAI's guide to its Batch API, https://developers.openai.com/api/docs/guides/batch. Where the
# list has batch prices of a model, those are taken instead.
BATCH_FACTOR = 0.5
OVERRIDE_SOURCE = "LLMA_PRICES"
_LIBRARY = "genai-prices"
_LIST_URL = "https://developers.openai.com/api/docs/pricing"
_VERIFIED = re.compile(r"verified on (\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens, for calls that read more than `above_input_tokens`; all of a call's tokens."""

    above_input_tokens: int
    input_usd: float
    cached_input_usd: float
    output_usd: float


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens.

    Attributes:
        source: where the numbers are from.
        as_of: day on which the list's authors compared them with OpenAI's page; None where they do not say.
        tiers: other rates for long calls, ascending.
        batch_rates: rates of the Batch API, the base first; empty: `BATCH_FACTOR` of the others.
    """

    input_usd: float
    cached_input_usd: float
    output_usd: float
    source: str = ""
    as_of: date | None = None
    tiers: tuple[Rates, ...] = ()
    batch_rates: tuple[Rates, ...] = ()

    def rates(self, input_tokens: int, is_batch: bool = False) -> Rates:
        """What the tokens of one call cost that reads `input_tokens`."""
        if is_batch and self.batch_rates:
            return _of_length(self.batch_rates, input_tokens)
        base = Rates(-1, self.input_usd, self.cached_input_usd, self.output_usd)
        rates = _of_length((base, *self.tiers), input_tokens)
        factor = BATCH_FACTOR if is_batch else 1.0
        return Rates(
            rates.above_input_tokens,
            rates.input_usd * factor,
            rates.cached_input_usd * factor,
            rates.output_usd * factor,
        )


def find_price(
    model: str, is_openai: bool, overrides: Mapping[str, PriceOverride | Mapping[str, float]]
) -> Price | None:
    """Price of a model at a server, or None: a price that is not known is never guessed.

    Args:
        model: as the server calls it.
        is_openai: whether the server is OpenAI's own service. List prices hold for no other.
        overrides: the setting `prices`. They hold for any server and win.
    """
    if model in overrides:
        entry = PriceOverride.model_validate(overrides[model])
        cached = entry.input_usd if entry.cached_input_usd is None else entry.cached_input_usd
        return Price(entry.input_usd, cached, entry.output_usd, OVERRIDE_SOURCE)
    return _list_price(model) if is_openai else None


def cost_usd(
    price: Price | None,
    input_tokens: int | None,
    cached_tokens: int | None,
    output_tokens: int | None,
    is_batch: bool = False,
) -> float | None:
    """US dollars of one call; None if the price or a number of tokens is unknown.

    Args:
        input_tokens: tokens read, cached ones included.
        cached_tokens: those of them that came from the server's cache; None counts as 0.
        output_tokens: tokens written.
        is_batch: whether the call went through the Batch API.
    """
    if price is None or input_tokens is None or output_tokens is None:
        return None
    cached = min(cached_tokens or 0, input_tokens)
    rates = price.rates(input_tokens, is_batch)
    total = (input_tokens - cached) * rates.input_usd + cached * rates.cached_input_usd
    return (total + output_tokens * rates.output_usd) / 1_000_000


@cache
def prices_as_of() -> date | None:
    """The newest day on which the list's authors say that they compared a price with OpenAI's page."""
    provider = _openai()
    comments = [provider.price_comments, *(model.price_comments for model in provider.models)]
    return max((day for comment in comments if (day := _verified_on(comment))), default=None)


def prices_source() -> str:
    """Name and version of the list."""
    return f"{_LIBRARY} {version(_LIBRARY)}"


def context_window(model: str, is_openai: bool) -> int | None:
    """Tokens that a model reads and writes at most, by the same list; None where it is not known."""
    info = _openai().find_model(model) if is_openai else None
    return None if info is None else info.context_window


@cache
def _list_price(model: str) -> Price | None:
    info = _openai().find_model(model)
    if info is None:
        return None
    rates = _rates(info.get_prices(datetime.now(UTC)))
    if rates is None:
        return None
    base, *tiers = rates
    return Price(
        base.input_usd,
        base.cached_input_usd,
        base.output_usd,
        f"{prices_source()}, {_LIST_URL}",
        _verified_on(info.price_comments),
        tuple(tiers),
        _batch_rates(info),
    )


def _batch_rates(info: "ModelInfo") -> tuple[Rates, ...]:
    context = {"processing": "batch"}
    if not any(variant.when == context for variant in info.price_variants or ()):
        return ()
    return _rates(info.get_prices(datetime.now(UTC), context)) or ()


def _rates(price: "ModelPrice") -> tuple[Rates, ...] | None:
    """The base and the tiers; None where the model is not paid by tokens of text."""
    if price.input_mtok is None:
        return None
    # Servers do not tell how much of the input they wrote into their cache. Where that costs more than reading, all
    # of the input counts as written: at most a quarter too much, never too little.
    parts = [price.input_mtok, price.cache_write_mtok, price.cache_read_mtok, price.output_mtok]
    starts = sorted({tier.start for part in parts for tier in getattr(part, "tiers", ())})
    found = []
    for above in (-1, *starts):
        read, write, cached, output = (_amount(part, above) for part in parts)
        assert read is not None
        full = max(read, write or 0.0)
        found.append(Rates(above, full, full if cached is None else cached, output or 0.0))
    return tuple(found)


def _amount(part: Any, above: int) -> float | None:
    """US dollars of one kind of tokens in the tier that starts at `above`."""
    if part is None:
        return None
    amount = getattr(part, "base", part)
    for tier in getattr(part, "tiers", ()):
        if tier.start <= above:
            amount = tier.price
    return float(amount)


def _of_length(rates: tuple[Rates, ...], input_tokens: int) -> Rates:
    return [rate for rate in rates if input_tokens > rate.above_input_tokens][-1]


def _verified_on(comment: str | None) -> date | None:
    return max((date.fromisoformat(day) for day in _VERIFIED.findall(comment or "")), default=None)


@cache
def _openai() -> "Provider":
    # A third of a second, and only where a price is asked for. The list that came with the release, not the
    # library's current one: another package in this process may have asked that one to update itself.
    from genai_prices.data import providers

    return next(provider for provider in providers if provider.id == "openai")
