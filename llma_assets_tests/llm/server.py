"""A small server that speaks OpenAI's protocol on this machine, for the SDK itself to talk to.

It is honest: it answers from the text that it is sent, and refuses requests that the real one would refuse. A prompt
that lacks the trace, or a schema that is not strict, therefore gives a wrong answer. Failures are scripted.
"""

import base64
import hashlib
import json
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT_MODEL = "small-chat"
EMBEDDING_MODEL = "small-vectors"
DIM = 32
KEY = "sk-test-7f3c0e1d9b5a4862"


@dataclass(frozen=True)
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """All that the model would read."""
        if self.path.endswith("/embeddings"):
            return "\n".join(self.body["input"])
        return "\n".join(message["content"] for message in self.body["messages"])


@dataclass(frozen=True)
class Reply:
    """A scripted reply: a status and an error code, or a body as it is."""

    status: int
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    message: str = "as scripted"

    def as_bytes(self) -> bytes:
        error = {"message": self.message, "type": None, "param": None, "code": self.code}
        return (json.dumps({"error": error}) if self.body is None else self.body).encode()


@dataclass(frozen=True)
class Hang:
    """Nothing comes for that long, or a byte now and then."""

    seconds: float
    drip: bool = False


@dataclass(frozen=True)
class Altered:
    """The honest answer, changed: its content (a JSON text) or, for embeddings, the list of rows."""

    # Left out of the name: it holds an address, which differs from process to process.
    change: Callable[[Any], Any] = field(default=lambda honest: honest, repr=False)
    finish_reason: str = "stop"
    refusal: str | None = None


Scripted = Reply | Hang | Altered


class Refused(Exception):
    """A request that the real server would not take."""

    def __init__(self, reply: Reply):
        self.reply = reply


