"""Progress of long work in the log: done, failed, rate, time left."""

import logging
import time

EVERY_S = 5.0


class Progress:
    """Tells how far one piece of work is, at most every few seconds."""

    def __init__(self, log: logging.Logger, what: str):
        self._log, self._what = log, what
        self._begun = self._told = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time to tell again."""
        return time.monotonic() - self._told >= EVERY_S

    def tell(self, done: int, total: int, failed: int = 0) -> None:
        """Log a line, if it is time."""
        if not self.is_due():
            return
        self._told = time.monotonic()
        rate = done / (self._told - self._begun)
        left_s = (total - done) / rate if rate else float("inf")
        self._log.info(
            "%s: %d of %d done, %d failed, %.1f a second, %.0f s left", self._what, done, total, failed, rate, left_s
        )
