"""cluster_events: the events of a (team, day)'s clustering runs, ready to be sent, never an empty one."""

import logging
import time
from dataclasses import dataclass

from llma_assets.emission.cluster_event import cluster_events
from llma_assets.errors import PartitionMissing
from llma_assets.lake import Lake
from llma_assets.readers.cluster_names import ClusterNames
from llma_assets.readers.day_tables import changes_table, clusters_table
from llma_assets.readers.lineage_chain import lineages
from llma_assets.readers.run_rows import RunKey, runs_with_items
from llma_assets.reporting.stage_report import StageReport
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.tables.cluster_events import CLUSTER_EVENTS, ClusterEventRow
from llma_assets.tables.cluster_metrics import CLUSTER_METRICS
from llma_assets.team_day import TeamDay
from llma_assets.versions import is_part, version_of_part

TABLE = "cluster_events"
STAGE = Stage(
    CLUSTER_EVENTS,
    Job.CLUSTER,
    reads={"cluster_labels": Days.SAME, "cluster_metrics": Days.SAME},
    versions=("4",),
)


@dataclass(frozen=True, slots=True)
class EmitEvents:
    """Everything that building one day's events needs.

    Attributes:
        min_users: distinct users below which nothing is named or quoted; 0: no minimum.
    """

    lake: Lake
    log: logging.Logger
    min_users: int = 0

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report.

        Raises:
            PartitionMissing: the day's clusters, labels, metrics or lineage were never written, or are of other
                clusters.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            version = self.lake.source_version("cluster_assignments", team_day) or ""
            assignments = self.lake.read("cluster_assignments", team_day)
            labels = ClusterNames(self.lake, self.min_users).of_day(team_day)
            runs = runs_with_items(assignments)
            metrics = CLUSTER_METRICS.rows(self.lake.read("cluster_metrics", team_day))
            edges = self.lake.read("cluster_lineage", team_day).to_pylist()
            rows: list[ClusterEventRow] = []
            for run in runs:
                key = RunKey.of(run)
                named = {label["cluster_id"]: label for label in key.rows(labels)}
                if not named:
                    raise PartitionMissing(f"cluster_labels {team_day} name other clusters; run cluster_labels first")
                measured = key.rows(metrics)
                if not measured:
                    raise PartitionMissing(f"cluster_metrics {team_day} are of other clusters; run it first")
                rows += cluster_events(run, named, measured, lineages=lineages(self.lake, run))
            if is_part(self.lake.source_version("cluster_labels", team_day)):
                # Better names may come another day, and then other events.
                version = version_of_part(version, len(rows))
            table = CLUSTER_EVENTS.arrow(rows)
            written = self.lake.write(TABLE, team_day, table, version)
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=assignments.num_rows,
            items=len(rows),
            counts={"events": len(rows)},
            empty_reason=None if rows else "no clustering run of this day has items",
            figures={
                "largest_event_bytes": max((len(row["properties"].encode()) for row in rows), default=0),
                "duration_s": round(time.monotonic() - started, 3),
            },
            preview=table.select(["event", "uuid", "timestamp", "distinct_id", "clustering_run_id", "part", "parts"]),
            tables={
                "clusters": clusters_table(runs, labels, metrics, edges),
                "changes": changes_table(self.lake, runs, labels, edges, self.min_users),
            },
        )
