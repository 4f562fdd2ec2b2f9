"""How many calls may be in flight now: shared by all calls of one client, so that one warning slows all of them."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any


class Pace:
    """A limit that halves when the server is overloaded and grows back by one for each round of successes.

    Additive increase, multiplicative decrease, as TCP does it (Chiu and Jain 1989). Calls that were sent before the
    last cut do not cut again: they met the same overload.

    Args:
        concurrency: the most calls in flight.
        sleep: waits some seconds.
    """

    def __init__(self, concurrency: int, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep):
        self.limit = float(concurrency)
        self._most = float(concurrency)
        self._sleep = sleep
        self._in_flight = 0
        self._cut_at = float("-inf")
        self._pause: asyncio.Future[Any] | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> float:
        """Waits for a place; gives the time at which it was had, for `slow_down`."""
        while True:
            if self._pause is not None and not self._pause.done():
                try:
                    await asyncio.shield(self._pause)
                except asyncio.CancelledError:
                    # It may have been its turn.
                    self._wake()
                    raise
            elif self._in_flight >= int(self.limit):
                await self._turn()
            else:
                self._in_flight += 1
                return time.monotonic()

    def leave(self) -> None:
        """Gives the place back. Does not wait: what follows happens before any other call."""
        self._in_flight -= 1
        self._wake()

    def speed_up(self) -> None:
        """A call succeeded."""
        self.limit = min(self._most, self.limit + 1.0 / self.limit)
        self._wake()

    def slow_down(self, sent_at: float, pause_s: float | None = None) -> None:
        """The server had no room for a call sent at `sent_at`; nothing is sent for `pause_s`, if the server said so."""
        if sent_at > self._cut_at:
            self._cut_at = time.monotonic()
            self.limit = max(1.0, self.limit / 2)
        if pause_s is not None:
            self._pause = asyncio.ensure_future(self._longest(pause_s, self._pause))

    async def _longest(self, pause_s: float, other: asyncio.Future[Any] | None) -> None:
        await self._sleep(pause_s)
        if other is not None:
            await other

    async def _turn(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # A turn that was given to whoever is gone is the next one's.
            if waiter.done() and not waiter.cancelled():
                self._wake()
            raise

    def _wake(self) -> None:
        free = int(self.limit) - self._in_flight
        while free > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1
