"""Files and batches of the test server, as OpenAI documents them: statuses, counts, two result files, limits.

A batch is worked on when a test says so (`finish`, `expire`, `fail`), or some time after it was made. Each of its
requests is answered by the same code as a direct call.
"""

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterable
from email.parser import BytesHeaderParser
from email.policy import HTTP
from typing import Any

from llma_assets_tests.llm.server_protocol import Refused, Reply, Request

MAX_REQUESTS = 50_000
MAX_FILE_BYTES = 200_000_000
ENDPOINTS = ("/v1/chat/completions", "/v1/embeddings")
DAY_S = 86_400
_ENDED = ("completed", "failed", "expired", "cancelled")
_NOT_DONE = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was cancelled before it was executed."),
}

Answer = Callable[[Request], Reply]
Object = dict[str, Any]


class Batches:
    """All files and batches of one server. Ids are numbered, so that tests can name them.

    Attributes:
        finish_after_s: batches end by themselves that long after they were made; None: when a test says so.
        max_requests: limit of requests in a batch.
        made: batches in the order of their making, as the server shows them.
    """

    def __init__(self, answer: Answer) -> None:
        self.finish_after_s: float | None = None
        self.max_requests = MAX_REQUESTS
        self.files: dict[str, tuple[Object, bytes]] = {}
        self.made: dict[str, Object] = {}
        self._answer = answer
        self._lines: dict[str, list[Object]] = {}
        self._scripted: dict[str, Reply] = {}
        self._ends: dict[str, Callable[[str], None]] = {}
        self._lock = threading.RLock()

    # --- what a test says ---------------------------------------------------------------------------------------------

    def lines(self, batch_id: str) -> list[Object]:
        """The requests of a batch, as they were uploaded."""
        return [json.loads(line) for line in self.files[self.made[batch_id]["input_file_id"]][1].splitlines()]

    def script(self, custom_id: str, reply: Reply) -> None:
        """What one request of a batch gets instead of an honest answer."""
        self._scripted[custom_id] = reply

    def finish(self, batch_id: str | None = None, seed: int = 0) -> None:
        """Answer every request of one batch, or of all that are open; the results come in another order."""
        self._end_open("completed", batch_id, None, seed)

    def expire(self, batch_id: str | None = None, done: int = 0, seed: int = 0) -> None:
        """The 24 hours are over: only the first `done` requests were answered."""
        self._end_open("expired", batch_id, done, seed)

    def cancel(self, batch_id: str | None = None, done: int = 0, seed: int = 0) -> None:
        """Somebody cancelled it when the first `done` requests were answered."""
        self._end_open("cancelled", batch_id, done, seed)

    def fail(self, code: str, message: str = "as scripted", batch_id: str | None = None) -> None:
        """The batch as a whole is refused, as with `token_limit_exceeded`."""
        with self._lock:
            for batch in self._open(batch_id):
                self._validate(batch)
                _to(batch, "failed", errors=_errors([(code, message, None)]))

    def finalize(self, batch_id: str | None = None) -> None:
        """Everything is answered, and the result files are being written."""
        with self._lock:
            for batch in self._open(batch_id):
                self._validate(batch)
                _to(batch, "finalizing")

    # --- what a client may ask ----------------------------------------------------------------------------------------

    def handle(self, request: Request, payload: bytes) -> Reply:
        """Answer one of the paths under `/v1/files` and `/v1/batches`.

        Raises:
            Refused: the real server would not take it.
        """
        with self._lock:
            routes: list[tuple[str, str, Callable[..., Reply]]] = [
                ("POST", r"/v1/files", lambda: self._upload(request, payload)),
                ("GET", r"/v1/files/([\w-]+)", lambda file_id: _json(self._file(file_id)[0])),
                ("GET", r"/v1/files/([\w-]+)/content", self._content),
                ("DELETE", r"/v1/files/([\w-]+)", self._delete),
                ("POST", r"/v1/batches", lambda: self._create(request.body)),
                ("GET", r"/v1/batches", lambda: self._list(request.query)),
                ("GET", r"/v1/batches/([\w-]+)", lambda batch_id: _json(self._looked_at(batch_id))),
                ("POST", r"/v1/batches/([\w-]+)/cancel", self._ask_cancel),
            ]
            for method, pattern, route in routes:
                found = re.fullmatch(pattern, request.path)
                if found and method == request.method:
                    return route(*found.groups())
        raise Refused(Reply(404, "not_found"))

    def _upload(self, request: Request, payload: bytes) -> Reply:
        fields = _multipart(request.headers.get("content-type", ""), payload)
        name, content = fields.get("file", (None, b""))
        purpose = fields.get("purpose", (None, b""))[1].decode()
        if name is None or purpose != "batch":
            raise Refused(Reply(400, None, message="a file with purpose 'batch' is needed", param="purpose"))
        if not name.endswith(".jsonl"):
            raise Refused(Reply(400, None, message=f"Invalid file format for Batch API: {name}", param="file"))
        if len(content) > MAX_FILE_BYTES:
            raise Refused(Reply(413, None, message="the file is larger than 200 MB"))
        return _json(self._store(name, content, "batch"))

    def _store(self, name: str, content: bytes, purpose: str) -> Object:
        file_id = f"file-{len(self.files) + 1:04d}"
        shown = {
            "id": file_id,
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }
        self.files[file_id] = (shown, content)
        return shown

    def _file(self, file_id: str) -> tuple[Object, bytes]:
        if file_id not in self.files or self.files[file_id][0].get("deleted"):
            raise Refused(Reply(404, None, message=f"No such File object: {file_id}", param="id"))
        return self.files[file_id]

    def _content(self, file_id: str) -> Reply:
        content = self._file(file_id)[1].decode()
        return Reply(200, body=content, headers={"Content-Type": "application/octet-stream"})

    def _delete(self, file_id: str) -> Reply:
        self._file(file_id)[0]["deleted"] = True
        return _json({"id": file_id, "object": "file", "deleted": True})

    def _create(self, body: Object) -> Reply:
        self._file(body.get("input_file_id", ""))
        if body.get("endpoint") not in ENDPOINTS:
            raise Refused(Reply(400, "invalid_value", message="unknown endpoint", param="endpoint"))
        if body.get("completion_window") != "24h":
            raise Refused(Reply(400, "invalid_value", message="it must be '24h'", param="completion_window"))
        metadata = body.get("metadata") or {}
        if len(metadata) > 16 or any(len(key) > 64 or len(value) > 512 for key, value in metadata.items()):
            raise Refused(Reply(400, "invalid_value", message="metadata is too large", param="metadata"))
        now = int(time.time())
        moments = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
        batch_id = f"batch_{len(self.made) + 1:04d}"
        self.made[batch_id] = {
            "id": batch_id,
            "object": "batch",
            "endpoint": body["endpoint"],
            "errors": None,
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now,
            "expires_at": now + DAY_S,
            **{f"{moment}_at": None for moment in moments},
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": body.get("metadata"),
        }
        if self.finish_after_s is not None:
            self._ends[batch_id] = _after(self.finish_after_s, self.finish)
        return _json(self.made[batch_id])

    def _list(self, query: dict[str, str]) -> Reply:
        newest = list(reversed(self.made))
        start = newest.index(query["after"]) + 1 if query.get("after") in newest else 0
        limit = int(query.get("limit", 20))
        if not 1 <= limit <= 100:
            raise Refused(Reply(400, "invalid_value", message="limit must be 1 to 100", param="limit"))
        page = newest[start : start + limit]
        return _json(
            {
                "object": "list",
                "data": [self._looked_at(batch_id) for batch_id in page],
                "first_id": page[0] if page else None,
                "last_id": page[-1] if page else None,
                "has_more": start + limit < len(newest),
            }
        )

    def _ask_cancel(self, batch_id: str) -> Reply:
        batch = self._batch(batch_id)
        if batch["status"] in _ENDED:
            message = f"Cannot cancel a batch with status '{batch['status']}'."
            raise Refused(Reply(409, None, message=message))
        self._validate(batch)
        if batch["status"] not in _ENDED:
            _to(batch, "cancelling")
        return _json(batch)

    # --- how a batch moves on -----------------------------------------------------------------------------------------

    def _batch(self, batch_id: str) -> Object:
        if batch_id not in self.made:
            raise Refused(Reply(404, None, message=f"No batch found with id '{batch_id}'."))
        return self.made[batch_id]

    def _open(self, batch_id: str | None) -> list[Object]:
        chosen = self.made.values() if batch_id is None else [self.made[batch_id]]
        return [batch for batch in chosen if batch["status"] not in _ENDED]

    def _looked_at(self, batch_id: str) -> Object:
        """The batch as it is shown now; it goes one step on each time that somebody looks."""
        batch = self._batch(batch_id)
        shown = dict(batch)
        if batch["status"] == "validating":
            self._validate(batch)
        elif batch["status"] == "cancelling":
            self._end(batch, "cancelled", 0, 0)
        elif batch["status"] == "finalizing":
            self._end(batch, "completed", None, 0)
        elif batch_id in self._ends:
            self._ends[batch_id](batch_id)
        return shown

    def _validate(self, batch: Object) -> None:
        if batch["status"] != "validating":
            return
        lines, errors = _checked(self.files[batch["input_file_id"]][1], batch["endpoint"], self.max_requests)
        if errors:
            _to(batch, "failed", errors=_errors(errors))
            return
        self._lines[batch["id"]] = lines
        batch["request_counts"] = {"total": len(lines), "completed": 0, "failed": 0}
        _to(batch, "in_progress")

    def _end_open(self, status: str, batch_id: str | None, done: int | None, seed: int) -> None:
        with self._lock:
            for batch in self._open(batch_id):
                self._validate(batch)
                if batch["status"] not in _ENDED:
                    self._end(batch, status, done, seed)

    def _end(self, batch: Object, status: str, done: int | None, seed: int) -> None:
        lines = self._lines[batch["id"]]
        answered = len(lines) if done is None else done
        results = [(line, self._reply(line)) for line in lines[:answered]]
        good = [_result(number, line, reply) for number, (line, reply) in enumerate(results) if reply.status == 200]
        bad = [_result(number, line, reply) for number, (line, reply) in enumerate(results) if reply.status != 200]
        bad += [_not_done(number, line, status) for number, line in enumerate(lines[answered:], answered)]
        for kind, rows in (("output", good), ("error", bad)):
            random.Random(seed).shuffle(rows)
            if rows:
                content = "".join(json.dumps(row) + "\n" for row in rows).encode()
                stored = self._store(f"{batch['id']}_{kind}.jsonl", content, "batch_output")
                batch[f"{kind}_file_id"] = stored["id"]
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        if batch["status"] == "in_progress" and status == "completed":
            _to(batch, "finalizing")
        _to(batch, status)

    def _reply(self, line: Object) -> Reply:
        return self._scripted.get(line["custom_id"]) or self._answer(Request(line["url"], {}, line["body"]))


