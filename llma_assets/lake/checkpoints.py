"""Finished work of a partition that is not finished: kept until the partition is written.

A long asset appends what it has paid for, chunk by chunk; a killed run starts from there. Chunks
are small Parquet files named by their content key, so writing the same chunk twice is harmless.
"""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llma_assets.lake.faults import kill_point
from llma_assets.lake.store import PARQUET_OPTIONS, Lake
from llma_assets.team_day import TeamDay


class Checkpoint:
    """Chunks of finished rows of one partition of `table`."""

    def __init__(self, lake: Lake, table: str, team_day: TeamDay):
        self._lake = lake
        self._folder = f"{lake.root}/.checkpoints/{table}/team={team_day.team}/date={team_day.day.isoformat()}"

    def append(self, key: str, rows: pa.Table) -> None:
        """Keep `rows` under `key` (letters and digits); the same key replaces."""
        kill_point("before_checkpoint")
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, **PARQUET_OPTIONS)
        self._lake.write_bytes(f"{self._folder}/{key}.parquet", buffer.getvalue())
        kill_point("after_checkpoint")

    def read(self, schema: pa.Schema) -> pa.Table:
        """Everything kept so far that has exactly `schema`; chunks of another version are ignored."""
        fs, parts = self._lake.fs, [schema.empty_table()]
        if fs.isdir(self._folder):
            for path in sorted(str(p) for p in fs.ls(self._folder, detail=False)):
                if Path(path).name.startswith(".") or not path.endswith(".parquet"):
                    continue
                try:
                    with fs.open(path, "rb") as file:
                        chunk = pq.read_table(file, page_checksum_verification=True)
                except (pa.ArrowException, OSError):
                    # A damaged chunk costs its work, not the partition.
                    continue
                if chunk.schema.names == schema.names:
                    parts.append(chunk.cast(schema))
        return pa.concat_tables(parts)

    def clear(self) -> None:
        """Forget the chunks: the partition that they led to is written."""
        kill_point("before_clear")
        if self._lake.fs.isdir(self._folder):
            self._lake.fs.rm(self._folder, recursive=True)
