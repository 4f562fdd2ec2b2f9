"""cluster_assignments: one clustering run for each job of a team, over the window that ends with a day."""

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.result import ALGORITHM_VERSION, NOISE, Clustering, ClusteringParams
from llma_assets.clustering_jobs import ClusteringJob, enabled_jobs
from llma_assets.emission.identity import clustering_run_id, seed_of
from llma_assets.errors import InputRejected, PartitionMissing
from llma_assets.lake import Lake
from llma_assets.readers.earlier_run import EarlierClusters, read_earlier_runs
from llma_assets.readers.job_items import items_of_jobs
from llma_assets.readers.matrix import to_matrix
from llma_assets.reporting.stage_report import StageReport
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.stages.declaration import Days, Job, Stage, retract
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS, ClusteringRunRow, ClusterItemRow, LadderStepRow
from llma_assets.team_day import TeamDay
from llma_assets.traces.sampling import sample_by_day
from llma_assets.versions import is_version_of, window_version
from llma_assets.vocabulary import ItemStatus, Reason, RunStatus

TABLE = "cluster_assignments"
STAGE = Stage(
    CLUSTER_ASSIGNMENTS,
    Job.CLUSTER,
    reads={"embeddings": Days.WINDOW},
    versions=("5", ALGORITHM_VERSION),
    item_column="items_analyzed",
    count_items_in=lambda analyzed: int(pc.sum(analyzed).as_py() or 0),
)
_SHOWN_QUALITY = [
    "noise_share",
    "raw_noise_share",
    "largest_share",
    "silhouette",
    "layout_silhouette",
    "relative_validity",
    "stability",
    "themes",
    "theme_stability",
]
_COLUMNS = ["date", "level", "item_id", "trace_id", "generation_id", "trace_timestamp", "model", "status", "embedding"]


