"""embeddings: one vector for each summarized item of a (team, day)."""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.embedding.embedder import Embedder, check_vectors
from llma_assets.errors import BudgetExhausted
from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.readers.matrix import to_matrix
from llma_assets.reporting.progress import Progress
from llma_assets.reporting.stage_report import StageReport, commonest_reason, count_outcomes
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.summarization.extractive import request_bullets
from llma_assets.summarization.flow import flow_labels
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.summarization.summary import EMBEDDING_TEXT_VERSION, embedding_text
from llma_assets.tables.embeddings import EMBEDDINGS, EmbeddingRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.versions import embeddings_version, version_of_part
from llma_assets.vocabulary import ItemStatus, Reason

TABLE = "embeddings"
STAGE = Stage(
    EMBEDDINGS,
    Job.SUMMARIZE,
    reads={"trace_summaries": Days.SAME},
    versions=("2", EMBEDDING_TEXT_VERSION),
    item_column="status",
    count_items_in=lambda statuses: statuses.to_pylist().count(ItemStatus.EMBEDDED),
)
_VECTORS = pa.schema([("content_hash", pa.string()), ("embedding", pa.list_(pa.float32())), ("reason", pa.string())])


@dataclass(frozen=True, slots=True)
class EmbedDay:
    """Everything that embedding one day needs."""

    lake: Lake
    embedder: Embedder
    # Names what makes the vectors; when it changes, they are made again.
    recipe: str
    log: logging.Logger

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report.

        Raises:
            PartitionMissing: the day's trace_summaries were never written.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day), Checkpoint(self.lake, TABLE, team_day, _VECTORS) as checkpoint:
            # Before the rows are read: summaries that change meanwhile leave an old version, and a redo.
            version = embeddings_version(self.lake.source_version("trace_summaries", team_day) or "", self.recipe)
            summaries = TRACE_SUMMARIES.rows(self.lake.read("trace_summaries", team_day))
            rows = [row for row in summaries if row["status"] == ItemStatus.SUMMARIZED]
            owners = {vector_key(self.embedder.model, embedded_text(row)): row for row in rows}
            texts = {content_hash: embedded_text(row) for content_hash, row in owners.items()}
            known = {h: vector for h, vector in self._known(team_day, checkpoint).items() if h in texts}
            hits = len(known)
            todo = {h: texts[h] for h in sorted(texts) if h not in known}
            vectors = known | self._embed(todo, [owners[h]["item_id"] for h in todo], team_day, checkpoint)
            dim = max((len(vector) for vector in vectors.values() if not isinstance(vector, str)), default=0)
            table = EMBEDDINGS.arrow([self._row(row, vectors, dim) for row in rows])
            if Reason.BUDGET_EXHAUSTED in table["reason"].to_pylist():
                version = version_of_part(version, table["embedding"].length() - table["embedding"].null_count)
            written = self.lake.write(TABLE, team_day, table, version)
            checkpoint.clear()
        return self._report(team_day, written, table, hits, time.monotonic() - started)

    def _known(self, team_day: TeamDay, checkpoint: Checkpoint) -> dict[str, Any]:
        """Vectors by content hash, shape (dim,), that an earlier or killed run of this partition made."""
        kept = checkpoint.read()
        if self.lake.exists(TABLE, team_day):
            kept = pa.concat_tables([kept, self.lake.read(TABLE, team_day, _VECTORS.names).cast(_VECTORS)])
        # The content hash covers the model, so another model's vectors are never taken for this one's.
        kept = kept.filter(pc.is_null(kept["reason"]))
        return dict(zip(kept["content_hash"].to_pylist(), to_matrix(kept["embedding"]), strict=True))

    def _embed(
        self, texts: dict[str, str], item_ids: Sequence[str], team_day: TeamDay, checkpoint: Checkpoint
    ) -> dict[str, Any]:
        """For each content hash its vector, or the reason why there is none. `item_ids` are for messages."""
        hashes: list[str] = list(texts)
        progress = Progress(self.log, f"{team_day} embeddings")
        made: dict[str, Any] = {}
        try:
            for places, vectors in self.embedder.parts([texts[h] for h in hashes], item_ids):
                part = [hashes[place] for place in places]
                reasons = check_vectors(vectors, len(part), vectors.shape[1], part)
                good = {h: vector for h, vector, reason in zip(part, vectors, reasons, strict=True) if reason is None}
                checkpoint.append([{"content_hash": h, "embedding": v, "reason": None} for h, v in good.items()])
                made |= dict(zip(part, reasons, strict=True)) | good
                progress.tell(len(made), len(hashes))
        except BudgetExhausted as error:
            self.log.warning("%s: %d texts are left for another day: %s", team_day, len(hashes) - len(made), error)
        return dict.fromkeys(hashes, str(Reason.BUDGET_EXHAUSTED)) | made

    def _row(self, row: TraceSummaryRow, vectors: dict[str, Any], dim: int) -> EmbeddingRow:
        content_hash = vector_key(self.embedder.model, embedded_text(row))
        vector = vectors[content_hash]
        failed = isinstance(vector, str)
        return {
            "team_id": row["team_id"],
            "date": row["date"],
            "level": row["level"],
            "item_id": row["item_id"],
            "trace_id": row["trace_id"],
            "generation_id": row["generation_id"],
            "trace_timestamp": row["trace_timestamp"],
            "status": ItemStatus.FAILED if failed else ItemStatus.EMBEDDED,
            "reason": vector if failed else None,
            "model": self.embedder.model,
            "dim": dim,
            "content_hash": content_hash,
            "embedding": None if failed else vector,
        }

    def _report(self, team_day: TeamDay, written: Any, table: pa.Table, hits: int, duration_s: float) -> StageReport:
        statuses, reasons = table["status"].to_pylist(), table["reason"].to_pylist()
        embedded = statuses.count(ItemStatus.EMBEDDED)
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=table.num_rows,
            items=embedded,
            counts=count_outcomes(statuses, reasons),
            empty_reason=None if embedded else commonest_reason(reasons, Reason.NO_ITEMS),
            figures={
                "embeddings_succeeded": embedded,
                "embeddings_failed": table.num_rows - embedded,
                "cache_hits": hits,
                "embedding_model": self.embedder.model,
                "dim": max(table["dim"].to_pylist(), default=None),
                "is_partial": int(Reason.BUDGET_EXHAUSTED in reasons),
                "duration_s": round(duration_s, 3),
            },
            preview=table.select(["level", "item_id", "model", "dim", "status", "reason"]),
        )


def embedded_text(row: TraceSummaryRow) -> str:
    """The text that stands for a row of trace_summaries in the vector space."""
    bullets = [bullet["text"] for bullet in row["summary_bullets"]]
    requests = request_bullets(bullets) if row["model"] == ExtractiveSummarizer.model else []
    if requests:
        # What an agent calls and answers is much the same whatever it is asked, and here it stands word
        # for word: without it, clusters follow the task better (benchmarks/embedding_text.py).
        return embedding_text(row["title"], None, requests, [])
    flow = " -> ".join(flow_labels(row["flow_diagram"] or ""))
    return embedding_text(row["title"], flow, bullets, [note["text"] for note in row["interesting_notes"]])


def vector_key(model: str, text: str) -> str:
    """What a vector is kept under: the same for the same text and model."""
    return hashlib.sha256(f"{model}\n{text}".encode()).hexdigest()
