"""cluster_lineage: the clusters of a (team, day) against those of the newest earlier run of the same kind."""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.lake import Lake, WriteResult
from llma_assets.lineage.edge import Change, Edge, Unmatched
from llma_assets.lineage.identity import ComparedRun, RunKind, earlier_run
from llma_assets.lineage.match import ClusterMembership, all_born, match
from llma_assets.readers.run_rows import runs_with_items
from llma_assets.reporting.stage_report import StageReport, count_outcomes
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE, LineageEdgeRow
from llma_assets.team_day import TeamDay

TABLE = "cluster_lineage"
STAGE = Stage(CLUSTER_LINEAGE, Job.CLUSTER, reads={"cluster_assignments": Days.LINEAGE}, versions=("1",))
_RUNS = ["date", "clustering_run_id", "level", "job_id", "content_hash", "embedding_model", "method", "items_analyzed"]


@dataclass(frozen=True, slots=True)
class MatchClusters:
    """Everything that matching one day's clusters needs.

    Attributes:
        days: how many days before its own an earlier run is looked for.
    """

    lake: Lake
    days: int
    log: logging.Logger

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition, mend those that were compared with another run than this one, and report.

        Raises:
            PartitionMissing: the day's clusters were never written.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            table, written = self._write(team_day, self._pairs(team_day))
        matched_again = [day for day in self._later(team_day) if self._match_again(day)]
        counts = Counter(table["change"].to_pylist())
        self.log.info("%s: %s", team_day, ", ".join(f"{n} {change}" for change, n in counts.items()) or "no clusters")
        for day in matched_again:
            self.log.info("%s: matched again, as %s is now the run before it", day, team_day.day)
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=_clusters(table, "clustering_run_id", "cluster_id")
            + _clusters(table, "earlier_clustering_run_id", "earlier_cluster_id"),
            items=table.num_rows,
            counts=count_outcomes(table["change"].to_pylist(), table["reason"].to_pylist()),
            empty_reason=None if table.num_rows else "no clustering run of this day has items",
            figures={str(change): counts[change] for change in Change if change != Change.NO_CLUSTERS}
            | {"later_days_matched_again": len(matched_again), "duration_s": round(time.monotonic() - started, 3)},
            preview=table.select(
                ["level", "change", "cluster_id", "earlier_cluster_id", "jaccard", "earlier_date", "reason"]
            ),
        )

    def _pairs(self, team_day: TeamDay) -> "list[tuple[ComparedRun, ComparedRun | Unmatched]]":
        """The day's runs that hold items, each with the run that it is compared with."""
        runs = _compared_runs(self.lake, team_day)
        before: list[ComparedRun] = []
        found = [(run, earlier_run(run, before)) for run in runs]
        for day in reversed(team_day.window(self.days + 1)[:-1]):
            if all(isinstance(earlier, ComparedRun) for _, earlier in found):
                break
            if self.lake.exists("cluster_assignments", day):
                before += _compared_runs(self.lake, day)
                found = [(run, earlier_run(run, before)) for run in runs]
        return found

    def _write(
        self, team_day: TeamDay, pairs: "Sequence[tuple[ComparedRun, ComparedRun | Unmatched]]"
    ) -> tuple[pa.Table, WriteResult]:
        rows = [row for run, earlier in pairs for row in self._rows(team_day, run, earlier)]
        table = CLUSTER_LINEAGE.arrow(rows)
        return table, self.lake.write(TABLE, team_day, table, _version(pairs))

    def _rows(self, team_day: TeamDay, run: ComparedRun, earlier: ComparedRun | Unmatched) -> list[LineageEdgeRow]:
        later, sizes = _membership(self.lake, team_day, run)
        earlier_sizes: dict[int, int] = {}
        known: dict[str, Any] = {}
        if isinstance(earlier, ComparedRun):
            before, earlier_sizes = _membership(self.lake, TeamDay(team_day.team, earlier.day), earlier)
            edges = match(later, before)
            known = {
                "earlier_clustering_run_id": earlier.clustering_run_id,
                "earlier_date": earlier.day,
                "earlier_content_hash": earlier.content_hash,
            }
        else:
            edges = all_born(later, earlier)
        if not edges:
            # All noise is not empty: the run is named and emitted, so it must not look like one without a result.
            reason = None if isinstance(earlier, ComparedRun) else earlier
            edges = [Edge(Change.NO_CLUSTERS, None, None, reason=reason)]
        shared = cast("LineageEdgeRow", CLUSTER_LINEAGE.blank() | known) | {
            "team_id": team_day.team,
            "date": team_day.day,
            "clustering_run_id": run.clustering_run_id,
            "level": run.kind.level,
            "job_id": run.kind.job_id,
            "content_hash": run.content_hash,
        }
        return [
            cast("LineageEdgeRow", shared | asdict(edge))
            | {
                "size": None if edge.cluster_id is None else sizes[edge.cluster_id],
                "earlier_size": None if edge.earlier_cluster_id is None else earlier_sizes[edge.earlier_cluster_id],
            }
            for edge in edges
        ]

    def _later(self, team_day: TeamDay) -> list[TeamDay]:
        days = [
            TeamDay(team_day.team, team_day.day + (team_day.end - team_day.start) * n) for n in range(1, self.days + 1)
        ]
        return [day for day in days if self.lake.exists("cluster_assignments", day)]

    def _match_again(self, team_day: TeamDay) -> bool:
        """Match a later day again if it was matched with other clusters than it would be now.

        So the same clusters end with the same edges, in whatever order they were made. The lock comes first: whoever
        writes that day just now may have looked before this one was there.
        """
        with self.lake.lock(TABLE, team_day):
            written = self.lake.source_version(TABLE, team_day)
            if written is None:
                return False
            pairs = self._pairs(team_day)
            if written == _version(pairs):
                return False
            self._write(team_day, pairs)
            return True