def _checked(content: bytes, endpoint: str, most: int) -> tuple[list[Object], list[tuple[str, str, int | None]]]:
    """The requests of a file, or what is wrong with it: code, message, line."""
    lines: list[Object] = []
    errors: list[tuple[str, str, int | None]] = []
    seen: set[str] = set()
    for number, text in enumerate(content.splitlines(), 1):
        try:
            line = json.loads(text)
            custom_id, url, method, model = line["custom_id"], line["url"], line["method"], line["body"]["model"]
        except (ValueError, KeyError, TypeError):
            errors.append(("invalid_json_line", "This line is not parseable as valid JSON.", number))
            continue
        if custom_id in seen:
            errors.append(("duplicate_custom_id", f"The custom_id '{custom_id}' was already used.", number))
        if url != endpoint or method != "POST":
            errors.append(("invalid_url", "The URL provided for this request does not match the batch.", number))
        if lines and model != lines[0]["body"]["model"]:
            errors.append(("mismatched_model", "All requests of a batch must be to the same model.", number))
        seen.add(custom_id)
        lines.append(line)
    if not lines and not errors:
        errors.append(("empty_file", "The batch input file is empty.", None))
    if len(lines) > most:
        errors.append(("too_many_tasks", f"The batch has more than {most} requests.", None))
    return lines, errors


