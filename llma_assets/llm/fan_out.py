"""Many calls at once over a stream of work, few pieces of it in memory, results as they come."""

import concurrent.futures
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from llma_assets.errors import LlmaError, RetryLater
from llma_assets.llm.background import BackgroundLoop
from llma_assets.llm.client import LlmClient

# The first call goes ahead for so long: a wrong key or model is refused at once, an answer takes its time.
HEAD_START_S = 0.25

Work = TypeVar("Work")
Result = TypeVar("Result")


def fan_out(
    work: Iterable[Work],
    do: Callable[[LlmClient, Work], Coroutine[Any, Any, Result]],
    open_client: Callable[[], LlmClient],
    most: int,
) -> Iterator[Result]:
    """The result of `do` for each piece of work, in the order in which they are finished.

    Args:
        work: taken as needed, so that at most `most` pieces are held at once.
        do: runs on an event loop in a thread of its own.
        open_client: makes the client of that loop.

    Raises:
        Whatever `work` or `do` raises. After the first error nothing is started and no call is sent; what is under way
        is waited for, because it is paid for, and yielded.
    """
    source = iter(work)
    first = next(source, None)
    if first is None:
        return
    with BackgroundLoop() as loop:
        calls = _CallsInFlight(do, loop, open_client())
        try:
            calls.submit(first)
            # A name that stays would keep this piece alive for the whole run.
            del first
            calls.wait_for_first()
            yield from _results(source, calls, most)
        finally:
            calls.close()


class _CallsInFlight(Generic[Work, Result]):
    """Calls under way, and those that have come back."""

    def __init__(
        self, do: Callable[[LlmClient, Work], Coroutine[Any, Any, Result]], loop: BackgroundLoop, client: LlmClient
    ):
        self._do, self._loop, self._client = do, loop, client
        self._first: Future[Result] | None = None
        self._finished: SimpleQueue[Future[Result]] = SimpleQueue()
        self.waiting = 0

    def submit(self, piece: Work) -> None:
        future = self._loop.submit(self._do(self._client, piece))
        self._first = self._first or future
        future.add_done_callback(self._finished.put)
        self.waiting += 1

    def wait_for_first(self) -> None:
        if self._first is not None:
            concurrent.futures.wait([self._first], HEAD_START_S)

    def has_finished(self) -> bool:
        return not self._finished.empty()

    def next_finished(self) -> "Future[Result]":
        done = self._finished.get()
        self.waiting -= 1
        return done

    def stop(self, error: Exception) -> None:
        """What is submitted and not sent yet is not sent any more."""
        self._client.stop(error if isinstance(error, LlmaError) else RetryLater("stopped by an error elsewhere"))

    def close(self) -> None:
        self._loop.cancel()
        self._loop.run(self._client.close())


def _results(source: Iterator[Work], calls: _CallsInFlight[Work, Result], most: int) -> Iterator[Result]:
    error: Exception | None = None
    is_exhausted = False
    while calls.waiting or not is_exhausted:
        if calls.waiting < most and not is_exhausted and not calls.has_finished():
            try:
                piece = next(source, None)
            except Exception as failure:
                # What is under way is paid for, whatever became of the source.
                error = error or failure
                calls.stop(failure)
                piece = None
            if piece is None:
                is_exhausted = True
            else:
                calls.submit(piece)
                del piece
            continue
        done = calls.next_finished()
        try:
            result = done.result()
        except Exception as failure:
            if error is None:
                error = failure
                calls.stop(failure)
            is_exhausted = True
            continue
        yield result
    if error is not None:
        raise error
