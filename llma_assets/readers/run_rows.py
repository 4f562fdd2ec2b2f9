"""Reads the rows of clustering runs: of one run with its clusters as they are now, and the runs of a day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.lake import Lake
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS, ClusteringRunRow
from llma_assets.tables.table import Table
from llma_assets.team_day import TeamDay

Row = TypeVar("Row", bound=Mapping[str, Any])
_KEY = ["clustering_run_id", "content_hash"]


@dataclass(frozen=True, slots=True)
class RunKey:
    """A clustering run and the clusters that it found: run again with other clusters, it has another hash."""

    team_day: TeamDay
    clustering_run_id: str
    content_hash: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "RunKey":
        """The run of a row of `cluster_assignments`."""
        return cls(TeamDay(row["team_id"], row["date"]), row["clustering_run_id"], row["content_hash"])

    @classmethod
    def before(cls, edge: Mapping[str, Any]) -> "RunKey | None":
        """The run that a row of `cluster_lineage` leads back to; None where there is none."""
        if edge["earlier_date"] is None:
            return None
        day = TeamDay(edge["team_id"], edge["earlier_date"])
        return cls(day, edge["earlier_clustering_run_id"], edge["earlier_content_hash"])

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """Those of a table's `rows` that are about these very clusters."""
        key = (self.clustering_run_id, self.content_hash)
        return [row for row in rows if (row["clustering_run_id"], row["content_hash"]) == key]


def rows_of_run(lake: Lake, table: Table[Row], run: RunKey, columns: list[str] | None = None) -> list[Row]:
    """Rows of a run's partition that are about its clusters as they are now; none where nothing was written.

    Args:
        columns: of the table, beside those that say which run a row is of; None: all.
    """
    if not lake.exists(table.name, run.team_day):
        return []
    read = lake.read(table.name, run.team_day, None if columns is None else [*_KEY, *columns])
    # A day has many runs: those of others need not become rows.
    return run.rows(table.rows(read.filter(pc.equal(read["clustering_run_id"], run.clustering_run_id))))


def runs_with_items(assignments: pa.Table) -> list[ClusteringRunRow]:
    """The rows of `cluster_assignments` whose runs hold items."""
    return CLUSTER_ASSIGNMENTS.rows(assignments.filter(pc.greater(assignments["items_analyzed"], 0)))
