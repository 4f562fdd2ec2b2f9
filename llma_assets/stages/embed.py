"""embeddings: one vector for each summarized item of a (team, day)."""

import hashlib
import logging
import time
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.embedding.embedder import Embedder, check_vectors
from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.schemas import EMBEDDINGS
from llma_assets.stages.matrix import to_matrix
from llma_assets.stages.progress import Progress
from llma_assets.stages.report import StageReport, commonest_reason, count_outcomes
from llma_assets.stages.window import embeddings_version
from llma_assets.summarization.extractive import request_bullets
from llma_assets.summarization.flow import flow_labels
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.summarization.summary import embedding_text
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import ItemStatus, Reason

TABLE = "embeddings"
CHUNK_TEXTS = 256
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
        with self.lake.lock(TABLE, team_day):
            # Before the rows are read: summaries that change meanwhile leave an old version, and a redo.
            version = embeddings_version(self.lake.source_version("trace_summaries", team_day) or "", self.recipe)
            summaries = self.lake.read("trace_summaries", team_day)
            rows = [row for row in summaries.to_pylist() if row["status"] == ItemStatus.SUMMARIZED]
            texts = {_content_hash(self.embedder.model, text): text for text in map(_text, rows)}
            checkpoint = Checkpoint(self.lake, TABLE, team_day)
            known = self._known(team_day, checkpoint)
            hits = len(known.keys() & texts.keys())
            vectors = known | self._embed({h: texts[h] for h in sorted(texts) if h not in known}, team_day, checkpoint)
            table = pa.Table.from_pylist([self._row(team_day, row, vectors) for row in rows], EMBEDDINGS)
            written = self.lake.write(TABLE, team_day, table, version)
            checkpoint.clear()
        return self._report(team_day, written, table, hits, time.monotonic() - started)

    def _known(self, team_day: TeamDay, checkpoint: Checkpoint) -> dict[str, Any]:
        """Vectors by content hash, shape (dim,), that an earlier or killed run of this partition made."""
        kept = checkpoint.read(_VECTORS)
        if self.lake.exists(TABLE, team_day):
            kept = pa.concat_tables([kept, self.lake.read(TABLE, team_day, _VECTORS.names).cast(_VECTORS)])
        # The content hash covers the model, so another model's vectors are never taken for this one's.
        kept = kept.filter(pc.is_null(kept["reason"]))
        return dict(zip(kept["content_hash"].to_pylist(), to_matrix(kept["embedding"]), strict=True))

    def _embed(self, texts: dict[str, str], team_day: TeamDay, checkpoint: Checkpoint) -> dict[str, Any]:
        """For each content hash its vector, or the reason why there is none."""
        hashes: list[str] = list(texts)
        progress = Progress(self.log, f"{team_day} embeddings")
        made: dict[str, Any] = {}
        for start in range(0, len(hashes), CHUNK_TEXTS):
            chunk = hashes[start : start + CHUNK_TEXTS]
            vectors = self.embedder.embed([texts[content_hash] for content_hash in chunk])
            reasons = check_vectors(vectors, len(chunk), self.embedder.dim, chunk)
            good = {h: vector for h, vector, reason in zip(chunk, vectors, reasons, strict=True) if reason is None}
            made |= dict(zip(chunk, reasons, strict=True)) | good
            kept = {"content_hash": list(good), "embedding": list(good.values()), "reason": [None] * len(good)}
            checkpoint.append(chunk[0][:16], pa.table(kept, _VECTORS))
            progress.tell(start + len(chunk), len(hashes))
        return made

    def _row(self, team_day: TeamDay, row: dict[str, Any], vectors: dict[str, Any]) -> dict[str, Any]:
        content_hash = _content_hash(self.embedder.model, _text(row))
        vector = vectors[content_hash]
        failed = isinstance(vector, str)
        return {name: row.get(name) for name in EMBEDDINGS.names} | {
            "status": ItemStatus.FAILED if failed else ItemStatus.EMBEDDED,
            "reason": vector if failed else None,
            "model": self.embedder.model,
            "dim": self.embedder.dim,
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
                "dim": self.embedder.dim,
                "duration_s": round(duration_s, 3),
            },
            preview=table.select(["level", "item_id", "model", "dim", "status", "reason"]),
        )


def _text(row: dict[str, Any]) -> str:
    bullets = [bullet["text"] for bullet in row["summary_bullets"]]
    requests = request_bullets(bullets) if row["model"] == ExtractiveSummarizer.model else []
    if requests:
        # What an agent calls and answers is much the same whatever it is asked, and here it stands word
        # for word: without it, clusters follow the task better (benchmarks/embedding_text.py).
        return embedding_text(row["title"], None, requests, [])
    flow = " -> ".join(flow_labels(row["flow_diagram"] or ""))
    return embedding_text(row["title"], flow, bullets, [note["text"] for note in row["interesting_notes"]])


def _content_hash(model: str, text: str) -> str:
    return hashlib.sha256(f"{model}\n{text}".encode()).hexdigest()