@dataclass(frozen=True, slots=True)
class ClusterWindow:
    """Everything that clustering one window needs."""

    lake: Lake
    # All of the team, the disabled ones too.
    jobs: Sequence[ClusteringJob]
    params: ClusteringParams
    window_days: int
    # Days of the window that scheduled runs use: what the partition is compared by.
    version_days: int
    max_samples: int
    min_items: int
    log: logging.Logger
    run_label: str = ""
    # Whether clusters of an earlier run stay where items are grouped as well by them.
    hold_clusters: bool = True
    # Asked which items the filters of a job match; not needed where no job has any.
    source: TraceEventSource | None = None

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report.

        Raises:
            PartitionMissing: a day of the window has summaries to embed, but no embeddings.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            window = team_day.window(self.window_days)
            # Before the rows are read: a day that changes meanwhile leaves an old version, and a redo.
            version = window_version(self.lake, team_day.window(self.version_days), self.jobs)
            _refuse_gaps(self.lake, window)
            embeddings, other_model = self._embeddings(window)
            # Where nobody wants anything, the rows say so.
            jobs = enabled_jobs(self.jobs) or self.jobs
            wanted = self._items_of(window, jobs)
            runs = [
                self._clustering_run(
                    team_day, job, _of_job(embeddings, job, ids), _of_job(other_model, job, ids).num_rows
                )
                for job, ids in zip(jobs, wanted, strict=True)
            ]
            table = CLUSTER_ASSIGNMENTS.arrow(runs)
            if not any(run["items_analyzed"] for run in runs):
                retract(self.lake, TABLE, team_day, version)
            written = self.lake.write(TABLE, team_day, table, version)
        return _report(team_day, written, runs, time.monotonic() - started)

    def _items_of(self, window: Sequence[TeamDay], jobs: Sequence[ClusteringJob]) -> Sequence[frozenset[str] | None]:
        """The ids of each job's items in the window; None for all of its level."""
        if not any(job.enabled and job.filters for job in jobs):
            return [None] * len(jobs)
        if self.source is None:
            raise InputRejected("source: None, but a clustering job has filters; give the source of the events")
        return items_of_jobs(self.source, window, jobs)

    def _embeddings(self, window: Sequence[TeamDay]) -> tuple[pa.Table, pa.Table]:
        """Embedded items of the window, each once, by level and item id, all of one model; and those that
        are left out because another model made their vectors."""
        rows = self.lake.read_days("embeddings", window, _COLUMNS)
        rows = rows.filter(pc.equal(rows["status"], str(ItemStatus.EMBEDDED)))
        if rows.num_rows == 0:
            return rows, rows
        # Vectors of different models never meet: the newest day decides.
        same = pc.equal(rows["model"], rows["model"][-1])
        other_model = rows.filter(pc.invert(same))
        rows = rows.filter(same)
        rows = rows.sort_by([("level", "ascending"), ("item_id", "ascending"), ("date", "ascending")])
        keys = list(zip(rows["level"].to_pylist(), rows["item_id"].to_pylist(), strict=True))
        first = [n for n, key in enumerate(keys) if n == 0 or keys[n - 1] != key]
        return rows.take(first), other_model

    def _clustering_run(
        self, team_day: TeamDay, job: ClusteringJob, items: pa.Table, other_model: int
    ) -> ClusteringRunRow:
        seed = seed_of(team_day.team, team_day.day.isoformat(), job.job_id, job.level, ALGORITHM_VERSION)
        params = replace(self.params, seed=seed)
        window = team_day.window(self.window_days)
        row = self._without_outcome(team_day, job, items, other_model, seed)
        if not job.enabled or items.num_rows < self.min_items:
            self.log.info(
                "%s: skipped, %s, %d of %d items",
                row["clustering_run_id"],
                row["reason"],
                items.num_rows,
                self.min_items,
            )
            return row
        run_id, ids = row["clustering_run_id"], items["item_id"].to_pylist()
        learned = np.array(sample_by_day(ids, items["date"].to_pylist(), self.max_samples, _sample_seed(team_day, job)))
        self.log.info("%s: clustering %d items by %s, learning from %d", run_id, len(ids), params.method, learned.sum())
        before = read_earlier_runs(self.lake, window, row, params, items["model"][0].as_py(), ids, int(learned.sum()))
        earlier = before.clusters if self.hold_clusters and params.method == "hdbscan" else None
        found = None if earlier is None else earlier.found
        result = cluster(to_matrix(items["embedding"]), params, learned, before.places, found)
        for step in result.steps:
            self.log.info(
                "%s: %s found %d clusters, the largest with %.0f %%, silhouette %s",
                run_id,
                step.name,
                step.clusters,
                100 * step.largest_share,
                step.silhouette,
            )
        if "held" in result.guard_path and earlier is not None:
            self.log.info(
                "%s: %d clusters of %s came back, %d parts went back",
                run_id,
                result.params["returned_clusters"],
                earlier.clustering_run_id,
                result.params["rejoined_clusters"],
            )
        self.log.info("%s: %d clusters, path %s", run_id, len(result.clusters), " > ".join(result.guard_path))
        return self._with_outcome(row, result, items, earlier)

    def _without_outcome(
        self, team_day: TeamDay, job: ClusteringJob, items: pa.Table, other_model: int, seed: int
    ) -> ClusteringRunRow:
        """The row of a run that is skipped, and what those of others begin with."""
        return CLUSTER_ASSIGNMENTS.blank() | {
            "team_id": team_day.team,
            "date": team_day.day,
            "clustering_run_id": clustering_run_id(team_day.team, job.level, team_day.end, job.job_id, self.run_label),
            "level": job.level,
            "job_id": job.job_id,
            "job_name": job.name,
            "job_filters": json.dumps(job.filter_texts, ensure_ascii=False),
            "window_start": team_day.window(self.window_days)[0].start,
            "window_end": team_day.end,
            "status": RunStatus.SKIPPED,
            "reason": _reason_against(job, items),
            "min_items": self.min_items,
            "items_in_window": items.num_rows,
            "items_other_model": other_model,
            "content_hash": "",
            "items_analyzed": 0,
            "items_clustered": 0,
            "items_noise": 0,
            "method": self.params.method,
            "params": "{}",
            "seed": seed,
            "algorithm_version": ALGORITHM_VERSION,
            "guard_path": [],
            "clusters": [],
            "items": [],
        }

    def _choices(self, model: str, earlier: EarlierClusters | None) -> dict[str, Any]:
        """What a run records beside what the clustering says of itself."""
        return {
            "max_samples": self.max_samples,
            "given_min_cluster_size": self.params.min_cluster_size,
            "embedding_model": model,
            "hold_clusters": self.hold_clusters,
            "compared_with": earlier and earlier.clustering_run_id,
            "compared_with_content_hash": earlier and earlier.content_hash,
        }

    def _with_outcome(
        self, row: ClusteringRunRow, result: Clustering, items: pa.Table, earlier: EarlierClusters | None
    ) -> ClusteringRunRow:
        noise = result.labels == NOISE
        ids, model = items["item_id"].to_pylist(), items["model"][0].as_py()
        figures = {name: value for name, value in result.quality.items() if name != "clusters"}
        return cast("ClusteringRunRow", row | figures) | {
            "status": RunStatus.CLUSTERED,
            "reason": None,
            "items_analyzed": items.num_rows,
            "items_learned": int(result.is_learned.sum()),
            "items_clustered": int(np.count_nonzero(~noise)),
            "items_noise": int(np.count_nonzero(noise)),
            "items_borderline": int(np.count_nonzero(result.raw_noise & ~noise)),
            "content_hash": _content_hash(ids, result.labels.tolist()),
            "params": json.dumps(result.params | self._choices(model, earlier), sort_keys=True),
            "embedding_model": model,
            "guard_path": list(result.guard_path),
            "ladder": [cast("LadderStepRow", asdict(step)) for step in result.steps],
            "clusters": [
                {
                    "cluster_id": group.cluster_id,
                    "size": group.size,
                    "centroid": group.centroid.tolist(),
                    "centroid_x": group.centroid_xy[0],
                    "centroid_y": group.centroid_xy[1],
                    "exemplars": [ids[row] for row in group.exemplars],
                    "persistence": group.persistence,
                    "silhouette": group.silhouette,
                    "theme_id": group.theme_id,
                }
                for group in result.clusters
            ],
            "items": _item_rows(result, items),
        }


