"""An event loop in a thread of its own, so that calls go on while the caller renders or writes.

The caller may itself run inside an event loop (a notebook, a web server); this one does not meet it.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

# A stopped run must end within 5 s (spec); what does not let itself be cancelled by then is left behind.
STOP_TIMEOUT_S = 4.0

Result = TypeVar("Result")


class BackgroundLoop:
    """Context manager. On leaving, whatever still runs is cancelled and the thread ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llm-calls", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Starts `work` and returns at once."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs `work` to its end."""
        return self.submit(work).result()

    def cancel(self) -> None:
        """Cancels whatever was submitted and has not ended; waits at most `STOP_TIMEOUT_S` for it."""
        with suppress(TimeoutError):
            self.submit(_cancel_all()).result(STOP_TIMEOUT_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.cancel()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(1.0)
            if not self._thread.is_alive():
                self._loop.close()


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