def _clusters(edges: pa.Table, run: str, cluster: str) -> int:
    """How many clusters are at one end of the edges."""
    ends = zip(edges[run].to_pylist(), edges[cluster].to_pylist(), strict=True)
    return len({end for end in ends if end[1] is not None})


def _version(pairs: "Sequence[tuple[ComparedRun, ComparedRun | Unmatched]]") -> str:
    """Of the runs on both sides."""
    # Partitions were written under the name that the class had: by another, every day would be matched again.
    text = repr(pairs).replace(f"{ComparedRun.__name__}(", "RunKey(")
    return hashlib.sha256(text.encode()).hexdigest() if pairs else ""


def _compared_runs(lake: Lake, team_day: TeamDay) -> list[ComparedRun]:
    """The clustering runs of a partition that hold items."""
    return [
        ComparedRun(
            row["date"],
            row["clustering_run_id"],
            row["content_hash"],
            RunKind(row["level"], row["job_id"], row["embedding_model"], row["method"]),
        )
        for row in runs_with_items(lake.read("cluster_assignments", team_day, _RUNS))
    ]


def _membership(lake: Lake, team_day: TeamDay, run: ComparedRun) -> tuple[ClusterMembership, dict[int, int]]:
    """The clusters of a run as they are matched, and their sizes."""
    table = lake.read("cluster_assignments", team_day, ["clustering_run_id", "clusters", "items"])
    row = table.filter(pc.equal(table["clustering_run_id"], run.clustering_run_id))
    items = row["items"].combine_chunks().flatten()
    cluster_of = dict(zip(items.field("item_id").to_pylist(), items.field("cluster_id").to_pylist(), strict=True))
    clusters = row["clusters"].combine_chunks().flatten()
    ids, sizes = clusters.field("cluster_id").to_pylist(), clusters.field("size").to_pylist()
    flat = clusters.field("centroid").flatten().to_numpy(zero_copy_only=False)
    centroids = np.asarray(flat, np.float32).reshape(len(ids), -1) if ids else np.empty((0, 0), np.float32)
    return ClusterMembership(cluster_of, dict(zip(ids, centroids, strict=True))), dict(zip(ids, sizes, strict=True))