def _sample_seed(team_day: TeamDay, job: ClusteringJob) -> str:
    """The same every day, so that an item learned from yesterday is learned from today, and the sample moves on no
    faster than the window. Drawn anew each night, it changed more clusters than what had happened since:
    `benchmarks/results/replays.json`.
    """
    return "/".join(("sample", team_day.team, job.level, job.job_id))


def _of_job(embeddings: pa.Table, job: ClusteringJob, ids: frozenset[str] | None) -> pa.Table:
    """The embedded items of the job, all of its level where `ids` is None; none for a disabled job."""
    if not job.enabled:
        return embeddings.slice(0, 0)
    items = embeddings.filter(pc.equal(embeddings["level"], str(job.level)))
    if ids is None:
        return items
    return items.filter(pc.is_in(items["item_id"], pa.array(sorted(ids), pa.string())))


def _reason_against(job: ClusteringJob, items: pa.Table) -> Reason:
    """Why a job is skipped, if it is."""
    if not job.enabled:
        return Reason.JOB_DISABLED
    return Reason.TOO_FEW_ITEMS if items.num_rows else Reason.NO_ITEMS


def _item_rows(result: Clustering, items: pa.Table) -> list[ClusterItemRow]:
    names = ["item_id", "trace_id", "generation_id", "trace_timestamp"]
    arrays = {
        "cluster_id": result.labels,
        "probability": result.probabilities,
        "outlier_score": result.outlier_scores,
        "distance_to_centroid": result.distances,
        "rank": result.ranks,
        "x": result.xy[:, 0],
        "y": result.xy[:, 1],
        "is_learned": result.is_learned,
        "raw_noise": result.raw_noise,
    }
    columns = {name: items[name].to_pylist() for name in names} | {name: a.tolist() for name, a in arrays.items()}
    values_of = zip(*columns.values(), strict=True)
    rows = [cast("ClusterItemRow", dict(zip(columns, values, strict=True))) for values in values_of]
    return sorted(rows, key=lambda row: (row["cluster_id"] == NOISE, row["cluster_id"], row["rank"], row["item_id"]))


