"""The links in Dagster's UI lead to the explorer's pages, and to nothing else of this machine."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from llma_assets.cli.page_server import PageServer
from llma_assets.lake import Lake
from llma_assets.tables.cluster_report import REPORT_PAGE
from llma_assets.team_day import TeamDay

PAGE = b"<!doctype html><title>clusters</title>"


@pytest.fixture
def port(lake: Lake) -> Iterator[int]:
    page = Path(lake.path("cluster_report", TeamDay("acme", date(2026, 3, 9)), REPORT_PAGE))
    page.parent.mkdir(parents=True)
    page.write_bytes(PAGE)
    (page.parents[2] / "secret.html").write_text("secret")
    with PageServer(lake, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def asked(port: int, path: str, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"{host}:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())


def test_a_page_is_served_as_it_is_on_the_disk(port: int) -> None:
    for host in ("127.0.0.1", "localhost"):
        status, body, headers = asked(port, "/acme/2026-03-09", host)
        assert (status, body) == (200, PAGE)
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/", "/acme", "/acme/2026-03-10", "/other/2026-03-09", "/acme/2026-13-41", "/acme/2026-03-09/",
        "/../secret.html", "/..%2f..%2fsecret.html/2026-03-09", "/../2026-03-09", "/acme/../2026-03-09",
        "/nul/2026-03-09", "/secret.html", "/acme%00/2026-03-09",
    ],
)  # fmt: skip
def test_nothing_else_is(port: int, path: str) -> None:
    status, body, _ = asked(port, path)
    assert status == 404
    assert b"secret" not in body


def test_a_name_that_points_here_for_a_moment_gets_nothing(port: int) -> None:
    status, body, _ = asked(port, "/acme/2026-03-09", "rebound.example.test")
    assert status == 403
    assert PAGE not in body


def test_it_only_reads(port: int) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert asked(port, "/acme/2026-03-09", method=method)[0] == 501


def test_it_ends_with_the_process_that_started_it() -> None:
    """`llma dev` becomes Dagster, which knows nothing of it."""
    start = (
        "import os, subprocess, sys; "
        "one = subprocess.Popen([sys.executable, '-m', 'llma_assets.cli.page_server', '0', str(os.getpid())]); "
        "print(one.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        served = int(parent.stdout.readline())
        os.kill(served, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        while _is_alive(served):
            time.sleep(0.1)


def _is_alive(process: int) -> bool:
    """A process that has ended and that nobody waits for is a zombie."""
    try:
        return ") Z" not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
