"""The one retry policy: the SDK's own retries are off, and Dagster retries only a process that died."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is tried, and how long is waited between two attempts.

    The waits double from `first_wait_s` up to `max_wait_s`, shortened by up to half at random so that calls that
    failed together do not come back together. A wait that the server names is kept, up to `max_retry_after_s`.
    Attempts and waits of one call together take at most `max_call_s`, from when it was first sent.
    """

    max_attempts: int = 4
    first_wait_s: float = 1.0
    max_wait_s: float = 30.0
    max_retry_after_s: float = 60.0
    max_call_s: float = 600.0
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep

    def wait_s(self, failed_attempts: int, retry_after_s: float | None) -> float:
        """Seconds to wait after that many failed attempts (1 or more)."""
        if retry_after_s is not None:
            return min(retry_after_s, self.max_retry_after_s)
        return min(self.max_wait_s, self.first_wait_s * 2 ** (failed_attempts - 1)) * random.uniform(0.5, 1.0)
