"""Servers of all kinds: where a request goes, with which headers, and through which doors it never goes."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from llma_assets.errors import FailFast, InputRejected
from llma_assets.llm import endpoint as endpoint_module
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.settings import load_settings
from llma_assets.summarization.outcome import SummaryOutcome
from llma_assets_tests.llm.llm_items import access_of, item
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, KEY, Reply, Server, serving

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

Summarize = Callable[[Endpoint], list[SummaryOutcome]]
AZURE = "https://x.openai.azure.com/openai/deployments/d?api-version=2024-10-21"


@pytest.fixture
def summarize() -> Summarize:
    def _summarize(endpoint: Endpoint, model: str = CHAT_MODEL) -> list[SummaryOutcome]:
        access, _ = access_of(endpoint, {})
        return list(OpenAISummarizer(model, access).summarize([item(1)]))

    return _summarize


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server that notes what it is asked for, first lines only, and has nothing."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            seen.append(self.requestline)
            self.send_response(502)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_CONNECT = do_GET = do_POST

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}", seen
    finally:
        http.shutdown()
        http.server_close()


def host_of(server: Server) -> str:
    return server.url.removesuffix("/v1")


# --- Azure ------------------------------------------------------------------------------------------------------------


def test_azure_gets_its_header_its_path_and_its_version(
    server: Server, summarize: Summarize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "_AZURE_HOSTS", ("127.0.0.1",))
    url = f"{host_of(server)}/openai/deployments/my-mini?api-version=2024-10-21"
    (outcome,) = summarize(Endpoint(url))
    assert outcome.summary is not None
    (request,) = server.requests
    assert request.path == "/openai/deployments/my-mini/chat/completions"
    assert request.query == {"api-version": "2024-10-21"}
    assert request.headers["api-key"] == KEY


def test_azure_takes_vectors_as_well(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "_AZURE_HOSTS", ("127.0.0.1",))
    access, _ = access_of(Endpoint(f"{host_of(server)}/openai/deployments/vec/?api-version=2024-10-21"), {})
    assert OpenAIEmbedder(EMBEDDING_MODEL, access).embed(["a b"]).shape[0] == 1
    (request,) = server.requests
    assert (request.path, request.query) == ("/openai/deployments/vec/embeddings", {"api-version": "2024-10-21"})


def test_only_azure_gets_the_header_of_azure(server: Server, summarize: Summarize) -> None:
    summarize(Endpoint(server.url))
    (request,) = server.requests
    assert "api-key" not in request.headers
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("url", "is_azure"),
    [
        (AZURE, True),
        ("https://x.services.ai.azure.com/openai/v1", True),
        ("https://x.openai.azure.us/openai/v1", True),
        ("https://x.openai.azure.cn/openai/v1", True),
        ("https://azure.com.evil.example/v1", False),
        ("https://evilazure.com/v1", False),
        ("https://api.openai.com/v1?x=.azure.com", False),
    ],
)
def test_which_hosts_are_azure(url: str, is_azure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    sdk = Endpoint(url).open()
    assert (sdk.default_headers.get("api-key") == KEY) is is_azure
    assert not Endpoint(AZURE).is_local and not Endpoint(AZURE).is_openai
    assert Endpoint(AZURE).provider == "x.openai.azure.com"


# --- base URLs --------------------------------------------------------------------------------------------------------

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{}"}}],
}


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("", "/chat/completions"),
        ("/", "/chat/completions"),
        ("/api/v1", "/api/v1/chat/completions"),
        ("/openai/v1", "/openai/v1/chat/completions"),
        ("/gateway/my%20team/v1", "/gateway/my%20team/v1/chat/completions"),
    ],
)
def test_the_path_of_the_base_url_is_kept(server: Server, summarize: Summarize, suffix: str, path: str) -> None:
    server.always(Reply(200, body=json.dumps(ANSWER)))
    summarize(Endpoint(f"{host_of(server)}{suffix}"))
    assert {request.path for request in server.requests} == {path}


def test_a_query_goes_with_each_call_and_a_fragment_with_none(server: Server, summarize: Summarize) -> None:
    server.always(Reply(200, body=json.dumps(ANSWER)))
    summarize(Endpoint(f"{server.url}?team=a%20b&x=1#part"))
    assert all(request.query == {"team": "a b", "x": "1"} for request in server.requests)
    assert not any(b"#" in request.raw.split(b"\r\n")[0] for request in server.requests)


@pytest.mark.parametrize(
    "url",
    ["ftp://host/v1", "localhost:8000/v1", "http://", "//host/v1", "file:///etc/passwd", "not a url", "http:///v1"],
)
def test_what_is_no_url_of_http_is_refused_by_name(url: str) -> None:
    with pytest.raises(InputRejected, match="LLMA_OPENAI_BASE_URL"):
        Endpoint(url)


@pytest.mark.parametrize("url", ["https://user:s3cret@host.example/v1", "https://s3cret@host.example/v1"])
def test_a_url_with_a_password_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InputRejected, match="OPENAI_API_KEY") as caught:
        Endpoint(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1:1234/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://10.1.2.3:8000/v1", True),
        ("http://192.168.0.5/v1", True),
        ("http://vllm:8000/v1", True),
        ("http://llm.internal/v1", True),
        ("http://box.local/v1", True),
        ("http://models.localhost/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://localhost.example.com/v1", False),
        ("https://notinternal.com/v1", False),
        ("https://127.0.0.1.example.com/v1", False),
    ],
)
def test_which_servers_are_next_door(url: str, is_local: bool) -> None:
    assert Endpoint(url).is_local is is_local


@pytest.mark.parametrize(
    ("url", "is_openai"),
    [
        (None, True),
        ("https://api.openai.com/v1", True),
        ("https://API.OpenAI.com/v1", True),
        ("https://api.openai.com.evil.example/v1", False),
        ("https://openrouter.ai/api/v1", False),
        ("http://localhost:8000/v1", False),
    ],
)
def test_list_prices_hold_for_openai_only(url: str | None, is_openai: bool) -> None:
    assert Endpoint(url).is_openai is is_openai


# --- keys, organisation, variables of the SDK -------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_server_next_door_needs_no_key(
    server: Server, summarize: Summarize, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    (outcome,) = summarize(Endpoint(server.url))
    assert outcome.summary is not None
    assert server.requests[0].headers["authorization"] == "Bearer not-needed"


@pytest.mark.parametrize("url", [None, AZURE, "https://8.8.8.8/v1"])
def test_a_server_elsewhere_is_not_asked_without_a_key(
    summarize: Summarize, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(FailFast, match="OPENAI_API_KEY is not set"):
        summarize(Endpoint(url))


@pytest.mark.parametrize("key", ["sk-a b", "sk-a\nHost: evil", "sk-ä", "sk-\x00"])
def test_a_key_that_is_none_is_refused_without_showing_it(
    server: Server, summarize: Summarize, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    with pytest.raises(FailFast, match="OPENAI_API_KEY") as caught:
        monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": key})
        summarize(Endpoint(server.url))
    assert key not in str(caught.value) and server.requests == []


def test_a_key_with_space_around_it_is_taken_without(
    server: Server, summarize: Summarize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    summarize(Endpoint(server.url))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_organisation_is_a_header(server: Server, summarize: Summarize) -> None:
    summarize(Endpoint(server.url, organization="org-7"))
    summarize(Endpoint(server.url))
    assert server.requests[0].headers["openai-organization"] == "org-7"
    assert "openai-organization" not in server.requests[1].headers


def test_variables_of_the_sdk_do_not_steer_it(
    server: Server, summarize: Summarize, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One setting, one place: what another tool on the machine needs does not reach this server."""
    with serving() as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        monkeypatch.setenv("OPENAI_ORG_ID", "org-of-another-tool")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-another-tool")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-of-another-tool")
        summarize(Endpoint(server.url))
        assert other.requests == []
    assert b"another-tool" not in server.requests[0].raw
    assert Endpoint().url == "https://api.openai.com/v1"
    assert Endpoint().open().default_headers["OpenAI-Project"] == "project-of-another-tool", "it is OpenAI's own"


