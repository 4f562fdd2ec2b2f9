"""Ingests one file: read, judge, spool, and only then publish; the ledger row comes last."""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import orjson
import pyarrow as pa

from llma_assets.errors import InputRejected
from llma_assets.ingest.event_rows import EventRow, EventRows, day_of
from llma_assets.ingest.ledger import (
    Ingest,
    by_frequency,
    is_complete,
    read_ledger,
    remove_published,
    report_of,
    sweep_half_written,
    write_ledger,
)
from llma_assets.ingest.limits import DEFAULT_LIMITS, Limits
from llma_assets.ingest.parquet_source import ParquetRow, parquet_rows
from llma_assets.ingest.quarantine import RAW_CAP_BYTES, QuarantineReason, RowRejected
from llma_assets.ingest.report import IngestReport
from llma_assets.ingest.spool import Row, Spool
from llma_assets.ingest.text_source import RawRow, text_rows
from llma_assets.lake import Lake
from llma_assets.lake.faults import kill_point
from llma_assets.lake.writer import TableWriter
from llma_assets.tables.ingest import QUARANTINE, TRACE_EVENTS
from llma_assets.team_day import check_team

# More than half bad is a wrong file, not a dirty one. Below 20 rows a share means little.
MAX_BAD_SHARE = 0.5
MIN_ROWS_TO_JUDGE = 20
# A second process with the same file waits for the first and then finds its work done.
LOCK_TIMEOUT_S = 3_600.0

# Points of this module for `lake.faults`, beside those of the lake's own writes.
KILL_POINTS = ("ingest_before_publish", "ingest_between_files", "ingest_before_ledger", "ingest_after_ledger")

OnProgress = Callable[[int, int], None]

_EPOCH_DAY = date(1970, 1, 1)
_QUARANTINE = "quarantine"
_DECIDED_BY_INGEST = ("team_id", "date", "ingest_id", "ingested_at")


def ingest_file(
    lake: Lake,
    path: Path,
    team: str,
    ingested_at: datetime,
    *,
    on_progress: OnProgress | None = None,
    max_bad_share: float = MAX_BAD_SHARE,
    limits: Limits = DEFAULT_LIMITS,
) -> IngestReport:
    """Add the events of one file to the lake's `trace_events`, whatever their days.

    The file is JSON lines or one JSON array, plain or gzip, or Parquet with the columns uuid, event,
    distinct_id, timestamp and properties; its content decides, not its name. Rows that cannot be
    kept go to `quarantine` with a reason. Files are named by a hash of the input's bytes: the same
    bytes a second time change nothing, and a run that was killed is repeated by running it again.

    Args:
        lake: where the events go.
        path: the input file; it is read twice (hash, rows) and held open throughout.
        team: the team that the events belong to. No team id in the file is believed.
        ingested_at: aware; of two deliveries of one uuid the reader takes the later ingest.
        on_progress: called with (bytes done, bytes in all) of the input file, now and then.
        max_bad_share: share of bad rows, over at least 20, above which nothing is kept; 1.0 allows all.
        limits: bounds on memory and on what a packed file may unpack to.

    Returns:
        Counts. Rows are counted as delivered; readers join duplicate uuids.

    Raises:
        InputRejected: the file, the team or an argument is wrong; nothing was published.
        PartitionLocked: another process has been ingesting the same file for an hour.
        OSError: the file cannot be read, or the lake not written; nothing stays published.
    """
    check_team(team)
    if ingested_at.tzinfo is None:
        raise InputRejected(f"ingested_at: {ingested_at} has no time zone")
    if not 0 <= max_bad_share <= 1:
        raise InputRejected(f"max_bad_share: {max_bad_share} is not between 0 and 1")
    _check_no_case_clash(lake, team)
    with _opened(path) as handle, _naming(path):
        before = os.fstat(handle.fileno())
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]
        name = path.name.encode("utf-8", "replace").decode()
        ingest = Ingest(lake, team, sha256, name, before.st_size, ingested_at.astimezone(UTC))
        with lake.named_lock(f"ingests.{team}.{ingest.id}", LOCK_TIMEOUT_S):
            earlier = read_ledger(ingest)
            if earlier is not None:
                if is_complete(ingest, earlier):
                    return report_of(ingest, earlier)
                # A damaged file was deleted: write the same again, under the same time and name.
                ingest = replace(ingest, ingested_at=earlier["ingested_at"], source_file=earlier["source_file"])
            sweep_half_written(ingest)
            try:
                handle.seek(0)
                return _ingest(ingest, handle, on_progress or (lambda *_: None), max_bad_share, limits, before)
            except BaseException as error:
                # Nothing of an unfinished ingest stays. On an object store, where no lock is held,
                # another process may be publishing the same files; it is only sure to be refused too
                # where the input is at fault.
                if read_ledger(ingest) is None and (lake.is_local or isinstance(error, InputRejected)):
                    remove_published(ingest)
                raise


