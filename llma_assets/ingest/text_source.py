"""Rows of a JSON text file in bounded memory: one object a line, or one array of objects.

The content decides, not the name: gzip is told by its first bytes, an array by its first bracket.
"""

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from llma_assets.errors import InputRejected
from llma_assets.ingest.limits import MIB, Limits
from llma_assets.ingest.quarantine import RAW_CAP_BYTES

OnBytes = Callable[[int], None]

_BUFFER_BYTES = MIB
_SNIFF_BYTES = 4_096
_BOM = b"\xef\xbb\xbf"
_FOREIGN = {
    b"PAR1": "Parquet inside gzip; unpack it first",
    b"\x1f\x8b": "gzip inside gzip; unpack it first",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "zstandard; unpack it first",
    b"BZh": "bzip2; unpack it first",
    b"\xfd7zXZ": "xz; unpack it first",
    b"SQLite format 3": "an SQLite database, not events",
    b"\xff\xfe": "UTF-16; convert it to UTF-8 first",
    b"\xfe\xff": "UTF-16; convert it to UTF-8 first",
}
_ARRAY_START = re.compile(rb"\s*\[\s*[{\]]")
_TOKEN = re.compile(rb'["\[\]{},]')
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class RawRow(NamedTuple):
    """One row as it stands in the file.

    `number` is the physical line, or the place in the array, from 1. `length` is in bytes; of a row
    longer than the limit, `raw` holds only the first bytes.
    """

    number: int
    raw: bytes
    length: int


def text_rows(handle: BinaryIO, size: int, limits: Limits, on_bytes: OnBytes) -> Iterator[RawRow]:
    """Rows of a JSON text file, plain or gzip; blank lines are passed over.

    Args:
        handle: the file, at its start.
        size: its bytes; what is appended meanwhile is not read, or reading might never end.
        limits: row and total size.
        on_bytes: called with the bytes of the file read so far.

    Raises:
        InputRejected: not such a file, damaged gzip, or one that unpacks beyond its limits.
    """
    counted = _Counted(handle, size, on_bytes)
    stream: io.BufferedReader[Any] = io.BufferedReader(counted, _BUFFER_BYTES)
    if stream.peek(2)[:2] == b"\x1f\x8b":
        stream = io.BufferedReader(_Unpacked(stream, counted, limits), _BUFFER_BYTES)
    head = stream.peek(_SNIFF_BYTES)[:_SNIFF_BYTES]
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise InputRejected(f"the content is {what}")
    if b"\0" in head[:4]:
        raise InputRejected("the content is binary, or text in UTF-16; events are JSON in UTF-8")
    if head.startswith(_BOM):
        stream.read(len(_BOM))
        head = head[len(_BOM) :]
    return _elements(stream, limits) if _ARRAY_START.match(head) else _lines(stream, limits)


def _lines(stream: BinaryIO, limits: Limits) -> Iterator[RawRow]:
    number = 0
    longest = limits.max_row_bytes + len(b"\r\n")
    while line := stream.readline(longest):
        number += 1
        length = len(line)
        if length == longest and not line.endswith(b"\n"):
            line = line[:RAW_CAP_BYTES]
            while rest := stream.readline(_BUFFER_BYTES):
                length += len(rest.rstrip(b"\r\n"))
                if rest.endswith(b"\n"):
                    break
            yield RawRow(number, line, length)
        elif line := line.strip():
            yield RawRow(number, line, len(line))


def _elements(stream: "io.BufferedReader[Any]", limits: Limits) -> Iterator[RawRow]:
    """Elements of one JSON array, cut at the commas between them and not parsed here."""
    while stream.read(1) != b"[":
        pass
    number, depth, in_string, escaped, closed = 0, 0, False, False, False
    row = _GrowingRow(limits)
    while chunk := stream.read1(_BUFFER_BYTES):
        if closed:
            if chunk.strip():
                raise InputRejected("there is text after the closing ] of the array")
            continue
        position, start = int(escaped), 0
        escaped = False
        while True:
            if in_string:
                position = _IN_STRING.match(chunk, position).end()  # type: ignore[union-attr]
                if position >= len(chunk) or chunk[position] == 0x5C:
                    # The string goes on in the next chunk, perhaps with the second half of an escape.
                    escaped = position < len(chunk)
                    break
                in_string, position = False, position + 1
            token = _TOKEN.search(chunk, position)
            if token is None:
                break
            position, mark = token.end(), token[0]
            if mark == b'"':
                in_string = True
            elif mark in b"[{":
                depth += 1
            elif depth:
                depth -= mark != b","
            elif mark != b"}":
                row.add(chunk[start : token.start()])
                start = position
                if (done := row.take(number + 1)) is not None:
                    number += 1
                    yield done
                if mark == b"]":
                    closed = True
                    if chunk[position:].strip():
                        raise InputRejected("there is text after the closing ] of the array")
                    break
        if not closed:
            row.add(chunk[start:])
    if (done := row.take(number + 1)) is not None:
        yield done


class _GrowingRow:
    """An element that arrives in pieces; beyond the limit only its length grows."""

    def __init__(self, limits: Limits):
        self._limit = limits.max_row_bytes
        self._pieces: list[bytes] = []
        self._length = 0

    def add(self, piece: bytes) -> None:
        if self._length <= self._limit:
            self._pieces.append(piece)
        self._length += len(piece)

    def take(self, number: int) -> RawRow | None:
        raw, length = b"".join(self._pieces), self._length
        self._pieces, self._length = [], 0
        if length > self._limit:
            return RawRow(number, raw[:RAW_CAP_BYTES], length)
        raw = raw.strip()
        return RawRow(number, raw, len(raw)) if raw else None


class _Counted(io.RawIOBase):
    """A file that reports how far it has been read."""

    def __init__(self, handle: BinaryIO, size: int, on_bytes: OnBytes):
        self._handle, self._size, self._on_bytes = handle, size, on_bytes
        self.done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._handle.readinto(memoryview(buffer)[: self._size - self.done])  # type: ignore[attr-defined]
        self.done += count
        self._on_bytes(self.done)
        return count


class _Unpacked(io.RawIOBase):
    """The content of a gzip file, up to the limits."""

    def __init__(self, packed: "io.BufferedReader[Any]", counted: _Counted, limits: Limits):
        self._gzip = gzip.GzipFile(fileobj=packed, mode="rb")
        self._counted, self._limits = counted, limits
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count = self._gzip.readinto(buffer)
        except EOFError:
            raise InputRejected("the gzip file ends early; it was not copied whole") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputRejected(f"the gzip file is damaged: {error}") from None
        self._done += count
        check_unpacked(self._done, self._counted.done, self._limits)
        return count


def check_unpacked(unpacked_bytes: int, packed_bytes: int, limits: Limits) -> None:
    """Refuse a file that unpacks to more than its limits allow.

    Raises:
        InputRejected: in total, or beyond `ratio_free_bytes` in proportion to its packed size.
    """
    if unpacked_bytes > limits.max_decompressed_bytes:
        raise InputRejected(f"it unpacks to more than {limits.max_decompressed_bytes} bytes; split it")
    if unpacked_bytes > limits.ratio_free_bytes and unpacked_bytes > limits.max_ratio * packed_bytes:
        raise InputRejected(
            f"it unpacks to more than {limits.max_ratio} times its size ({packed_bytes} bytes so far), as only a"
            " decompression bomb does; unpack it yourself if it is none"
        )
