"""Rows waiting for their file, over all days together in bounded memory.

A file may hold any number of days in any order. Rows collect in memory by day; when they pass the
budget, the largest days go to one unnamed temporary file, compressed. When the input is read, each
day is put together again and written as one Parquet file. So there is one open file however many
days there are, row groups are of one size however the days interleave, and nothing is published of
a file that turns out to be bad. An unnamed file leaves nothing behind when the process is killed.
"""

import marshal
import tempfile
from collections.abc import Callable, Hashable, Iterator
from types import TracebackType
from typing import Any, BinaryIO, Literal, NamedTuple

import pyarrow as pa

from llma_assets.ingest.limits import Limits

# Python objects of a row beside its text, measured on real events.
_ROW_OVERHEAD_BYTES = 1_500
_CODEC: Literal["lz4"] = "lz4"

Row = tuple[Any, ...]


class _Piece(NamedTuple):
    """Rows of one key in the temporary file: where, and how large packed, unpacked and as rows."""

    offset: int
    packed_bytes: int
    unpacked_bytes: int
    rows_bytes: int


class Spool:
    """Rows by key, in the order they came.

    Args:
        to_table: makes a table of some of a key's rows.
        limits: memory and row group size.
        folder: where the temporary file goes; None for the system's own.
    """

    def __init__(self, to_table: Callable[[Hashable, list[Row]], pa.Table], limits: Limits, folder: str | None):
        self._to_table, self._limits, self._folder = to_table, limits, folder
        self._rows: dict[Hashable, list[Row]] = {}
        self._sizes: dict[Hashable, int] = {}
        self._size = 0
        self._spilled: dict[Hashable, list[_Piece]] = {}
        self._file: BinaryIO | None = None
        self._end = 0

    def add(self, key: Hashable, row: Row, text_bytes: int) -> None:
        """Keep one row of plain values (no objects of ours) whose texts take `text_bytes`."""
        size = text_bytes + _ROW_OVERHEAD_BYTES
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = []
            self._sizes[key] = 0
        rows.append(row)
        self._sizes[key] += size
        self._size += size
        if self._sizes[key] > self._limits.row_group_bytes:
            self._spill(key)
        elif self._size > self._limits.buffer_bytes:
            # Down to half, largest first, so that the next spill is far away and its pieces are large.
            for largest in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
                if self._size <= self._limits.buffer_bytes // 2:
                    break
                self._spill(largest)

    def row_groups(self, key: Hashable) -> Iterator[pa.Table]:
        """The rows of `key` in tables of about `row_group_bytes`; they are forgotten on the way."""
        waiting: list[Row] = []
        size = 0
        for rows, rows_bytes in self._pieces(key):
            if waiting and size + rows_bytes > self._limits.row_group_bytes:
                yield self._to_table(key, waiting)
                waiting, size = [], 0
            waiting += rows
            size += rows_bytes
        if waiting:
            yield self._to_table(key, waiting)

    def _pieces(self, key: Hashable) -> Iterator[tuple[list[Row], int]]:
        for piece in self._spilled.pop(key, ()):
            assert self._file is not None
            self._file.seek(piece.offset)
            packed = self._file.read(piece.packed_bytes)
            yield marshal.loads(pa.decompress(packed, piece.unpacked_bytes, _CODEC, asbytes=True)), piece.rows_bytes
        rows = self._rows.pop(key, None)
        if rows:
            size = self._sizes.pop(key)
            self._size -= size
            yield rows, size

    def _spill(self, key: Hashable) -> None:
        """Move the rows of `key` to the temporary file."""
        rows_bytes = self._sizes.pop(key)
        # marshal writes plain tuples only, and several times faster than anything else: only this
        # process reads the file.
        content = marshal.dumps([tuple(row) for row in self._rows.pop(key)])
        packed = pa.compress(content, _CODEC, asbytes=True)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
            view = memoryview(packed)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            problem = f"cannot write {len(packed)} bytes of waiting rows: {error.strerror}"
            raise OSError(error.errno, problem, self._folder or tempfile.gettempdir()) from error
        self._spilled.setdefault(key, []).append(_Piece(self._end, len(packed), len(content), rows_bytes))
        self._end += len(packed)
        self._size -= rows_bytes

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