def _ingest(
    ingest: Ingest,
    handle: BinaryIO,
    on_progress: OnProgress,
    max_bad_share: float,
    limits: Limits,
    before: os.stat_result,
) -> IngestReport:
    folder = ingest.lake.root if ingest.lake.is_local else None
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    with Spool(lambda key, rows: _to_table(ingest, key, rows), limits, folder) as spool:
        counts = _IngestCounts(EventRows(ingest.ingested_at, limits))
        for row in _open_rows(handle, ingest.size_bytes, limits, on_progress):
            _take(row, counts, spool, limits)
        after = os.fstat(handle.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputRejected("the file changed while it was read; ingest it when it is finished")
        counts.check_bad_share(max_bad_share)
        report = counts.report(ingest)
        kill_point("ingest_before_publish")
        _publish(ingest, spool, report)
    on_progress(ingest.size_bytes, ingest.size_bytes)
    return report


def _publish(ingest: Ingest, spool: Spool, report: IngestReport) -> None:
    published = []
    for day in report.dates:
        published.append(ingest.events_path(day))
        _write(ingest.lake, "trace_events", published[-1], spool.row_groups(day), ("properties", "uuid", "span_id"))
        kill_point("ingest_between_files")
    if report.rows_quarantined:
        published.append(ingest.team_path("quarantine"))
        _write(ingest.lake, "quarantine", published[-1], spool.row_groups(_QUARANTINE), ("raw",))
    # The same bytes have the same days, so a killed try has left nothing else, with one exception:
    # under an earlier clock a row may lie too far in the future that did not before.
    remove_published(ingest, keep={*published, ingest.team_path("ingests")})
    kill_point("ingest_before_ledger")
    write_ledger(ingest, report)
    kill_point("ingest_after_ledger")


def _write(lake: Lake, table: str, path: str, row_groups: Iterator[pa.Table], text_columns: tuple[str, ...]) -> None:
    with TableWriter(lake, table, path, text_columns) as writer:
        for rows in row_groups:
            writer.write(rows)
        writer.commit()


class _IngestCounts:
    """Counts of one ingest as it goes."""

    def __init__(self, events: EventRows):
        self.events = events
        self.rows_read = 0
        self.reasons: Counter[QuarantineReason] = Counter()
        self.days: Counter[date] = Counter()

    def check_bad_share(self, max_bad_share: float) -> None:
        bad = self.reasons.total()
        if self.rows_read < MIN_ROWS_TO_JUDGE or bad <= max_bad_share * self.rows_read:
            return
        commonest = ", ".join(f"{count} {reason}" for reason, count in by_frequency(self.reasons)[:3])
        raise InputRejected(
            f"{bad} of {self.rows_read} rows cannot be used ({commonest}), more than the allowed share of"
            f" {max_bad_share:g}; nothing was ingested. If the file is right, raise max_bad_share (1 allows all)"
        )

    def report(self, ingest: Ingest) -> IngestReport:
        return IngestReport(
            ingest_id=ingest.id,
            source_file=ingest.source_file,
            rows_read=self.rows_read,
            rows_kept=self.days.total(),
            rows_quarantined=self.reasons.total(),
            quarantined_by_reason=dict(by_frequency(self.reasons)),
            values_nulled=self.events.values_nulled,
            timestamps_naive=self.events.timestamps_naive,
            rows_repaired=self.events.rows_repaired,
            dates=tuple(sorted(self.days)),
            rows_by_date=dict(sorted(self.days.items())),
            already_ingested=False,
        )


def _take(row: RawRow | ParquetRow, counts: _IngestCounts, spool: Spool, limits: Limits) -> None:
    """Keep or quarantine one row."""
    counts.rows_read += 1
    try:
        if row.length > limits.max_row_bytes:
            raise RowRejected(QuarantineReason.TOO_LONG, f"{row.length} bytes, at most {limits.max_row_bytes}")
        event = counts.events.from_json(row.raw) if isinstance(row, RawRow) else counts.events.from_object(row.item)
    except RowRejected as error:
        raw = (
            row.raw if isinstance(row, RawRow) else orjson.dumps(row.item, default=str, option=orjson.OPT_NON_STR_KEYS)
        )
        detail = error.detail
        if max(row.length, len(raw)) > RAW_CAP_BYTES:
            detail += f"; {max(row.length, len(raw)) - RAW_CAP_BYTES} bytes of the row are left out"
            raw = raw[:RAW_CAP_BYTES]
        counts.reasons[error.reason] += 1
        spool.add(_QUARANTINE, (row.number, str(error.reason), detail, raw), len(raw))
        return
    day = _EPOCH_DAY + timedelta(days=day_of(event))
    counts.days[day] += 1
    spool.add(day, event, len(event.properties))


def _open_rows(handle: BinaryIO, size: int, limits: Limits, on_progress: OnProgress) -> Iterator[RawRow | ParquetRow]:
    def on_bytes(done: int) -> None:
        on_progress(min(done, size), size)

    head = handle.read(4)
    handle.seek(0)
    return parquet_rows(handle, limits, on_bytes) if head == b"PAR1" else text_rows(handle, size, limits, on_bytes)


def _to_table(ingest: Ingest, key: Hashable, rows: list[Row]) -> pa.Table:
    """Rows of one spool key in the schema of their table."""
    count = len(rows)
    if key == _QUARANTINE:
        numbers, reasons, details, raws = zip(*rows, strict=True)
        texts = [raw.decode("utf-8", "replace") for raw in raws]
        fixed = [pa.repeat(pa.scalar(v), count) for v in (ingest.team, ingest.id, ingest.source_file)]
        return pa.Table.from_arrays(
            [*fixed, pa.array(numbers, pa.int64()), pa.array(reasons), pa.array(details), pa.array(texts)],
            schema=QUARANTINE.schema,
        )
    schema = TRACE_EVENTS.schema
    values = {"team_id": ingest.team, "date": key, "ingest_id": ingest.id, "ingested_at": ingest.ingested_at}
    columns = {
        name: pa.repeat(pa.scalar(values[name], TRACE_EVENTS.schema.field(name).type), count)
        for name in _DECIDED_BY_INGEST
    }
    for name, column in zip(EventRow._fields, zip(*rows, strict=True), strict=True):
        kind = schema.field(name).type
        # Canonical JSON is UTF-8 already: as binary it needs no detour over str.
        columns[name] = pa.array(column, pa.binary()).cast(kind) if name == "properties" else pa.array(column, kind)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    # Looked at before it is opened: opening a pipe without a writer would block for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputRejected(f"{str(path)!a}: not a regular file")
    with open(path, "rb", buffering=0) as handle:
        yield handle


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name before what was wrong with it; the name may hold anything."""
    try:
        yield
    except InputRejected as error:
        raise InputRejected(f"{str(path)!a}: {error}") from error.__cause__


def _check_no_case_clash(lake: Lake, team: str) -> None:
    """On file systems that ignore case, `Acme` and `acme` would be one folder."""
    # A team of which every row was refused has no events, but a ledger.
    for other in {*lake.teams(), *lake.teams("ingests")}:
        if other != team and other.casefold() == team.casefold():
            raise InputRejected(f"team: {team!r} differs only in case from {other!r}, which exists already")
