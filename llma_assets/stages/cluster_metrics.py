"""cluster_metrics: what the clusters, the themes and the whole of a (team, day)'s clustering runs took."""

import logging
import time
from dataclasses import dataclass

import pyarrow.compute as pc

from llma_assets.emission.run_metrics import FIGURES, metrics_rows, with_common_names
from llma_assets.lake import Lake
from llma_assets.readers.run_rows import runs_with_items
from llma_assets.reporting.stage_report import StageReport
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.tables.cluster_metrics import CLUSTER_METRICS, ClusterMetricsRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets.versions import run_days
from llma_assets.vocabulary import MetricsKind

TABLE = "cluster_metrics"
STAGE = Stage(
    CLUSTER_METRICS,
    Job.CLUSTER,
    reads={"cluster_assignments": Days.SAME, "trace_summaries": Days.WINDOW},
    versions=("1",),
)


@dataclass(frozen=True, slots=True)
class MeasureClusters:
    """Everything that measuring one day's clusters needs.

    Attributes:
        min_users: distinct users of a run below which a model or tool is not told by name; 0: no minimum.
    """

    lake: Lake
    log: logging.Logger
    min_users: int = 0

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report.

        Raises:
            PartitionMissing: the day's clusters were never written.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            version = self.lake.source_version("cluster_assignments", team_day) or ""
            assignments = self.lake.read("cluster_assignments", team_day)
            runs = runs_with_items(assignments)
            summaries = self.lake.read_days("trace_summaries", run_days(team_day, runs), FIGURES)
            rows: list[ClusterMetricsRow] = []
            for run in runs:
                of_level = summaries.filter(pc.equal(summaries["level"], run["level"]))
                figures = {item["item_id"]: item for item in TRACE_SUMMARIES.rows(of_level)}
                rows += metrics_rows(run, with_common_names(run, figures, self.min_users))
            table = CLUSTER_METRICS.arrow(rows)
            written = self.lake.write(TABLE, team_day, table, version)
        of_run = {run["clustering_run_id"]: "_".join(filter(None, (run["level"], run["job_id"]))) for run in runs}
        whole = [row for row in rows if row["kind"] == MetricsKind.RUN]
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=assignments.num_rows,
            items=len(rows),
            counts={str(kind): sum(row["kind"] == kind for row in rows) for kind in MetricsKind},
            empty_reason=None if rows else "no clustering run of this day has items",
            figures={
                f"{of_run[row['clustering_run_id']]}_{name}": row[name]
                for row in whole
                for name in ("total_cost", "avg_cost", "p95_latency", "error_rate", "distinct_users")
            }
            | {"duration_s": round(time.monotonic() - started, 3)},
            preview=table.select(["level", "kind", "cluster_id", "theme_id", "item_count", "avg_cost", "error_rate"]),
        )
