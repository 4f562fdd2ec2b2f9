"""cluster_labels: a name for each cluster of a (team, day), with the evidence that it rests on."""

import json
import logging
import time
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.clustering.result import NOISE
from llma_assets.labeling.evidence import build_evidence
from llma_assets.labeling.keywords import noise_label
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence, Label
from llma_assets.lake import Lake
from llma_assets.presentation.cluster_map import cluster_map
from llma_assets.resources.providers import Labeler
from llma_assets.schemas import CLUSTER_LABELS
from llma_assets.stages.report import StageReport
from llma_assets.stages.window import run_days
from llma_assets.team_day import TeamDay

TABLE = "cluster_labels"
_SUMMARY = ["level", "item_id", "title", "summary_bullets", "interesting_notes"]


@dataclass(frozen=True, slots=True)
class LabelClusters:
    """Everything that naming one day's clusters needs."""

    lake: Lake
    labeler: Labeler
    log: logging.Logger

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report.

        Raises:
            PartitionMissing: the day's clusters were never written.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            version = self.lake.source_version("cluster_assignments", team_day) or ""
            assignments = self.lake.read("cluster_assignments", team_day)
            runs = assignments.filter(pc.greater(assignments["items_analyzed"], 0)).to_pylist()
            summaries = self.lake.read_days("trace_summaries", run_days(team_day, runs), _SUMMARY)
            rows = [row for run in runs for row in self._label_run(run, summaries)]
            table = pa.Table.from_pylist(rows, CLUSTER_LABELS)
            written = self.lake.write(TABLE, team_day, table, version)
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=assignments.num_rows,
            items=len(rows),
            counts={source: sum(row["source"] == source for row in rows) for source in ("llm", "keywords", "fixed")},
            empty_reason=None if rows else "no clustering run of this day has items",
            figures={"duration_s": round(time.monotonic() - started, 3)},
            preview=table.select(["level", "cluster_id", "size", "title", "source", "description"]),
            picture=self._picture(runs, rows),
        )

    def _label_run(self, run: dict[str, Any], summaries: pa.Table) -> list[dict[str, Any]]:
        of_level = summaries.filter(pc.equal(summaries["level"], run["level"]))
        known = {row["item_id"]: row for row in of_level.to_pylist()}
        items = [_item_evidence(item, known.get(item["item_id"], {})) for item in run["items"]]
        evidence = build_evidence(items, [item["cluster_id"] for item in run["items"]])
        labels = self.labeler.label(evidence)
        self.log.info("%s: %d clusters named", run["clustering_run_id"], len(labels))
        rows = [self._row(run, one, label) for one, label in zip(evidence, labels, strict=True)]
        if run["items_noise"]:
            noise = ClusterEvidence(NOISE, run["items_noise"], ())
            rows.append(self._row(run, noise, noise_label(run["items_noise"])))
        return rows

    def _row(self, run: dict[str, Any], evidence: ClusterEvidence, label: Label) -> dict[str, Any]:
        by_model = label.source == "llm"
        return dict.fromkeys(CLUSTER_LABELS.names) | {
            "team_id": run["team_id"],
            "date": run["date"],
            "clustering_run_id": run["clustering_run_id"],
            "level": run["level"],
            "cluster_id": label.cluster_id,
            "size": evidence.size,
            "content_hash": run["content_hash"],
            "title": label.title,
            "description": label.description,
            "source": label.source,
            "reason": label.reason,
            "keywords": list(label.keywords),
            "evidence": json.dumps(asdict(evidence), ensure_ascii=False, sort_keys=True),
            "model": self.labeler.model if by_model else None,
            "prompt_version": self.labeler.prompt_version if by_model else None,
        }

    def _picture(self, runs: list[dict[str, Any]], rows: list[dict[str, Any]]) -> bytes | None:
        """The map; a picture that cannot be drawn never breaks the run."""
        try:
            return _map(runs, rows)
        except Exception:
            self.log.exception("the cluster map could not be drawn")
            return None


def _item_evidence(item: dict[str, Any], summary: dict[str, Any]) -> ItemEvidence:
    return ItemEvidence(
        item_id=item["item_id"],
        title=summary.get("title") or "",
        bullets=tuple(bullet["text"] for bullet in summary.get("summary_bullets") or []),
        notes=tuple(note["text"] for note in summary.get("interesting_notes") or []),
        distance=item["distance_to_centroid"],
    )


def _map(runs: list[dict[str, Any]], labels: list[dict[str, Any]]) -> bytes | None:
    """The map of the run with most items; None where no run has any."""
    if not runs:
        return None
    run = max(runs, key=lambda run: (run["level"] == "trace", run["items_analyzed"]))
    titles = {row["cluster_id"]: row["title"] for row in labels if row["clustering_run_id"] == run["clustering_run_id"]}
    facts = f"{run['items_analyzed']} items, {len(run['clusters'])} clusters, {run['embedding_model']}"
    heading = f"{run['clustering_run_id']}: {facts}"
    return cluster_map(run["items"], titles, heading)
