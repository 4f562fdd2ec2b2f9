"""A server for each test, and the key for it. Test files name this module in `pytest_plugins`."""

from collections.abc import Iterator

import pytest

from llma_assets.llm.endpoint import Endpoint
from llma_assets_tests.llm.server import KEY, Server, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as state:
        yield state


@pytest.fixture
def endpoint(server: Server) -> Endpoint:
    return Endpoint(server.url, timeout_s=5.0)