def _result(number: int, line: Object, reply: Reply) -> Object:
    body = json.loads(reply.as_bytes())
    response = {"status_code": reply.status, "request_id": f"req_{number:05d}", "body": body}
    return {"id": f"batch_req_{number:05d}", "custom_id": line["custom_id"], "response": response, "error": None}


def _not_done(number: int, line: Object, status: str) -> Object:
    code, message = _NOT_DONE[status]
    error = {"code": code, "message": message}
    return {"id": f"batch_req_{number:05d}", "custom_id": line["custom_id"], "response": None, "error": error}


def _to(batch: Object, status: str, **changes: Any) -> None:
    batch |= {"status": status, f"{status}_at": int(time.time()), **changes}


def _errors(errors: Iterable[tuple[str, str, int | None]]) -> Object:
    data = [{"code": code, "message": message, "param": None, "line": line} for code, message, line in errors]
    return {"object": "list", "data": data}


def _after(seconds: float, end: Callable[[str], None]) -> Callable[[str], None]:
    then = time.monotonic() + seconds
    return lambda batch_id: end(batch_id) if time.monotonic() >= then else None


def _json(value: Object) -> Reply:
    return Reply(200, body=json.dumps(value))


def _multipart(content_type: str, payload: bytes) -> dict[str, tuple[str | None, bytes]]:
    """File name and content of each field of a form."""
    header = BytesHeaderParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode())
    boundary = header.get_boundary()
    if boundary is None:
        raise Refused(Reply(400, None, message="a multipart form is needed"))
    fields: dict[str, tuple[str | None, bytes]] = {}
    for part in payload.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        described = BytesHeaderParser(policy=HTTP).parsebytes(head + b"\r\n\r\n")
        name = described.get_param("name", header="content-disposition")
        fields[str(name)] = (described.get_filename(), content.removesuffix(b"\r\n"))
    return fields
