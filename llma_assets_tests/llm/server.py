"""A small server that speaks OpenAI's protocol on this machine, for the SDK itself to talk to.

It is honest: it answers from the text that it is sent, and refuses requests that the real one would refuse. A prompt
that lacks the trace, or a schema that is not strict, therefore gives a wrong answer. Failures are scripted.

By itself: `python -m llma_assets_tests.llm.server --port 8000 --latency-s 0.05`. Its address goes into `--base-url`.
"""

import argparse
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from llma_assets_tests.llm.server_abilities import Abilities
from llma_assets_tests.llm.server_answers import CHAT_MODEL, DIM, EMBEDDING_MODEL, answer, vector
from llma_assets_tests.llm.server_batches import Batches
from llma_assets_tests.llm.server_protocol import Altered, Hang, Refused, Reply, Request, Reset, Scripted

__all__ = [
    "CHAT_MODEL",
    "DIM",
    "EMBEDDING_MODEL",
    "KEY",
    "Altered",
    "Hang",
    "Refused",
    "Reply",
    "Request",
    "Reset",
    "Scripted",
    "Server",
    "serving",
    "vector",
]

KEY = "sk-test-7f3c0e1d9b5a4862"


class Server(Abilities):
    """The server's state. What it can do is in the attributes of `Abilities`.

    Attributes:
        requests: everything that arrived, in order.
        answer_s: seconds that every answer takes.
        paid: calls that were answered with a usage, those in batches as well: what the real server would bill.
        batches: files and batches, and what a test says about them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.url = ""
        self.answer_s = 0.0
        self.in_flight = 0
        self.max_in_flight = 0
        self.paid = 0
        self.batches = Batches(self.answer_line)
        self._lock = threading.Lock()
        self._next: list[tuple[str, Scripted]] = []
        self._rules: list[tuple[str, Scripted]] = []
        self._always: Scripted | None = None

    def script(self, *replies: Scripted, path: str = "") -> None:
        """Replies to the next requests, one each; then honest again.

        Args:
            path: only to requests whose method and path hold it, such as `POST /v1/batches`.
        """
        self._next.extend((path, reply) for reply in replies)

    def when(self, needle: str, reply: Scripted) -> None:
        """The reply to every request whose text holds `needle`, in a batch as well."""
        self._rules.append((needle, reply))

    def always(self, reply: Scripted | None) -> None:
        """The reply to every request."""
        self._always = reply

    def choose(self, request: Request) -> Scripted:
        with self._lock:
            self.requests.append(request)
            self.in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
            if self._always is not None:
                return self._always
            return self._of_rule(request) or self._of_script(request) or Altered()

    def done(self) -> None:
        with self._lock:
            self.in_flight -= 1

    def honest(self, request: Request, payload: bytes, altered: Altered) -> Reply:
        """What a real server would say, `altered` where it is the answer of a model."""
        try:
            self.check_key(request.headers)
            if request.path.startswith(("/v1/files", "/v1/batches")):
                return self.batches.handle(request, payload)
            if request.method == "GET":
                return Reply(200, body=json.dumps(self._models(request.path)))
            return Reply(200, body=json.dumps(answer(request, altered, self)))
        except Refused as refused:
            return refused.reply

    def answer_line(self, line: Request) -> Reply:
        """The answer to one request of a batch."""
        rule = self._of_rule(line) or Altered()
        try:
            if isinstance(rule, Altered):
                rule = Reply(200, body=json.dumps(answer(line, rule, self)))
        except Refused as refused:
            rule = refused.reply
        if not isinstance(rule, Reply):
            raise TypeError(f"a request of a batch cannot end in {rule}")
        self.count(line, rule)
        return rule

    def count(self, request: Request, reply: Reply) -> None:
        """Add a call to those that are paid for, if it is one."""
        if request.is_model_call and reply.status == 200 and '"usage"' in (reply.body or ""):
            with self._lock:
                self.paid += 1

    def _of_rule(self, request: Request) -> Scripted | None:
        return next((reply for needle, reply in self._rules if needle in request.text), None)

    def _of_script(self, request: Request) -> Scripted | None:
        for position, (path, reply) in enumerate(self._next):
            if path in f"{request.method} {request.path}":
                del self._next[position]
                return reply
        return None

    def _models(self, path: str) -> dict[str, Any]:
        known = [{"id": name, "object": "model", "owned_by": "tests"} for name in (CHAT_MODEL, EMBEDDING_MODEL)]
        if path == "/v1/models":
            return {"object": "list", "data": known}
        found = re.fullmatch(r"/v1/models/([^/]+)", path)
        for model in known:
            if found and (found[1] == model["id"] or self.any_model):
                return model | {"id": found[1]}
        raise Refused(Reply(404, "model_not_found" if found else "not_found"))


@contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    """A running server on a port of this machine, by default a free one."""
    state = Server()

    class Handler(_Handler):
        server_state = state

    http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    http.daemon_threads = True
    http.block_on_close = False
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_state: Server
    raw_requestline: bytes
    protocol_version = "HTTP/1.1"
    # Otherwise a reply in two writes waits 40 ms for the caller's acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        payload = self._payload()
        if payload is None:
            self.close_connection = True  # The caller hung up while it was speaking.
            return
        where = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        is_json = headers.get("content-type", "").startswith("application/json")
        try:
            body = json.loads(payload) if is_json and payload else {}
        except ValueError:
            body = None
        head = self.raw_requestline + b"".join(f"{k}: {v}\r\n".encode() for k, v in self.headers.items()) + b"\r\n"
        request = Request(
            where.path,
            headers,
            body if isinstance(body, dict) else {},
            raw=head + payload,
            method=self.command,
            query=dict(parse_qsl(where.query)),
        )
        reply = self.server_state.choose(request)
        if not isinstance(body, dict):
            reply = Reply(400, None, message="We could not parse the JSON body of your request.")
        try:
            time.sleep(self.server_state.answer_s)
            self._reply(request, payload, reply)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.server_state.done()

    do_GET = do_POST
    do_DELETE = do_POST

    def _payload(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        length = int(self.headers.get("Content-Length", 0))
        payload = self.rfile.read(length)
        return payload if len(payload) == length else None

    def _reply(self, request: Request, payload: bytes, reply: Scripted) -> None:
        if isinstance(reply, Hang):
            self._hang(reply)
            return
        if isinstance(reply, Reset) and reply.when == "before":
            self._reset()
            return
        if isinstance(reply, Reply):
            self.server_state.count(request, reply)
            self._send(reply)
            return
        honest = self.server_state.honest(request, payload, reply if isinstance(reply, Altered) else Altered())
        self.server_state.count(request, honest)
        self._send(honest, cut=isinstance(reply, Reset))

    def _send(self, reply: Reply, cut: bool = False) -> None:
        payload = reply.as_bytes()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if cut else payload)
        if cut:
            time.sleep(0.02)  # so that what was written arrives before the end
            self._reset()

    def _reset(self) -> None:
        """Closing with a linger time of 0 sends a RST in place of a FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Other objects hold the socket open; only the last of them to go closes it.
        self.rfile.close()
        self.connection.close()

    def _hang(self, reply: Hang) -> None:
        self.close_connection = True
        end = time.monotonic() + reply.seconds
        if reply.drip:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
        while time.monotonic() < end:
            time.sleep(0.02)
            if reply.drip:
                self.wfile.write(b" ")
                self.wfile.flush()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A server that speaks OpenAI's protocol and answers from the text.")
    parser.add_argument("--port", type=int, default=0, help="by default a free one")
    parser.add_argument("--latency-s", type=float, default=0.0, help="seconds that every answer takes")
    parser.add_argument("--batch-s", type=float, default=1.0, help="seconds until a batch ends")
    options = parser.parse_args()
    with serving(options.port) as state:
        state.any_model = True
        state.answer_s = options.latency_s
        state.batches.finish_after_s = options.batch_s
        sys.stdout.write(f"{state.url}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write(f"{len(state.requests)} requests, {state.paid} of them paid for\n")


if __name__ == "__main__":
    main()