def test_the_settings_reach_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_OPENAI_BASE_URL", AZURE)
    monkeypatch.setenv("LLMA_OPENAI_ORGANIZATION", "org-7")
    settings = load_settings()
    assert Endpoint(settings.openai_base_url, settings.openai_timeout_s, settings.openai_organization).url == AZURE


# --- doors that stay shut ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: Server, summarize: Summarize, status: int) -> None:
    with serving() as other:
        server.always(Reply(status, headers={"Location": f"{other.url}/chat/completions"}))
        with pytest.raises(FailFast, match="LLMA_OPENAI_BASE_URL"):
            summarize(Endpoint(server.url))
        assert other.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"])
def test_a_proxy_is_not_between_us_and_a_server_next_door(
    server: Server, summarize: Summarize, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with listening() as (proxy, seen):
        monkeypatch.setenv(name, proxy)
        (outcome,) = summarize(Endpoint(server.url))
        assert outcome.summary is not None
        assert seen == []


def test_a_proxy_is_used_for_servers_elsewhere(summarize: Summarize, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same variable, so that the test above cannot pass for want of a proxy."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with listening() as (proxy, seen):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        (outcome,) = summarize(Endpoint("http://llm.example.com/v1"))
        assert outcome.summary is None
        assert seen and set(seen) == {"POST http://llm.example.com/v1/chat/completions HTTP/1.1"}


def test_the_query_of_the_address_is_in_no_message(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers take their key there."""
    secret = "code=4f1c9d7e"
    server.response_formats = {"json_object", "text"}
    with caplog.at_level(logging.INFO, "llma_assets"):
        access, _ = access_of(Endpoint(f"{server.url}?{secret}"), {})
        (outcome,) = OpenAISummarizer(CHAT_MODEL, access).summarize([item(1)])
    assert outcome.summary is not None and server.requests[0].query == {"code": "4f1c9d7e"}
    assert "asking in another way" in caplog.text and secret not in caplog.text
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(FailFast, match=r"https://llm\.example\.com/v1 ") as caught:
        Endpoint(f"https://llm.example.com/v1?{secret}").open()
    assert secret not in str(caught.value)
