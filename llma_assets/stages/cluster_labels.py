"""cluster_labels: a name for each cluster and theme of a (team, day), with the evidence that it rests on."""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.clustering.result import NOISE
from llma_assets.labeling.evidence import build_evidence
from llma_assets.labeling.keywords import noise_label
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence, Label, Labeler
from llma_assets.labeling.minimum_users import MinimumUsers, is_suppressed, suppressed_label
from llma_assets.labeling.naming import NameReason
from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.llm.labeler import PROMPT_VERSION
from llma_assets.naming.earlier_names import EarlierName, EarlierNames, label_of, without_clashes
from llma_assets.naming.theme_names import as_json, is_settled, name_themes, theme_columns
from llma_assets.presentation.cluster_map import cluster_map
from llma_assets.readers.run_rows import runs_with_items
from llma_assets.reporting.stage_report import StageReport
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.tables.cluster_assignments import ClusteringRunRow, ClusterItemRow
from llma_assets.tables.cluster_labels import CLUSTER_LABELS, ClusterLabelRow, ThemeColumns, ThemeNamingRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.versions import run_days, version_of_part
from llma_assets.vocabulary import Level

TABLE = "cluster_labels"
STAGE = Stage(
    CLUSTER_LABELS,
    Job.CLUSTER,
    reads={"cluster_assignments": Days.SAME, "cluster_lineage": Days.SAME},
    versions=("4", PROMPT_VERSION),
)
# Maps of one day that are shown, the largest runs first; each is some 40 kB in Dagster's event log, day after day.
MAX_MAPS = 4
_SUMMARY = ["level", "item_id", "title", "summary_bullets", "interesting_notes", "item_user"]