class Server:
    """The server's state; `requests` holds everything that arrived, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self.answer_s = 0.0
        self.in_flight = 0
        self.max_in_flight = 0
        self._lock = threading.Lock()
        self._next: list[Scripted] = []
        self._rules: list[tuple[str, Scripted]] = []
        self._always: Scripted | None = None

    def script(self, *replies: Scripted) -> None:
        """Replies to the next requests, one each; then honest again."""
        self._next.extend(replies)

    def when(self, needle: str, reply: Scripted) -> None:
        """The reply to every request whose text holds `needle`."""
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
            for needle, reply in self._rules:
                if needle in request.text:
                    return reply
            return self._next.pop(0) if self._next else Altered()

    def done(self) -> None:
        with self._lock:
            self.in_flight -= 1


@contextmanager
def serving() -> Iterator[Server]:
    """A running server on a free port of this machine."""
    state = Server()

    class Handler(_Handler):
        server_state = state

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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
    protocol_version = "HTTP/1.1"
    # Otherwise a reply in two writes waits 40 ms for the caller's acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if len(raw) < int(self.headers["Content-Length"]):
            self.close_connection = True  # The caller hung up while it was speaking.
            return
        request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(raw))
        reply = self.server_state.choose(request)
        try:
            time.sleep(self.server_state.answer_s)
            self._reply(request, reply)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self.server_state.done()

    def _reply(self, request: Request, reply: Scripted) -> None:
        if isinstance(reply, Hang):
            self._hang(reply)
            return
        if isinstance(reply, Altered):
            try:
                body = json.dumps(_answer(request, reply))
                reply = Reply(200, body=body)
            except Refused as refused:
                reply = refused.reply
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        payload = reply.as_bytes()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

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


def _answer(request: Request, altered: Altered) -> dict[str, Any]:
    if not request.headers.get("authorization", "").startswith("Bearer "):
        raise Refused(Reply(401, "invalid_api_key"))
    if request.path == "/v1/embeddings":
        return _embeddings(request.body, altered)
    if request.path != "/v1/chat/completions":
        raise Refused(Reply(404, "not_found"))
    body = request.body
    if body["model"] != CHAT_MODEL:
        raise Refused(Reply(404, "model_not_found"))
    schema = body["response_format"]["json_schema"]
    if body["response_format"]["type"] != "json_schema" or not schema["strict"]:
        raise Refused(Reply(400, "invalid_request_error"))
    _check_strict(schema["schema"])
    system, user = body["messages"][0]["content"], body["messages"][1]["content"]
    honest = {"trace_summary": _summary, "cluster_names": _names}[schema["name"]](_enclosed(system, user))
    content = altered.change(json.dumps(honest))
    if altered.refusal is not None:
        content = None
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": altered.refusal},
                "finish_reason": altered.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": len(request.text) // 4,
            "completion_tokens": len(content or "") // 4,
            "total_tokens": (len(request.text) + len(content or "")) // 4,
        },
    }


def _check_strict(schema: dict[str, Any]) -> None:
    """The rules of strict mode: every object closed, every property required."""
    if schema["type"] == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or schema.get("required") != list(schema["properties"]):
            raise Refused(Reply(400, "invalid_json_schema"))
        for inner in schema["properties"].values():
            _check_strict(inner)
    if schema["type"] == "array":
        _check_strict(schema["items"])


def _enclosed(system: str, user: str) -> str:
    """What stands between the two marks that the instructions name; nothing if they are not there."""
    fence, _, rest = user.partition("\n")
    inside, closing, _ = rest.partition(f"\n{fence}\n")
    return inside if closing and len(fence) > 20 and fence in system else ""


def _summary(text: str) -> dict[str, Any]:
    """What a reader could say who looks at the numbered lines only."""
    lines = re.findall(r"^L0*(\d+): (.*)$", text, re.MULTILINE)
    said = [(number, re.sub(r"^.*?\] (?=\w+: )", "", line)) for number, line in lines if re.search(r"\] \w+: \S", line)]
    asked = [line.removeprefix("user: ") for _, line in said if line.startswith("user: ")]
    nodes = [line.split("] ", 1)[1] for _, line in lines if re.search(r"\[(GEN|SPAN)\] ", line)]
    failed = [(number, line) for number, line in lines if "ERROR" in line]
    return {
        "title": " ".join(asked[0].split()[:8]) if asked else "Nothing was asked",
        "flow_steps": nodes[:6],
        "summary_bullets": [{"text": line[:200], "line_refs": f"L{number}"} for number, line in said[-6:]],
        "interesting_notes": [{"text": f"It failed:{line}", "line_refs": f"L{number}"} for number, line in failed[:3]],
    }


def _names(text: str) -> dict[str, Any]:
    """Names from the terms and the first member of each group."""
    clusters = []
    for block in re.split(r"\n\n(?=GROUP )", text):
        found = re.match(r"GROUP (-?\d+): (\d+) members\nterms: (.*)\nnear:\n- (.*)", block)
        if found:
            terms = " ".join(found[3].split("; ")[:2])
            member, *statements = found[4].split(" | ")
            clusters.append(
                {
                    "cluster_id": int(found[1]),
                    "title": " ".join(f"{terms} {member}".split()[:7]),
                    "description": [f"{found[2]} runs like {member}", *statements[:2], "They end well"],
                }
            )
    return {"clusters": clusters}


def vector(text: str) -> list[float]:
    """A bag of words in `DIM` dimensions, not scaled: texts that share words point the same way."""
    row = [0.0] * DIM
    for word in re.findall(r"\w+", text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        row[digest[0] % DIM] += 1.0 if digest[1] % 2 else -1.0
    row[0] += 0.5
    return row


def _embeddings(body: dict[str, Any], altered: Altered) -> dict[str, Any]:
    texts = body["input"]
    if body["model"] != EMBEDDING_MODEL:
        raise Refused(Reply(404, "model_not_found"))
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused(Reply(400, "invalid_request_error", message="'$.input' is invalid"))
    if any(len(text) > 30_000 for text in texts):
        raise Refused(Reply(400, None, message="This model's maximum context length is 8192 tokens"))
    rows = [{"object": "embedding", "index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
    rows = [dict(row) for row in altered.change(rows)]
    if body.get("encoding_format") == "base64":
        for row in rows:
            packed = struct.pack(f"<{len(row['embedding'])}f", *row["embedding"])
            row["embedding"] = base64.b64encode(packed).decode()
    tokens = sum(len(text) // 4 for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": body["model"], "usage": usage}
