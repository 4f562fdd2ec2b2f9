"""What the test server takes and gives: a request as it arrived, and the replies that a test can ask for."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"


@dataclass(frozen=True)
class Request:
    """What arrived.

    Attributes:
        path: without the query.
        headers: names in lower case.
        body: the JSON object that was sent; empty where none was (a GET, an uploaded file).
        raw: every byte that arrived, from the request line to the end of the body.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes = b""
    method: str = "POST"
    query: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that a model would read; empty where the call is to no model."""
        if self.path.endswith(EMBEDDINGS):
            texts = self.body.get("input", [])
            return texts if isinstance(texts, str) else "\n".join(str(text) for text in texts)
        return "\n".join(str(message.get("content")) for message in self.body.get("messages", []))

    @property
    def is_model_call(self) -> bool:
        """Whether this is a call that costs money."""
        return self.path.endswith((CHAT, EMBEDDINGS))


@dataclass(frozen=True)
class Reply:
    """A scripted reply: a status and an error code, or a body as it is."""

    status: int
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    message: str = "as scripted"
    param: str | None = None

    def as_bytes(self) -> bytes:
        error = {"message": self.message, "type": None, "param": self.param, "code": self.code}
        return (json.dumps({"error": error}) if self.body is None else self.body).encode()


@dataclass(frozen=True)
class Hang:
    """Nothing comes for that long, or a byte now and then."""

    seconds: float
    drip: bool = False


@dataclass(frozen=True)
class Reset:
    """The connection is torn down (RST): before the answer, or in the middle of the body of an honest one."""

    when: Literal["before", "in_body"] = "before"


@dataclass(frozen=True)
class Altered:
    """The honest answer, changed: its content (a JSON text) or, for embeddings, the list of rows."""

    # Left out of the name: it holds an address, which differs from process to process.
    change: Callable[[Any], Any] = field(default=lambda honest: honest, repr=False)
    finish_reason: str = "stop"
    refusal: str | None = None


Scripted = Reply | Hang | Reset | Altered


class Refused(Exception):
    """A request that the real server would not take."""

    def __init__(self, reply: Reply):
        self.reply = reply


# --- ready-made replies -----------------------------------------------------------------------------------------------


def rate_limited(retry_after: Literal["seconds", "date", "ms"] | None = None, seconds: float = 1) -> Reply:
    """429, with the wish for a pause in one of the ways that servers have, or without."""
    headers: dict[str, str] = {}
    if retry_after == "seconds":
        headers["Retry-After"] = f"{seconds:g}"
    elif retry_after == "date":
        headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    elif retry_after == "ms":
        headers["Retry-After-Ms"] = f"{1000 * seconds:g}"
    return Reply(429, "rate_limit_exceeded", headers, message="Rate limit reached for requests")


BAD_GATEWAY = Reply(
    502,
    headers={"Content-Type": "text/html"},
    body="<html>\n<head><title>502 Bad Gateway</title></head>\n<body><h1>502 Bad Gateway</h1></body>\n</html>\n",
)
EMPTY_BODY = Reply(200, body="")
MALFORMED_BODY = Reply(200, body='{"id": "chatcmpl-1", "choices": [{"mess')
FEWER_ROWS = Altered(lambda rows: rows[:-1])
MORE_ROWS = Altered(lambda rows: [*rows, {**rows[-1], "index": len(rows)}])
# The rows in another order, each still naming its place; and each naming another place than its own.
REORDERED_ROWS = Altered(lambda rows: rows[::-1])
RENUMBERED_ROWS = Altered(lambda rows: [{**row, "index": len(rows) - 1 - row["index"]} for row in rows])
CUT = Altered(lambda content: content[: len(content) // 2], finish_reason="length")
REFUSAL = Altered(refusal="I'm sorry, I can't help with that.")
