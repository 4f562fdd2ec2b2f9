"""A webhook's receiver on loopback, over HTTP or TLS, that answers as a test says."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from llma_assets_tests import FIXTURES

CERTIFICATE = FIXTURES / "alerts" / "hooks.example.test.pem"


@dataclass
class Receiver:
    """What arrived, and what is answered: the next of `answers`, then 200."""

    url: str = ""
    port: int = 0
    answers: list[int | dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bodies that arrived."""
        return [json.loads(request["body"]) for request in self.requests]


@contextmanager
def receiving(tls: bool = False) -> Iterator[Receiver]:
    """A receiver for as long as the block lasts."""
    receiver, closing = Receiver(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
            answer = receiver.answers.pop(0) if receiver.answers else 200
            told: dict[str, Any] = {"status": answer} if isinstance(answer, int) else answer
            while told.get("drip") and not closing.wait(0.05):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: y\r\n" if told.pop("first", True) else b"X: y\r\n")
            self.send_response(told["status"])
            for name, value in told.get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # Clients that hang up are what some tests are about.

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{receiver.port}/services/T0/token-of-the-path"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


def trusting() -> ssl.SSLContext:
    """TLS that believes the receiver's certificate."""
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