def _content_hash(item_ids: list[str], labels: list[int]) -> str:
    """Equal for equal groups: by it, labels know whether they name these clusters."""
    return hashlib.sha256(json.dumps([item_ids, labels]).encode()).hexdigest()[:16]


def _refuse_gaps(lake: Lake, window: Sequence[TeamDay]) -> None:
    """A day whose vectors are not those of its summaries would silently be missing, or old."""
    for day in window:
        summarized = lake.source_version("trace_summaries", day)
        if summarized is None or is_version_of(lake.source_version("embeddings", day), summarized):
            continue
        statuses = lake.read("trace_summaries", day, ["status"])["status"].to_pylist()
        if ItemStatus.SUMMARIZED in statuses:
            raise PartitionMissing(f"embeddings {day} are not made of its present summaries; run summarize_traces")


def _report(team_day: TeamDay, written: Any, runs: list[ClusteringRunRow], duration_s: float) -> StageReport:
    analyzed = sum(run["items_analyzed"] for run in runs)
    reasons = [f"{_of(run)}: {run['reason']} ({run['items_in_window']} of {run['min_items']})" for run in runs]
    names = [
        "clustering_run_id",
        "level",
        "job_name",
        "job_filters",
        "status",
        "reason",
        "items_in_window",
        "items_noise",
        *_SHOWN_QUALITY,
    ]
    rows = [{n: run.get(n) for n in names} | {"clusters": len(run["clusters"])} for run in runs]
    return StageReport(
        team_day=team_day,
        written=written,
        rows_in=sum(run["items_in_window"] for run in runs),
        items=analyzed,
        counts={
            "clustered": sum(run["items_clustered"] for run in runs),
            "noise": sum(run["items_noise"] for run in runs),
            "learned": sum(run.get("items_learned") or 0 for run in runs),
            "borderline": sum(run.get("items_borderline") or 0 for run in runs),
        },
        empty_reason=None if analyzed else "; ".join(reasons),
        figures={
            "window_start": min(run["window_start"] for run in runs).isoformat(),
            "window_end": max(run["window_end"] for run in runs).isoformat(),
            "clustering_jobs": [
                {name: run[name] for name in ("job_id", "job_name", "level", "status", "items_in_window")}
                | {"filters": json.loads(run["job_filters"] or "[]"), "items_analyzed": run["items_analyzed"]}
                for run in runs
            ],
            **{name: value for run in runs for name, value in _plotted(run).items()},
            "duration_s": round(duration_s, 3),
        },
        preview=pa.Table.from_pylist(rows),
    )


def _plotted(run: ClusteringRunRow) -> dict[str, Any]:
    """Figures of a run by name and level (and job, where it is not a default): the UI plots them over the days."""
    if not run["items_analyzed"]:
        return {}
    counts = {"items": run["items_analyzed"], "clusters": len(run["clusters"]), "noise": run["items_noise"]}
    figures = counts | {name: run.get(name) for name in _SHOWN_QUALITY}
    return {f"{_of(run)}_{name}": value for name, value in figures.items() if value is not None}


def _of(run: ClusteringRunRow) -> str:
    return f"{run['level']}_{run['job_id']}" if run["job_id"] else str(run["level"])
