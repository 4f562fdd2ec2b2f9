"""What a call may cost, and what it took: charged to the budget before it is sent, settled after."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llma_assets.errors import InputRejected
from llma_assets.llm.budget import Budget, Reservation
from llma_assets.llm.prices import Price, cost_usd

# What a server adds to a request on its own: marks around messages, and the schema in another form.
_OVERHEAD_TOKENS = 200
# Bytes of our instructions and the schema, with a few lines of text.
_SHORT_REQUEST_TOKENS = 6_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an answer reports; None where it does not say."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None


class Meter:
    """Charges the calls of one client. Belongs to one event loop.

    Args:
        price: of the model; None if unknown.
        model_setting: for the message if the price is needed.

    Raises:
        InputRejected: a budget is set, and the price is not known.
    """

    def __init__(self, price: Price | None, budget: Budget | None, model: str, model_setting: str):
        if budget is not None and budget.has_cap and price is None:
            raise InputRejected(
                f"LLMA_BUDGET_USD or LLMA_BUDGET_USD_PER_DAY is set, but the price of the model {model!r} "
                f"({model_setting}) at this server is not known; give it in LLMA_PRICES"
            )
        self.price = price
        self._budget = budget
        self._open = 0
        self._settled = asyncio.Event()

    async def reserve(self, request: Mapping[str, Any], max_output_tokens: int) -> Reservation | None:
        """Charge the most that a request can cost. Waits while calls in flight may give back what they did not take.

        Raises:
            BudgetExhausted: nothing is in flight, and it does not fit.
        """
        if self._budget is None or self.price is None:
            return None
        # A token stands for at least one byte, so this is never too little.
        most_tokens = _bytes(request) + _OVERHEAD_TOKENS
        usd = cost_usd(self.price, most_tokens, 0, max_output_tokens) or 0.0
        while (reservation := self._budget.reserve(usd)) is None:
            if not self._open:
                raise self._budget.exhausted()
            self._settled.clear()
            await self._settled.wait()
        self._open += 1
        return reservation

    def has_room_for_more(self, max_output_tokens: int) -> bool:
        """Whether a call with a short text might still fit, where one with a long text did not."""
        if self._budget is None or self.price is None:
            return True
        least_usd = cost_usd(self.price, _SHORT_REQUEST_TOKENS, 0, max_output_tokens) or 0.0
        return self._budget.fits(least_usd)

    def settle(self, reservation: Reservation | None, usd: float | None) -> None:
        """Put what was really spent in place of a reservation; None: it is not known, so the reservation stays."""
        if reservation is None or self._budget is None:
            return
        if usd is not None:
            self._budget.settle(reservation, usd)
        self._open -= 1
        self._settled.set()

    def cost_usd(self, usage: Usage) -> float | None:
        """US dollars of an answer; None if the price or a number of tokens is unknown."""
        return cost_usd(self.price, usage.input_tokens, usage.cached_tokens, usage.output_tokens)


def _bytes(request: Mapping[str, Any]) -> int:
    import orjson

    try:
        return len(orjson.dumps(request))
    except TypeError:  # a lone surrogate
        return len(json.dumps(request))
