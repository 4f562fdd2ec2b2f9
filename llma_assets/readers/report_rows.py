"""Reads what the explorer tells of a clustering run: its rows, and the runs that it continues."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.clustering.result import NOISE
from llma_assets.emission.run_metrics import FIGURES, metrics_rows, with_common_names
from llma_assets.errors import PartitionMissing
from llma_assets.explorer.groups import LineageStart, PastRun
from llma_assets.explorer.report import RunData
from llma_assets.labeling.suppression import meets_minimum
from llma_assets.lake import Lake
from llma_assets.lineage.identity import lineage_id
from llma_assets.readers.cluster_names import ClusterNames
from llma_assets.readers.lineage_chain import LineageRun, lineage_history
from llma_assets.readers.run_rows import RunKey, rows_of_run
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS, ClusteringRunRow
from llma_assets.tables.cluster_labels import ClusterLabelRow
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE
from llma_assets.tables.cluster_metrics import CLUSTER_METRICS, ClusterMetricsRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.versions import run_days
from llma_assets.vocabulary import MetricsKind

# Days of a trend, and how far back a run can be compared.
TREND_DAYS = 14
SUMMARY_COLUMNS = [
    *("level", "item_id", "title", "flow_diagram", "summary_bullets", "interesting_notes"),
    *("text_repr_length", "event_count"),
    *(name for name in FIGURES if name not in ("level", "item_id")),
]
_PAST_RUN = ["items_analyzed", "items_noise", "clusters"]


@dataclass(frozen=True, slots=True)
class ReportRows:
    """Reads rows of one (team, day).

    Attributes:
        redact: takes secrets out of a text, where the settings ask for it.
        findings: what is wrong with a row of `cluster_assignments`.
        min_users: distinct users below which nothing is told by name; 0: no minimum.
    """

    lake: Lake
    redact: Callable[[str], str] | None
    findings: Callable[[ClusteringRunRow], Sequence[str]]
    min_users: int = 0

    def run_data(self, team_day: TeamDay, run: ClusteringRunRow) -> RunData:
        """Everything of one clustering run with items.

        Raises:
            PartitionMissing: the day's labels or lineage were never written, or are of other clusters.
        """
        key = RunKey.of(run)
        labels = self._names.of_run(key)
        if not labels:
            raise PartitionMissing(f"cluster_labels {team_day} name other clusters; run cluster_labels first")
        if not all(meets_minimum(row, self.min_users) for row in labels):
            raise PartitionMissing(
                f"cluster_labels {team_day} keep to a lower minimum of users; run cluster_labels first"
            )
        edges = rows_of_run(self.lake, CLUSTER_LINEAGE, key)
        if not edges:
            raise PartitionMissing(f"cluster_lineage {team_day} is of other clusters; run cluster_lineage first")
        summaries = self.lake.read_days("trace_summaries", run_days(team_day, [run]), SUMMARY_COLUMNS)
        summaries = summaries.filter(pc.equal(summaries["level"], run["level"]))
        wanted = pa.array([item["item_id"] for item in run["items"]])
        summaries = summaries.filter(pc.is_in(summaries["item_id"], wanted))
        of_item = {row["item_id"]: self._redacted_summary(row) for row in TRACE_SUMMARIES.rows(summaries)}
        of_item = with_common_names(run, of_item, self.min_users)
        history = lineage_history(self.lake, run, team_day.day - timedelta(days=TREND_DAYS - 1))
        return RunData(
            run=run,
            labels={row["cluster_id"]: self._redacted_label(row) for row in labels},
            metrics={_key(row): row for row in metrics_rows(run, of_item)},
            edges=edges,
            summaries=of_item,
            history=[self._past_run(past) for past in history],
            warnings=list(self.findings(run)),
        )

    @property
    def _names(self) -> ClusterNames:
        return ClusterNames(self.lake, self.min_users)

    def _past_run(self, history: LineageRun) -> PastRun:
        run_id, day = history.run.clustering_run_id, history.run.team_day
        runs = rows_of_run(self.lake, CLUSTER_ASSIGNMENTS, history.run, _PAST_RUN)
        if not runs:
            raise PartitionMissing(f"cluster_assignments {day} holds other clusters than it did; run it again")
        (run,) = runs
        metrics = rows_of_run(self.lake, CLUSTER_METRICS, history.run)
        sizes = {cluster["cluster_id"]: cluster["size"] for cluster in run["clusters"]}
        if run["items_noise"]:
            sizes[NOISE] = run["items_noise"]
        own = {c: (lineage_id(run_id, c), day.day) for c in sizes if c != NOISE}
        return PastRun(
            run_id=run_id,
            day=day.day,
            items=run["items_analyzed"],
            sizes=sizes,
            titles={row["cluster_id"]: self._clean(row["title"]) for row in self._names.meeting_minimum(history.run)},
            since={c: LineageStart(*since) for c, since in (own | history.lineage_of).items()},
            metrics={
                c: row for row in metrics if row["kind"] == MetricsKind.CLUSTER and (c := row["cluster_id"]) is not None
            },
        )

    # --- redaction ------------------------------------------------------------------------------

    def _redacted_label(self, row: ClusterLabelRow) -> ClusterLabelRow:
        if self.redact is None:
            return row
        return row | {
            "title": self._clean(row["title"]),
            "description": self._clean(row["description"]),
            "previous_title": self._clean(row["previous_title"]),
            "theme_title": self._clean(row["theme_title"]),
            "theme_description": self._clean(row["theme_description"]),
            "keywords": self._each(row["keywords"]),
        }

    def _redacted_summary(self, row: TraceSummaryRow) -> TraceSummaryRow:
        if self.redact is None:
            return row
        return row | {
            "summary_bullets": [note | {"text": self._clean(note["text"])} for note in row["summary_bullets"]],
            "interesting_notes": [note | {"text": self._clean(note["text"])} for note in row["interesting_notes"]],
            "title": self._clean(row["title"]),
            "flow_diagram": self._clean(row["flow_diagram"]),
        }

    def _each(self, texts: Sequence[str]) -> list[Any]:
        return [self._clean(text) for text in texts]

    def _clean(self, text: str | None) -> Any:
        return text if text is None or self.redact is None else self.redact(text)


def _key(row: ClusterMetricsRow) -> tuple[str, int | None]:
    number = {"cluster": row["cluster_id"], "theme": row["theme_id"]}.get(str(row["kind"]))
    return str(row["kind"]), number
