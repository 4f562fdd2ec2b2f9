"""Writes one lake file that does not fit in memory: row group by row group, visible only when whole."""

import contextlib
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from llma_assets.lake.faults import kill_point
from llma_assets.lake.store import (
    PARQUET_OPTIONS,
    SCHEMA_VERSION_KEY,
    Lake,
    WriteResult,
    beside_path,
    commit_beside,
    conform,
)
from llma_assets.tables import SCHEMA_VERSION, TABLES


class TableWriter:
    """One Parquet file of `table`, written in row groups and published by `commit`.

    Local files grow beside their target; on an object store they grow in a temporary file here and
    are sent by one put. Leaving the `with` block without `commit` leaves nothing behind.

    Args:
        lake: where the file goes.
        table: a table of `llma_assets.tables`, whose schema each row group must fit.
        path: the file's final path under the lake's root.
        text_columns: columns of long distinct texts, for which a dictionary is wasted work.
    """

    def __init__(self, lake: Lake, table: str, path: str, text_columns: tuple[str, ...] = ()):
        lake.check_inside(path)
        self._lake, self._table, self._path = lake, table, path
        self._rows = 0
        kill_point("before_write")
        if lake.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._beside = beside_path(Path(path))
        else:
            descriptor, name = tempfile.mkstemp(suffix=".parquet")
            os.close(descriptor)
            self._beside = Path(name)
        self._file = _HashingFile(self._beside, path)
        schema = TABLES[table].schema.with_metadata({SCHEMA_VERSION_KEY: str(SCHEMA_VERSION).encode()})
        options: dict[str, Any] = dict(PARQUET_OPTIONS)
        options["use_dictionary"] = [name for name in schema.names if name not in text_columns]
        sink: Any = self._file
        self._parquet = pq.ParquetWriter(sink, schema, **options)

    def write(self, rows: pa.Table) -> None:
        """Append `rows` as one row group.

        Raises:
            InputRejected: they do not fit the table's schema.
            OSError: the disk is full or gone; names the path.
        """
        self._parquet.write_table(conform(self._table, rows), row_group_size=max(1, rows.num_rows))
        self._rows += rows.num_rows

    def commit(self) -> WriteResult:
        """Make the file visible under its name, whole and durable."""
        self._parquet.close()
        self._file.sync_and_close()
        kill_point("after_write")
        if self._lake.is_local:
            commit_beside(self._beside, Path(self._path))
        else:
            self._lake.fs.makedirs(self._path.rsplit("/", 1)[0], exist_ok=True)
            self._lake.fs.put_file(str(self._beside), self._path)
            self._beside.unlink()
        return WriteResult(self._path, self._rows, self._file.size_bytes, self._file.sha256.hexdigest())

    def abort(self) -> None:
        """Drop what was written so far; after `commit` this changes nothing."""
        # A writer that failed on a full disk fails again when it tries to write its footer.
        with contextlib.suppress(OSError, pa.ArrowException):
            self._parquet.close()
        self._file.close()
        self._beside.unlink(missing_ok=True)

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class _HashingFile(io.RawIOBase):
    """A local file for Arrow to write to: hashes what passes, and names the target when it fails."""

    def __init__(self, path: Path, target: str):
        self._target = target
        self._handle: BinaryIO = open(path, "wb", buffering=1 << 20)  # noqa: SIM115
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        view = memoryview(content)
        with self._naming(view.nbytes):
            self._handle.write(view)
        self.sha256.update(view)
        self.size_bytes += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size_bytes

    def flush(self) -> None:
        """Arrow flushes after each row group; only `sync_and_close` needs the bytes on disk."""

    def sync_and_close(self) -> None:
        with self._naming(self.size_bytes):
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._handle.close()

    @contextlib.contextmanager
    def _naming(self, count: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, f"cannot write {count} bytes: {error.strerror}", self._target) from error
