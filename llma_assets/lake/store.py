"""Partitions as Parquet files: written whole, replaced atomically, never read half.

A lake is a folder, or any fsspec URL. `<url>/<table>/team=<team>/date=<YYYY-MM-DD>/<name>.parquet`
is the identity of a partition: writing it again replaces it, and the same rows give the same bytes.

Local writes go to a file beside the target, are fsynced and renamed. Object stores get one PUT,
which is atomic by itself. Every page carries a checksum, which reads through `Lake` verify (DuckDB,
which reads the same files for SQL, does not).
"""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llma_assets.errors import InputRejected, MissingExtra, PartitionCorrupt, PartitionMissing
from llma_assets.lake.faults import kill_point
from llma_assets.lake.locks import file_lock
from llma_assets.tables import SCHEMA_VERSION, TABLES
from llma_assets.team_day import TEAM_PATTERN, TeamDay

PARTITION_FILE = "part.parquet"
LOCK_TIMEOUT_S = 30.0
_SOURCE_VERSION = b"llma.source_version"
SCHEMA_VERSION_KEY = b"llma.schema_version"


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write left behind. `sha256` is over the file's bytes: equal rows, equal hash."""

    path: str
    rows: int
    size_bytes: int
    sha256: str


class Lake:
    """Reads and writes the tables of `llma_assets.tables` under one fsspec URL.

    Args:
        url: a folder or an fsspec URL (`/data/lake`, `s3://bucket/lake`).
        lock_timeout_s: how long a writer waits for another writer of the same partition.
    """

    def __init__(self, url: str, lock_timeout_s: float = LOCK_TIMEOUT_S):
        from fsspec.core import url_to_fs

        self.url = str(url)
        try:
            self.fs, root = url_to_fs(self.url)
        except ImportError as error:
            raise MissingExtra(f"LLMA_LAKE_URL: {self.url} needs another package: {error}") from error
        except ValueError as error:
            raise InputRejected(
                f"LLMA_LAKE_URL: {self.url!r} is no folder and no URL that fsspec knows: {error}"
            ) from error
        self.is_local = "file" in ((self.fs.protocol,) if isinstance(self.fs.protocol, str) else self.fs.protocol)
        self.root = os.path.realpath(root) if self.is_local else root.rstrip("/")
        self.lock_timeout_s = lock_timeout_s

    # --- where things are -------------------------------------------------------------------

    @property
    def scheme(self) -> str:
        """What DuckDB wants before a path of this lake: nothing for a folder, else as in `s3://`."""
        return "" if self.is_local else f"{self.url.partition('://')[0]}://"

    def folder(self, table: str, team_day: TeamDay) -> str:
        """The folder of one partition of `table`."""
        _known(table)
        return f"{self.root}/{table}/team={team_day.team}/date={team_day.day.isoformat()}"

    def path(self, table: str, team_day: TeamDay, name: str = PARTITION_FILE) -> str:
        """The file of one partition of `table`."""
        return f"{self.folder(table, team_day)}/{name}"

    def teams(self, table: str = "trace_events") -> list[str]:
        """Teams that have a folder in `table`, sorted."""
        return sorted(t for t in self._children(f"{self.root}/{_known(table)}", "team=") if TEAM_PATTERN.fullmatch(t))

    def days(self, table: str, team: str) -> list[TeamDay]:
        """Days of `team` that hold at least one file of `table`, oldest first."""
        team_days = (
            TeamDay(team, date.fromisoformat(d))
            for d in self._children(f"{self.root}/{_known(table)}/team={team}", "date=")
        )
        return sorted(team_day for team_day in team_days if self.files(table, team_day))

    def files(self, table: str, team_day: TeamDay) -> list[str]:
        """Parquet files of one partition, sorted; empty if it was never written."""
        return self._parquet_in(self.folder(table, team_day))

    def team_files(self, table: str, team: str) -> list[str]:
        """Files of a table that has no days (`ingests`, `quarantine`), sorted."""
        return self._parquet_in(f"{self.root}/{_known(table)}/team={team}")

    def exists(self, table: str, team_day: TeamDay) -> bool:
        """Whether the partition was written (an empty one was)."""
        return self.fs.exists(self.path(table, team_day))

    # --- reading ----------------------------------------------------------------------------

    def read(self, table: str, team_day: TeamDay, columns: list[str] | None = None) -> pa.Table:
        """Rows of one partition. A column that the table got after the file was written is null in all of them.

        Raises:
            PartitionMissing: it was never written.
            PartitionCorrupt: the file fails its checksums, was written by a newer version, or lacks a column that
                may not be null.
        """
        path = self.path(table, team_day)
        if not self.fs.exists(path):
            raise PartitionMissing(f"{table} {team_day} has not been written")
        with self.open_parquet(path) as file:
            metadata = file.schema_arrow.metadata or {}
            version = int(metadata.get(SCHEMA_VERSION_KEY, b"1"))
            if version > SCHEMA_VERSION:
                raise PartitionCorrupt(
                    f"{path}: schema version {version} is newer than this program's {SCHEMA_VERSION}"
                )
            # Parquet names list members its own way; the declared schema is what callers see.
            wanted = declared(table, columns)
            return _with_new_columns(file.read(columns=wanted.names), wanted, path).cast(wanted)

    def read_days(self, table: str, team_days: Iterable[TeamDay], columns: list[str] | None = None) -> pa.Table:
        """Rows of several partitions, in their order; days never written are passed over."""
        parts = [self.read(table, team_day, columns) for team_day in team_days if self.exists(table, team_day)]
        return pa.concat_tables([declared(table, columns).empty_table(), *parts])

    def source_version(self, table: str, team_day: TeamDay) -> str | None:
        """The version of the input that a partition was made from; None if it was never written."""
        path = self.path(table, team_day)
        if not self.fs.exists(path):
            return None
        with self.open_parquet(path) as file:
            return (file.schema_arrow.metadata or {}).get(_SOURCE_VERSION, b"").decode()

    @contextlib.contextmanager
    def open_parquet(self, path: str) -> Iterator[pq.ParquetFile]:
        """A file whose pages are checked as they are read; what is broken is told as `PartitionCorrupt`."""
        try:
            handle = path if self.is_local else self.fs.open(path, "rb")
            with pq.ParquetFile(handle, page_checksum_verification=True) as file:
                yield file
        except (pa.ArrowInvalid, pa.ArrowTypeError, OSError, ValueError) as error:
            raise PartitionCorrupt(
                f"{path} cannot be read ({error}); delete the file and run the partition again"
            ) from error

    def content_hash(self, table: str, team_day: TeamDay) -> str:
        """SHA-256 of a partition's file; empty if it was never written."""
        path = self.path(table, team_day)
        return hashlib.sha256(self.fs.cat_file(path)).hexdigest() if self.fs.exists(path) else ""

    # --- writing ----------------------------------------------------------------------------

    def write(self, table: str, team_day: TeamDay, rows: pa.Table, source_version: str = "") -> WriteResult:
        """Replace one partition of `table` by `rows`, atomically.

        Raises:
            InputRejected: the rows do not fit the table's schema.
        """
        conformed = conform(table, rows)
        metadata = {_SOURCE_VERSION: source_version.encode(), SCHEMA_VERSION_KEY: str(SCHEMA_VERSION).encode()}
        buffer = io.BytesIO()
        pq.write_table(conformed.replace_schema_metadata(metadata), buffer, **PARQUET_OPTIONS)
        content = buffer.getvalue()
        path = self.path(table, team_day)
        self.write_bytes(path, content)
        return WriteResult(path, conformed.num_rows, len(content), hashlib.sha256(content).hexdigest())

    def write_schema(self, path: str, schema: pa.Schema) -> None:
        """Put a file without rows at `path`, if there is none or one of other columns.

        It says what a table looks like before anything is in it, and has the columns that older files lack.
        """
        if self.fs.exists(path):
            with self.open_parquet(path) as file:
                if file.schema_arrow.equals(schema):
                    return
        buffer = io.BytesIO()
        pq.write_table(schema.empty_table(), buffer, **PARQUET_OPTIONS)
        self.write_bytes(path, buffer.getvalue())

    def write_bytes(self, path: str, content: bytes) -> None:
        """Put `content` at `path` under the lake's root: all of it, or nothing."""
        self.check_inside(path)
        kill_point("before_write")
        if not self.is_local:
            self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self.fs.pipe_file(path, content)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = beside_path(target)
        try:
            with open(beside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise OSError(error.errno, f"cannot write {len(content)} bytes: {error.strerror}", str(target)) from error
        kill_point("after_write")
        commit_beside(beside, target)

    def remove(self, path: str) -> None:
        """Remove a file under the lake's root, if it is there."""
        self.check_inside(path)
        if self.fs.exists(path):
            self.fs.rm_file(path)

    @contextlib.contextmanager
    def lock(self, table: str, team_day: TeamDay) -> Iterator[None]:
        """Hold the only right to write one partition; sweep what a killed writer left beside it.

        Raises:
            PartitionLocked: another live process still holds it after `lock_timeout_s`.
        """
        with self.named_lock(f"{table}.{team_day.team}.{team_day.day.isoformat()}"):
            if self.is_local:
                for left_over in Path(self.folder(table, team_day)).glob(".*.tmp"):
                    left_over.unlink(missing_ok=True)
            yield

    @contextlib.contextmanager
    def named_lock(self, name: str, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the lock `name`; the kernel drops it with its process, so a crash leaves none behind.

        On object stores there is none: both writers give the same bytes, and each PUT is atomic.

        Raises:
            PartitionLocked: another live process still holds it after `timeout_s`, by default `lock_timeout_s`.
        """
        if self.is_local:
            with file_lock(self.root, name, self.lock_timeout_s if timeout_s is None else timeout_s):
                yield
        else:
            yield

    # --- internals --------------------------------------------------------------------------

    def _children(self, folder: str, prefix: str) -> list[str]:
        if not self.fs.isdir(folder):
            return []
        names = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in self.fs.ls(folder, detail=False))
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    def _parquet_in(self, folder: str) -> list[str]:
        if not self.fs.isdir(folder):
            return []
        names = (str(path).rsplit("/", 1)[-1] for path in self.fs.ls(folder, detail=False))
        return sorted(f"{folder}/{name}" for name in names if name.endswith(".parquet") and not name.startswith("."))

    def check_inside(self, path: str) -> None:
        """Refuse a path that is not under the lake's root, links followed."""
        resolved = os.path.realpath(path) if self.is_local else path
        if not resolved.startswith(f"{self.root}/") or "/../" in path:
            raise InputRejected(f"path: {path} leaves the lake at {self.root}")


# Chosen for equal bytes from equal rows, and a checksum that every read verifies.
PARQUET_OPTIONS = {"compression": "zstd", "write_page_checksum": True, "store_schema": True}


def declared(table: str, columns: list[str] | None = None) -> pa.Schema:
    """The declared schema of `table`, or the part of it that `columns` names, in their order."""
    schema = TABLES[_known(table)].schema
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def conform(table: str, rows: pa.Table) -> pa.Table:
    """`rows` in the declared schema of `table`: same columns in the declared order and types.

    Raises:
        InputRejected: a column is missing, unknown, of another type, or null where it may not be.
    """
    schema = TABLES[_known(table)].schema
    missing, unknown = set(schema.names) - set(rows.column_names), set(rows.column_names) - set(schema.names)
    if missing or unknown:
        raise InputRejected(f"{table}: columns missing {sorted(missing)}, unknown {sorted(unknown)}")
    try:
        return rows.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise InputRejected(f"{table}: rows do not fit the declared schema: {error}") from error


def _with_new_columns(rows: pa.Table, wanted: pa.Schema, path: str) -> pa.Table:
    """`rows` with the columns of `wanted` in their order, those that the file does not have full of nulls."""
    for field in wanted:
        if field.name not in rows.column_names:
            if not field.nullable:
                raise PartitionCorrupt(
                    f"{path} was written before it had a column {field.name!r}; run the partition again"
                )
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(wanted.names)


def beside_path(target: Path) -> Path:
    """Where a file waits, in the same folder, until it is renamed to `target`."""
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def commit_beside(beside: Path, target: Path) -> None:
    """Rename a finished, fsynced file to its name, and make the rename durable."""
    kill_point("before_rename")
    beside.replace(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    kill_point("after_rename")


def _known(table: str) -> str:
    if table not in TABLES:
        raise InputRejected(f"table: {table!r} is not one of {', '.join(sorted(TABLES))}")
    return table
