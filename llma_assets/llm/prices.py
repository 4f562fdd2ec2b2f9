"""List prices of the models that are the defaults here or stand near them."""

from collections.abc import Sequence
from typing import NamedTuple

from llma_assets.llm.client import Took


class Price(NamedTuple):
    """US dollars for a million tokens."""

    input_usd: float
    cached_input_usd: float
    output_usd: float


# OpenAI's standard list prices as quoted by several public price tables between October 2025 and June 2026. They
# hold for OpenAI's own service only; what another server costs is not known here.
PRICES = {
    "gpt-4.1": Price(2.00, 0.50, 8.00),
    "gpt-4.1-mini": Price(0.40, 0.10, 1.60),
    "gpt-4.1-nano": Price(0.10, 0.025, 0.40),
    "gpt-4o": Price(2.50, 1.25, 10.00),
    "gpt-4o-mini": Price(0.15, 0.075, 0.60),
}


def cost_usd(price: Price | None, calls: Sequence[Took]) -> float | None:
    """US dollars of some calls; None if the price is unknown, or a call does not say how many tokens it took."""
    if price is None or not calls:
        return None
    total = 0.0
    for call in calls:
        if call.input_tokens is None or call.output_tokens is None:
            return None
        cached = min(call.cached_tokens or 0, call.input_tokens)
        total += (call.input_tokens - cached) * price.input_usd + cached * price.cached_input_usd
        total += call.output_tokens * price.output_usd
    return total / 1_000_000
