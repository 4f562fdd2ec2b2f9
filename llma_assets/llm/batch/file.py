"""The file of requests that makes a batch, and the results that come back: on disk, whatever their size."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Final, Self

ENDPOINT: Final = "/v1/chat/completions"
# OpenAI takes 50,000 requests and 200 MB in one file.
MAX_REQUESTS = 50_000
MAX_FILE_BYTES = 190_000_000


class RequestFile:
    """Requests of one batch, in a temporary file. Context manager."""

    def __init__(self) -> None:
        self.handle: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever holds this
        self.size_bytes = 0
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.handle.close()

    def has_room(self, line: bytes, max_requests: int = MAX_REQUESTS) -> bool:
        """Whether another request fits."""
        return self.requests < max_requests and self.size_bytes + len(line) <= MAX_FILE_BYTES

    def add(self, line: bytes) -> None:
        """Append a request, as `request_line` makes it."""
        self.handle.write(line)
        self.size_bytes += len(line)
        self.requests += 1


def request_line(custom_id: str, body: Mapping[str, Any]) -> bytes:
    """One request as a line of the file."""
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": dict(body)}
    # ASCII: a lone surrogate in a trace would be no UTF-8.
    return json.dumps(line).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one request.

    Attributes:
        status_code: of the answer; None where the request was never carried out.
        body: of the answer.
    """

    custom_id: str
    status_code: int | None
    body: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether the request was carried out, well or not. Status 0 has been seen for requests that were not."""
        return self.status_code is not None and self.status_code >= 200


class ResultFile:
    """Results of batches, in a temporary file, found by batch and request. Context manager."""

    def __init__(self) -> None:
        self.handle: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever holds this
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.handle.close()

    def rewind(self) -> None:
        """Forget what was written since the last `index`."""
        self.handle.seek(self._end)
        self.handle.truncate()

    def index(self, batch_id: str) -> None:
        """Find the results in what was written since the last time; lines that are none are passed over."""
        self.handle.seek(self._end)
        for line in self.handle:
            result = read_result(line)
            if result is not None:
                self._places[batch_id, result.custom_id] = (self._end, len(line))
            self._end += len(line)

    def get(self, batch_id: str, custom_id: str) -> BatchResult | None:
        """The result of one request of a batch; None if there is none."""
        place = self._places.get((batch_id, custom_id))
        if place is None:
            return None
        self.handle.seek(place[0])
        return read_result(self.handle.read(place[1]))


def read_result(line: bytes) -> BatchResult | None:
    """The result that a line holds; None if it is none."""
    try:
        row = json.loads(line)
        custom_id, response = row["custom_id"], row.get("response")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    response = response if isinstance(response, dict) else {}
    status, body = response.get("status_code"), response.get("body")
    return BatchResult(
        custom_id=str(custom_id),
        status_code=status if isinstance(status, int) and not isinstance(status, bool) else None,
        body=body if isinstance(body, dict) else {},
    )
