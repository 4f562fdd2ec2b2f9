"""Crashes, lost answers and changed content: never two paid batches for the same question."""

import json
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest

from llma_assets.errors import WaitingForBatch
from llma_assets.lake import Lake
from llma_assets.llm.batch.api import BatchApi
from llma_assets.llm.batch.state import BatchState
from llma_assets.llm.endpoint import Endpoint
from llma_assets.vocabulary import Reason
from llma_assets_tests.llm.batch.batch_day import Day, expected, titles
from llma_assets_tests.llm.llm_items import item
from llma_assets_tests.llm.server import Altered, Reply, Server

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]


class Crash(BaseException):
    """The process dies here."""


@pytest.fixture
def day(lake: Lake, endpoint: Endpoint) -> Day:
    one = Day(lake, endpoint)
    one.items = [item(number) for number in range(6)]
    return one


def _crash_after(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, calls: int = 1) -> Callable[[], None]:
    """The process dies right after the given call of a method; gives what brings it back to life."""
    real, left = getattr(owner, method), iter(range(calls - 1, -1, -1))

    def sync(self: Any, *args: Any) -> None:
        real(self, *args)
        if next(left) == 0:
            raise Crash

    async def coroutine(self: Any, *args: Any) -> None:
        await real(self, *args)
        raise Crash

    monkeypatch.setattr(owner, method, sync if owner is BatchState else coroutine)
    return lambda: monkeypatch.setattr(owner, method, real)


@pytest.mark.parametrize(
    ("owner", "method", "batches_before"),
    [(BatchState, "save", 0), (BatchApi, "upload", 0), (BatchApi, "create", 1)],
    ids=["after the intent", "after the upload", "after the batch was made"],
)
def test_a_crash_while_submitting(
    day: Day, server: Server, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, batches_before: int
) -> None:
    revive = _crash_after(monkeypatch, owner, method)
    with pytest.raises(Crash):
        day.run()
    revive()
    assert len(server.batches.made) == batches_before
    assert {row["batch_id"] for row in day.waiting_for} == {None}
    day.submit()
    assert len(server.batches.made) == 1
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))
    assert server.paid == 6


def test_a_lost_batch_is_found_among_many(day: Day, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    revive = _crash_after(monkeypatch, BatchApi, "create")
    with pytest.raises(Crash):
        day.run()
    revive()
    lost = server.batches.made["batch_0001"]
    for number in range(2, 230):
        name = f"batch_{number:04d}"
        server.batches.made[name] = lost | {"id": name, "metadata": {"llma_batch_key": f"other {number}"}}
    day.submit()
    assert {row["batch_id"] for row in day.waiting_for} == {"batch_0001"}


def test_a_crash_after_collecting(day: Day, server: Server) -> None:
    server.when("number 5 ", Reply(500))
    day.submit()
    server.batches.finish()
    outcomes = day.summarizer().summarize(day.items)
    first = next(outcomes)
    assert isinstance(outcomes, Generator)
    outcomes.close()
    assert {row["status"] for row in day.waiting_for} == {"collected"}
    rest = day.run()
    assert rest[first.key[1]] == first
    assert rest["t5"].reason == Reason.LLM_ERROR
    assert server.paid == 5
    assert len(server.batches.made) == 1


@pytest.mark.parametrize("reply", [Reply(500), Reply(200, body="{"), Reply(429, headers={"Retry-After": "0"})], ids=str)
def test_an_answer_that_is_lost_makes_no_second_batch(
    day: Day, server: Server, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    """The batch is made, but what comes back says otherwise."""
    honest = server.honest

    def lost(request: Any, payload: bytes, altered: Altered) -> Reply:
        answer = honest(request, payload, altered)
        if request.method == "POST" and request.path == "/v1/batches" and len(server.batches.made) == 1:
            return reply
        return answer

    monkeypatch.setattr(server, "honest", lost)
    day.submit()
    assert len(server.batches.made) == 1
    server.batches.finish()
    assert titles(day.run()) == expected(range(6))
    assert server.paid == 6


def test_a_batch_that_was_made_twice_all_the_same_is_cancelled(day: Day, server: Server) -> None:
    """The first attempt is carried out after the search for it came to nothing."""
    server.script(Reply(500), path="POST /v1/batches")
    late: list[str] = []
    made = server.batches._create

    def slowly(body: dict[str, Any]) -> Reply:
        if not late:
            late.append(json.loads(made(body).as_bytes())["id"])
        return made(body)

    server.batches._create = slowly  # type: ignore[method-assign]
    day.submit()
    assert {row["batch_id"] for row in day.waiting_for} == {"batch_0001"}
    assert server.batches.made["batch_0002"]["status"] in ("cancelling", "cancelled")
    server.batches.finish("batch_0001")
    assert titles(day.run()) == expected(range(6))
    assert server.paid == 6


# --- what changes meanwhile -------------------------------------------------------------------------------------------


def test_an_old_answer_is_not_used_for_new_content(day: Day, server: Server) -> None:
    day.items = [replace(one, content_hash="old") for one in day.items]
    day.submit()
    server.batches.finish()
    day.items[2] = replace(item(2, "Please cancel everything"), content_hash="new")
    assert "1 items wait for 1 batch(es), the first of them batch_0002" in day.submit()
    server.batches.finish()
    assert titles(day.run()) == expected(range(6)) | {"t2": "Please cancel everything"}
    assert server.paid == 7


def test_another_mode_is_another_question(day: Day, server: Server) -> None:
    day.submit()
    with pytest.raises(WaitingForBatch):
        list(day.summarizer(mode="minimal").summarize(day.items))
    first, second = server.batches.lines("batch_0001"), server.batches.lines("batch_0002")
    assert not {line["custom_id"] for line in first} & {line["custom_id"] for line in second}


def test_a_batch_that_nobody_wants_any_more_is_cancelled(day: Day, server: Server) -> None:
    day.submit()
    day.items = []
    day.run()
    assert server.batches.made["batch_0001"]["status"] == "cancelling"
    assert day.waiting_for == []


def test_written_does_not_need_the_server(day: Day, server: Server) -> None:
    day.submit()
    server.always(Reply(503))
    day.summarizer().written()
    assert day.waiting_for == []
