"""Finished work of a partition that is not finished: kept until the partition is written.

A long asset appends each piece of work as it is done; a killed run starts from there. On a local lake a process
appends to a journal of its own (an Arrow IPC stream), and what was appended survives the process. An object store
knows no appending: there a chunk is a small Parquet file, and a piece of work waits for its chunk.
"""

import io
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from llma_assets.lake.faults import kill_point
from llma_assets.lake.store import PARQUET_OPTIONS, Lake
from llma_assets.team_day import TeamDay

# On an object store: what a killed run may lose, against the number of files.
CHUNK_ROWS = 20
CHUNK_S = 5.0


class Checkpoint:
    """Finished rows of one partition of `table`. A context manager: leaving it keeps what still waits.

    `append` may be called by any thread.
    """

    def __init__(self, lake: Lake, table: str, team_day: TeamDay, schema: pa.Schema):
        self._lake, self._schema = lake, schema
        self._folder = f"{lake.root}/.checkpoints/{table}/team={team_day.team}/date={team_day.day.isoformat()}"
        # Names sort by time: of one item, the later row is read last.
        self._name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        self._lock = threading.Lock()
        self._journal: Any = None
        self._waiting: list[Mapping[str, Any]] = []
        self._chunks = 0
        self._written_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._write_chunk()
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep `rows`: on a local lake at once, else with the next chunk."""
        if not rows:
            return
        kill_point("before_checkpoint")
        with self._lock:
            if self._lake.is_local:
                self._append_to_journal(rows)
            else:
                self._waiting += rows
                if len(self._waiting) >= CHUNK_ROWS or time.monotonic() - self._written_at >= CHUNK_S:
                    self._write_chunk()
        kill_point("after_checkpoint")

    def read(self) -> pa.Table:
        """Everything kept so far that has exactly the schema, oldest first; what another version kept is ignored."""
        fs, parts = self._lake.fs, [self._schema.empty_table()]
        if fs.isdir(self._folder):
            for path in sorted(str(p) for p in fs.ls(self._folder, detail=False)):
                parts += [
                    part.cast(self._schema) for part in self._parts(path) if part.schema.names == self._schema.names
                ]
        return pa.concat_tables(parts)

    def clear(self) -> None:
        """Forget everything: the partition that it led to is written."""
        kill_point("before_clear")
        self.__exit__(None, None, None)
        if self._lake.fs.isdir(self._folder):
            self._lake.fs.rm(self._folder, recursive=True)

    def _append_to_journal(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if self._journal is None:
            path = Path(self._folder, f"{self._name}.arrows")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._journal = pa.ipc.new_stream(pa.OSFile(str(path), "wb"), self._schema)
        self._journal.write_batch(pa.RecordBatch.from_pylist(list(rows), self._schema))

    def _write_chunk(self) -> None:
        if not self._waiting:
            return
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(self._waiting, self._schema), buffer, **PARQUET_OPTIONS)
        self._lake.write_bytes(f"{self._folder}/{self._name}-{self._chunks:06d}.parquet", buffer.getvalue())
        self._waiting, self._written_at = [], time.monotonic()
        self._chunks += 1

    def _parts(self, path: str) -> list[pa.Table]:
        """What a file holds; what is damaged costs its work, not the partition."""
        parts: list[pa.Table] = []
        try:
            if path.endswith(".arrows"):
                with self._lake.fs.open(path, "rb") as file, pa.ipc.open_stream(file) as stream:
                    # A killed process leaves the last batch half written: those before it are whole.
                    parts += (pa.Table.from_batches([batch]) for batch in stream)
            elif path.endswith(".parquet") and not Path(path).name.startswith("."):
                with self._lake.fs.open(path, "rb") as file:
                    parts.append(pq.read_table(file, page_checksum_verification=True))
        except (pa.ArrowException, OSError):
            pass
        return parts
