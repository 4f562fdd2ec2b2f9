"""The files of one ingest in the lake, and the ledger row that says that all of them are there."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

from llma_assets.ingest.quarantine import QuarantineReason
from llma_assets.ingest.report import IngestReport
from llma_assets.lake import Lake
from llma_assets.lake.writer import TableWriter
from llma_assets.tables.ingest import INGESTS, IngestRow
from llma_assets.team_day import TeamDay


@dataclass(frozen=True, slots=True)
class Ingest:
    """Identity of one ingest: a team and the bytes of one file."""

    lake: Lake
    team: str
    sha256: str
    source_file: str
    size_bytes: int
    ingested_at: datetime

    @property
    def id(self) -> str:
        """Names the ingest's files. Equal bytes have equal ids, whatever the file is called."""
        return self.sha256[:16]

    @property
    def file_name(self) -> str:
        return f"{self.id}.parquet"

    def events_path(self, day: date) -> str:
        return self.lake.path("trace_events", TeamDay(self.team, day), self.file_name)

    def team_path(self, table: str) -> str:
        """Path in a table without days: `quarantine` or `ingests`."""
        return f"{self.lake.root}/{table}/team={self.team}/{self.file_name}"


def read_ledger(ingest: Ingest) -> IngestRow | None:
    """The ledger row of an earlier ingest of the same bytes; None if none was finished."""
    lake, path = ingest.lake, ingest.team_path("ingests")
    lake.check_inside(path)
    lake.fs.invalidate_cache()
    if not lake.fs.exists(path):
        return None
    with lake.open_parquet(path) as file:
        return INGESTS.rows(file.read())[0]


def is_complete(ingest: Ingest, row: IngestRow) -> bool:
    """Whether every file that the ledger row speaks of is there: a damaged one may have been deleted."""
    paths = [ingest.events_path(day) for day in row["dates"]]
    if row["rows_quarantined"]:
        paths.append(ingest.team_path("quarantine"))
    return all(ingest.lake.fs.exists(path) for path in paths)


def report_of(ingest: Ingest, row: IngestRow) -> IngestReport:
    """What an earlier ingest did, from its ledger row and its files.

    Raises:
        PartitionCorrupt: one of the files is damaged; deleted, it is written anew by the next ingest.
    """
    lake = ingest.lake
    reasons: Counter[QuarantineReason] = Counter()
    if row["rows_quarantined"]:
        with lake.open_parquet(ingest.team_path("quarantine")) as file:
            column: Any = file.read(["reason"]).column("reason")
        for item in column.value_counts().to_pylist():
            reasons[QuarantineReason(item["values"])] = item["counts"]
    rows_by_date = {}
    for day in row["dates"]:
        with lake.open_parquet(ingest.events_path(day)) as file:
            rows_by_date[day] = file.metadata.num_rows
    return IngestReport(
        ingest_id=row["ingest_id"],
        source_file=row["source_file"],
        rows_read=row["rows_read"],
        rows_kept=row["rows_kept"],
        rows_quarantined=row["rows_quarantined"],
        quarantined_by_reason=dict(by_frequency(reasons)),
        values_nulled=row["values_nulled"],
        timestamps_naive=0,
        rows_repaired=0,
        dates=tuple(row["dates"]),
        rows_by_date=rows_by_date,
        already_ingested=True,
    )


def write_ledger(ingest: Ingest, report: IngestReport) -> None:
    """Write the ledger row: from here on the ingest is done."""
    row: IngestRow = {
        "team_id": ingest.team,
        "ingest_id": ingest.id,
        "source_file": report.source_file,
        "sha256": ingest.sha256,
        "bytes": ingest.size_bytes,
        "rows_read": report.rows_read,
        "rows_kept": report.rows_kept,
        "rows_quarantined": report.rows_quarantined,
        "values_nulled": report.values_nulled,
        "dates": list(report.dates),
        "ingested_at": ingest.ingested_at,
    }
    with TableWriter(ingest.lake, "ingests", ingest.team_path("ingests")) as writer:
        writer.write(INGESTS.arrow([row]))
        writer.commit()


def sweep_half_written(ingest: Ingest) -> None:
    """Remove what a killed process left beside the files of this ingest. Hold the ingest's lock."""
    for path in _files(ingest):
        name = PurePosixPath(path).name
        if name.startswith(f".{ingest.file_name}.") and name.endswith(".tmp"):
            ingest.lake.fs.rm_file(path)


def remove_published(ingest: Ingest, keep: Collection[str] = ()) -> None:
    """Remove published files of this ingest, but those in `keep`."""
    for path in _files(ingest):
        if PurePosixPath(path).name == ingest.file_name and path not in keep:
            ingest.lake.fs.rm_file(path)


def _files(ingest: Ingest) -> Iterator[str]:
    """Every file, hidden ones too, of the ingest's team in the tables that an ingest writes."""
    lake = ingest.lake
    for table in ("trace_events", "quarantine", "ingests"):
        folder = f"{lake.root}/{table}/team={ingest.team}"
        lake.check_inside(folder)
        if lake.fs.isdir(folder):
            yield from lake.fs.find(folder)


def by_frequency(reasons: Counter[QuarantineReason]) -> list[tuple[QuarantineReason, int]]:
    """Reasons and their counts, commonest first; equal counts by name."""
    return sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
