"""cluster_metrics: what the clusters, the themes and the whole of a (team, day)'s clustering runs took."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from llma_assets.clustering.result import NOISE
from llma_assets.emission.metrics import Traffic, metrics_of_groups
from llma_assets.lake import Lake
from llma_assets.readers.run_rows import runs_with_items
from llma_assets.reporting.stage_report import StageReport
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.tables.cluster_metrics import CLUSTER_METRICS
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
FIGURES = [
    "level",
    "item_id",
    "item_cost_usd",
    "item_latency_s",
    "item_input_tokens",
    "item_output_tokens",
    "item_error_count",
    "item_generation_count",
    "item_models",
    "item_user",
    "item_tools",
]

Row = dict[str, Any]


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
            rows: list[Row] = []
            for run in runs:
                of_level = summaries.filter(pc.equal(summaries["level"], run["level"]))
                figures = {item["item_id"]: item for item in of_level.to_pylist()}
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


def metrics_rows(run: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Rows of `cluster_metrics` of one run: the run, its themes and its clusters, noise last.

    Args:
        run: a row of `cluster_assignments` with items.
        figures: rows of `trace_summaries` by item id. An item without one counts as one of which nothing is known.
    """
    items = run["items"]
    traffic = Traffic.of(figures.get(item["item_id"], _UNKNOWN) for item in items)
    theme_of = {one["cluster_id"]: one["theme_id"] for one in run["clusters"]}
    members: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        members.setdefault(item["cluster_id"], []).append(place)
    groups = list(_groups(members, theme_of, len(items)))
    fixed = {name: run[name] for name in ("team_id", "date", "clustering_run_id", "level", "content_hash")}
    measured = metrics_of_groups(traffic, [places for _, places in groups])
    return [fixed | key | metrics for (key, _), metrics in zip(groups, measured, strict=True)]


def with_common_names(run: Mapping[str, Any], figures: dict[str, Row], min_users: int) -> dict[str, Row]:
    """`figures` without models and tools that fewer than `min_users` of the run used: a name can tell who it was."""
    if not min_users:
        return figures
    users: dict[tuple[str, str], set[str]] = {}
    known = {item["item_id"]: figures[item["item_id"]] for item in run["items"] if item["item_id"] in figures}
    for row in known.values():
        for column in ("item_models", "item_tools"):
            for name in row[column] or ():
                users.setdefault((column, name), set()).update({row["item_user"]} - {None})
    common = {one for one, named in users.items() if len(named) >= min_users}
    return {
        item_id: row
        | {c: [name for name in row[c] or () if (c, name) in common] for c in ("item_models", "item_tools")}
        for item_id, row in known.items()
    }


def _groups(
    members: Mapping[int, list[int]], theme_of: Mapping[int, int | None], items: int
) -> Iterator[tuple[Row, list[int]]]:
    yield {"kind": MetricsKind.RUN, "cluster_id": None, "theme_id": None}, list(range(items))
    themes: dict[int, list[int]] = {}
    for cluster_id in sorted(members):
        theme_id = theme_of.get(cluster_id)
        if theme_id is not None:
            themes.setdefault(theme_id, []).extend(members[cluster_id])
    for theme_id in sorted(themes):
        yield {"kind": MetricsKind.THEME, "cluster_id": None, "theme_id": theme_id}, themes[theme_id]
    for cluster_id in sorted(members, key=lambda one: (one == NOISE, one)):
        key = {"kind": MetricsKind.CLUSTER, "cluster_id": cluster_id, "theme_id": theme_of.get(cluster_id)}
        yield key, members[cluster_id]


_UNKNOWN: Mapping[str, Any] = dict.fromkeys(FIGURES) | {"item_error_count": 0}