@dataclass(frozen=True, slots=True)
class LabelClusters:
    """Everything that naming one day's clusters needs.

    Attributes:
        min_users: distinct users below which nothing is named or quoted; 0: no minimum.
    """

    lake: Lake
    labeler: Labeler
    log: logging.Logger
    min_users: int = 0

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report.

        Raises:
            PartitionMissing: the day's clusters or their lineage were never written, or the lineage is of others.
        """
        started = time.monotonic()
        with (
            self.lake.lock(TABLE, team_day),
            Checkpoint(self.lake, TABLE, team_day, CLUSTER_LABELS.schema) as checkpoint,
        ):
            version = self.lake.source_version("cluster_assignments", team_day) or ""
            assignments = self.lake.read("cluster_assignments", team_day)
            runs = runs_with_items(assignments)
            summaries = self.lake.read_days("trace_summaries", run_days(team_day, runs), _SUMMARY)
            kept = self._kept(team_day, checkpoint)
            earlier = EarlierNames(self.lake, self.labeler.model, self.labeler.prompt_version, self.min_users)
            named = [self._label_run(run, summaries, kept, checkpoint, earlier) for run in runs]
            rows = [row for run_labels in named for row in run_labels.rows]
            table = CLUSTER_LABELS.arrow(rows)
            left = sum(not (is_settled(row) and is_settled(row["theme_naming"] or row)) for row in rows)
            if left:
                version = version_of_part(version, len(rows) - left)
            written = self.lake.write(TABLE, team_day, table, version)
            checkpoint.clear()
        reasons = Counter(str(row["name_reason"]) for row in rows)
        themes = [naming for run_labels in named for naming in run_labels.themes]
        paid = [*rows, *themes]
        drawn = sorted(runs, key=lambda run: (-run["items_analyzed"], run["level"] != Level.TRACE))
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=assignments.num_rows,
            items=len(rows),
            counts={source: sum(row["source"] == source for row in rows) for source in ("llm", "keywords", "fixed")},
            empty_reason=None if rows else "no clustering run of this day has items",
            figures={
                "cache_hits": sum(run_labels.reused for run_labels in named),
                "names_kept": sum(row["name_reason"] == NameReason.KEPT for row in rows),
                "name_reasons": ", ".join(f"{reason} {n}" for reason, n in sorted(reasons.items())) or None,
                "clusters_suppressed": sum(is_suppressed(row) for row in rows),
                "themes": len(themes),
                "themes_named_by_model": sum(naming["source"] == "llm" for naming in themes),
                "llm_cost_usd": sum(naming["cost_usd"] or 0 for naming in paid),
                "llm_input_tokens": sum(naming["input_tokens"] or 0 for naming in paid),
                "llm_output_tokens": sum(naming["output_tokens"] or 0 for naming in paid),
                "is_partial": int(left > 0),
                "maps_left_out": ", ".join(run["clustering_run_id"] for run in drawn[MAX_MAPS:]) or None,
                "duration_s": round(time.monotonic() - started, 3),
            },
            preview=table.select(
                ["level", "cluster_id", "size", "title", "theme_title", "source", "name_reason", "description"]
            ),
            pictures=tuple(partial(self._picture, run, rows) for run in drawn[:MAX_MAPS]),
        )

    def _kept(self, team_day: TeamDay, checkpoint: Checkpoint) -> dict[str, list[ClusterLabelRow]]:
        """Rows by clustering run, of an earlier or a killed run of this partition."""
        if self.labeler.model is None:
            return {}
        kept: dict[str, list[ClusterLabelRow]] = {}
        tables = [self.lake.read(TABLE, team_day)] if self.lake.exists(TABLE, team_day) else []
        for table in (*tables, checkpoint.read()):
            # The checkpoint last: it is newer, and a run that it holds it holds whole.
            by_run: dict[str, list[ClusterLabelRow]] = {}
            for row in table.to_pylist():
                by_run.setdefault(row["clustering_run_id"], []).append(row)
            kept |= by_run
        return kept

    def _label_run(
        self,
        run: ClusteringRunRow,
        summaries: pa.Table,
        kept: dict[str, list[ClusterLabelRow]],
        checkpoint: Checkpoint,
        earlier_names: EarlierNames,
    ) -> "_RunLabels":
        of_level = summaries.filter(pc.equal(summaries["level"], run["level"]))
        known = {row["item_id"]: row for row in TRACE_SUMMARIES.rows(of_level)}
        summaries_of = [known.get(item["item_id"], TRACE_SUMMARIES.blank()) for item in run["items"]]
        items = [_item_evidence(*pair) for pair in zip(run["items"], summaries_of, strict=True)]
        users = (summary["item_user"] for summary in summaries_of)
        minimum = MinimumUsers(self.min_users, tuple(users))
        before = kept.get(run["clustering_run_id"], [])
        rows, named = self._name_clusters(run, items, before, earlier_names, minimum)
        asked = len(run["clusters"]) - len(named)
        if self.labeler.model is not None and asked:
            # Before the themes are asked for, as these are paid; with those that were paid earlier.
            paid = {row["cluster_id"]: theme_columns(row) for row in before}
            checkpoint.append([{**row, **paid.get(row["cluster_id"], theme_columns(row))} for row in rows])
        themes = name_themes(self.labeler, run, items, rows, before, earlier_names, minimum)
        self.log.info("%s: %d themes, %d are named now", run["clustering_run_id"], len(themes.namings()), themes.asked)
        old = [_without_theme(row) for row in before]
        reused = sum(_without_theme(row) in old and (row["cluster_id"] in named or not asked) for row in rows)
        rows = [themes.on(row) for row in rows]
        if self.labeler.model is not None and themes.asked:
            checkpoint.append(rows)
        return _RunLabels(rows, reused, themes.namings())

    def _name_clusters(
        self,
        run: ClusteringRunRow,
        items: list[ItemEvidence],
        before: list[ClusterLabelRow],
        earlier_names: EarlierNames,
        minimum: MinimumUsers,
    ) -> tuple[list[ClusterLabelRow], set[int]]:
        """A row for each cluster, and those that were not asked for."""
        ids = [item["cluster_id"] for item in run["items"]]
        below = minimum.groups_below(ids)
        evidence = [
            cluster for cluster in build_evidence(minimum.shared(items, ids), ids) if cluster.cluster_id not in below
        ]
        names = earlier_names.of(run, evidence)
        carried = {c: label_of(name.row, c) for c, name in names.items() if name.row is not None}
        answered = self._answered(before, evidence, run, set(carried))
        named = carried | without_clashes(carried, {c: label_of(row, c) for c, row in answered.items()})
        labels = self.labeler.label(evidence, run["clustering_run_id"], named)
        rows = []
        for cluster, label in zip(evidence, labels, strict=True):
            name = names[cluster.cluster_id]
            if cluster.cluster_id in named and cluster.cluster_id in answered:
                row = answered[cluster.cluster_id]
            elif name.row is not None:
                row = self._carried_row(run, cluster, label, name)
            else:
                row = self._row(run, cluster, label)
            rows.append(row | {"name_reason": name.reason, "previous_title": name.previous_title})
        rows = sorted([*rows, *self._suppressed_rows(run, below)], key=lambda row: row["cluster_id"])
        if run["items_noise"]:
            noise = ClusterEvidence(NOISE, run["items_noise"], ())
            rows.append(self._row(run, noise, noise_label(run["items_noise"])) | {"name_reason": NameReason.NOISE})
        self.log.info(
            "%s: %d clusters, %d keep their names, %d were named before, %d are named now, %d are of too few users",
            run["clustering_run_id"],
            len(evidence) + len(below),
            len(carried),
            len(named) - len(carried),
            len(evidence) - len(named),
            len(below),
        )
        least = minimum.min_users or None
        rows = [row | {"min_users": least, "is_suppressed": row["cluster_id"] in below} for row in rows]
        return rows, set(named) | set(below)

    def _suppressed_rows(self, run: ClusteringRunRow, below: dict[int, str]) -> list[ClusterLabelRow]:
        """Rows of the clusters of too few users: a fixed title, and nothing of what their items say."""
        sizes = {cluster["cluster_id"]: cluster["size"] for cluster in run["clusters"]}
        return [
            self._row(run, ClusterEvidence(one, sizes[one], ()), suppressed_label(one, reason, number))
            | {"name_reason": NameReason.TOO_FEW_USERS}
            for number, (one, reason) in enumerate(below.items(), start=1)
        ]

    def _answered(
        self, rows: list[ClusterLabelRow], evidence: list[ClusterEvidence], run: ClusteringRunRow, carried: set[int]
    ) -> dict[int, ClusterLabelRow]:
        """Rows that this labeler gave to these very clusters on this very evidence, in an earlier run of this day."""
        asked = (self.labeler.model, self.labeler.prompt_version)
        if (
            not any((row["model"], row["prompt_version"]) == asked for row in rows)
            or any(row["model"] not in (None, asked[0]) for row in rows)
            or any(row["content_hash"] != run["content_hash"] for row in rows)
        ):
            return {}
        shown = {cluster.cluster_id: as_json(cluster) for cluster in evidence}
        return {
            row["cluster_id"]: row
            for row in rows
            if row["cluster_id"] not in carried
            and row["carried_from"] is None
            and is_settled(row)
            and row["evidence"] == shown.get(row["cluster_id"])
        }

    def _carried_row(
        self, run: ClusteringRunRow, evidence: ClusterEvidence, label: Label, name: EarlierName
    ) -> ClusterLabelRow:
        """A kept name with what it was made from. A keyword label counts the members of today, as its evidence does."""
        assert name.row is not None and name.first is not None
        day, run_id, cluster_id = name.first
        row = self._row(run, evidence, label)
        if label.source == "llm":
            row |= {
                "evidence": name.row["evidence"],
                "model": name.row["model"],
                "prompt_version": name.row["prompt_version"],
            }
        return row | {"carried_from": run_id, "carried_cluster_id": cluster_id, "named_date": day}

    def _row(self, run: ClusteringRunRow, evidence: ClusterEvidence, label: Label) -> ClusterLabelRow:
        by_model = label.source == "llm"
        return CLUSTER_LABELS.blank() | {
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
            "evidence": as_json(evidence),
            "model": self.labeler.model if by_model else None,
            "prompt_version": self.labeler.prompt_version if by_model else None,
            "input_tokens": label.input_tokens,
            "output_tokens": label.output_tokens,
            "cost_usd": label.cost_usd,
            "named_date": run["date"],
        }

    def _picture(self, run: ClusteringRunRow, rows: list[ClusterLabelRow]) -> bytes | None:
        """The map of a clustering run; a picture that cannot be drawn never breaks the run."""
        try:
            return _map(run, rows)
        except Exception:
            self.log.exception("the cluster map could not be drawn")
            return None


@dataclass(frozen=True, slots=True)
class _RunLabels:
    """The label rows of one clustering run, how many of them were there before, and how its themes were named."""

    rows: list[ClusterLabelRow]
    reused: int
    themes: list[ThemeNamingRow]


def _without_theme(row: ClusterLabelRow) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in ThemeColumns.__annotations__}


def _item_evidence(item: ClusterItemRow, summary: TraceSummaryRow) -> ItemEvidence:
    return ItemEvidence(
        item_id=item["item_id"],
        title=summary["title"] or "",
        bullets=tuple(bullet["text"] for bullet in summary["summary_bullets"] or []),
        notes=tuple(note["text"] for note in summary["interesting_notes"] or []),
        distance=item["distance_to_centroid"],
    )


def _map(run: ClusteringRunRow, labels: list[ClusterLabelRow]) -> bytes:
    titles = {row["cluster_id"]: row["title"] for row in labels if row["clustering_run_id"] == run["clustering_run_id"]}
    facts = f"{run['items_analyzed']} items, {len(run['clusters'])} clusters, {run['embedding_model']}"
    heading = f"{run['clustering_run_id']}: {facts}"
    return cluster_map(run["items"], titles, heading)
