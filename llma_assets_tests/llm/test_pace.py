"""How many calls are in flight: halved once for each overload, grown back, and no place is ever lost."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.pace import Pace
from llma_assets.llm.policy import RetryPolicy
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets_tests.llm.llm_items import access_of, item
from llma_assets_tests.llm.server import CHAT_MODEL, Reply, Server
from llma_assets_tests.llm.server_protocol import rate_limited

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]


class Gate:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._open: list[asyncio.Event] = []

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._open.append(asyncio.Event())
        await self._open[-1].wait()

    def end(self, number: int) -> None:
        self._open[number].set()


async def turn() -> None:
    """Everybody who can go on does."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(work: Awaitable[Any]) -> Any:
    async def within() -> Any:
        return await asyncio.wait_for(work, 10)

    return asyncio.run(within())


def test_the_limit_holds_and_whoever_waits_comes_in_order() -> None:
    async def work() -> None:
        pace, entered = Pace(2), []

        async def call(number: int) -> None:
            await pace.enter()
            entered.append(number)

        tasks = [asyncio.create_task(call(number)) for number in range(5)]
        await turn()
        assert entered == [0, 1]
        for gone in range(3):
            pace.leave()
            await turn()
            assert entered == list(range(3 + gone))
        await asyncio.gather(*tasks)

    run(work())


def test_calls_sent_before_a_cut_do_not_cut_again() -> None:
    async def work() -> None:
        pace = Pace(16)
        sent = [await pace.enter() for _ in range(16)]
        for sent_at in sent:
            pace.slow_down(sent_at)
            pace.leave()
        assert pace.limit == 8
        pace.slow_down(await pace.enter())
        assert pace.limit == 4
        for _ in range(5):
            pace.slow_down(time.monotonic() + 1)
        assert pace.limit == 1, "one call is always allowed"

    run(work())


def test_a_round_of_successes_gives_one_more_place_up_to_what_was_configured() -> None:
    async def work() -> None:
        pace = Pace(8)
        pace.slow_down(await pace.enter())
        assert pace.limit == 4
        for _ in range(4):
            pace.speed_up()
        assert 4.8 < pace.limit <= 5
        for _ in range(100):
            pace.speed_up()
        assert pace.limit == 8

    run(work())


def test_growth_lets_those_in_who_wait() -> None:
    async def work() -> None:
        pace = Pace(2)
        pace.slow_down(await pace.enter())
        waiting = asyncio.create_task(pace.enter())
        await turn()
        assert not waiting.done() and pace.limit == 1
        pace.speed_up()
        await turn()
        assert waiting.done() and pace.limit == 2

    run(work())


def test_nobody_enters_during_a_pause_and_a_shorter_one_does_not_end_it() -> None:
    async def work() -> None:
        gate = Gate()
        pace = Pace(4, gate.sleep)
        sent = [await pace.enter() for _ in range(2)]
        pace.slow_down(sent[0], 30.0)
        pace.slow_down(sent[1], 5.0)
        tasks = [asyncio.create_task(pace.enter()) for _ in range(2)]
        pace.leave()
        pace.leave()
        await turn()
        assert gate.asked == [30.0, 5.0]
        gate.end(1)
        await turn()
        assert not any(task.done() for task in tasks)
        gate.end(0)
        await turn()
        assert all(task.done() for task in tasks)

    run(work())


@pytest.mark.parametrize("seed", range(30))
def test_cancelled_callers_lose_no_place(seed: int) -> None:
    """Cancelled while they wait, in a pause, or just when their turn came: the others still get in."""

    async def work() -> None:
        chance = random.Random(seed)
        gate = Gate()
        pace = Pace(3, gate.sleep)

        async def call() -> None:
            sent_at = await pace.enter()
            try:
                await asyncio.sleep(0)
            finally:
                pace.leave()
            if chance.random() < 0.3:
                pace.slow_down(sent_at, 1.0)
            else:
                pace.speed_up()

        tasks = [asyncio.create_task(call()) for _ in range(40)]
        for task in chance.sample(tasks, 25):
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            task.cancel()
            for number in range(len(gate.asked)):
                gate.end(number)
        for _ in range(200):
            await asyncio.sleep(0)
            for number in range(len(gate.asked)):
                gate.end(number)
        assert all(task.done() for task in tasks), "somebody waits for ever"

    run(work())


def test_a_place_offered_to_one_who_is_cancelled_in_a_pause_goes_to_the_next() -> None:
    async def work() -> None:
        gate = Gate()
        pace = Pace(1, gate.sleep)
        sent_at = await pace.enter()
        second = asyncio.create_task(pace.enter())
        third = asyncio.create_task(pace.enter())
        await turn()
        pace.leave()
        pace.slow_down(sent_at, 9.0)
        await turn()
        second.cancel()
        await turn()
        gate.end(0)
        await turn()
        assert third.done()

    run(work())


# --- through the server -----------------------------------------------------------------------------------------------


def crowded(server: Server, room: int, busy: Callable[[], Reply]) -> None:
    """The server answers `busy` to whatever comes while `room` requests are being answered."""
    honest = server.choose

    def choose(request: Any) -> Any:
        chosen = honest(request)
        return busy() if server.in_flight > room else chosen

    server.choose = choose  # type: ignore[method-assign]


@pytest.mark.parametrize("retry_after", [None, "ms"])
def test_a_server_with_little_room_gets_everything_done(server: Server, retry_after: Any) -> None:
    server.answer_s = 0.01
    crowded(server, 4, lambda: rate_limited(retry_after, 0.02))
    policy = RetryPolicy(max_attempts=6, first_wait_s=0.02)
    access, _ = access_of(Endpoint(server.url), {}, policy=policy, concurrency=30)
    outcomes = list(OpenAISummarizer(CHAT_MODEL, access).summarize(item(n) for n in range(120)))
    assert sorted(outcome.key[1] for outcome in outcomes) == sorted(f"t{n}" for n in range(120))
    assert all(outcome.summary is not None for outcome in outcomes)
    assert server.paid == 120, "none was asked twice"
    assert len(server.requests) < 2 * 120, "most requests found room"


def test_a_wait_that_the_server_names_is_kept_by_all(server: Server) -> None:
    """Up to a minute: a longer one is cut."""
    slept: list[float] = []
    arrived: list[int] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        arrived.append(len(server.requests))
        await asyncio.sleep(0.3)
        arrived.append(len(server.requests))

    server.answer_s = 0.02
    server.when("number 5 ", rate_limited("seconds", 3_600))
    access, _ = access_of(Endpoint(server.url), {}, policy=RetryPolicy(max_attempts=2, sleep=sleep), concurrency=4)
    outcomes = list(OpenAISummarizer(CHAT_MODEL, access).summarize(item(n) for n in range(40)))
    assert len(outcomes) == 40
    assert slept == [60.0, 60.0]
    begin, end = arrived[0], arrived[1]
    assert end == begin, "a request was sent during the pause"
    assert end < 40
