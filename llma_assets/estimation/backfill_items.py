"""What a backfill would work on: items without a summary, and the sizes of a sample of their texts."""

import hashlib
import heapq
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from llma_assets.clustering_jobs import ClusteringJob, clustering_jobs
from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.llm.tokens import pieces_of
from llma_assets.providers import summarizer_of
from llma_assets.readers.job_items import count_by_job, jobs_of_day, wanted_by
from llma_assets.settings import Settings
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.stages import embeddings, trace_summaries
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.summarization.outcome import ItemText, Summarizer
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import ItemStatus, Level

# Texts that are read to tell the size of all of them.
MAX_TEXTS = 200

Key = tuple[str, str]
Row = TraceSummaryRow


@dataclass(frozen=True, slots=True)
class TextSize:
    """Sizes of one text, all 0 where nothing readable is in it and nobody would be asked.

    Attributes:
        chars, pieces: of the text that is summarized.
        embedded_pieces: of what would be embedded of its extractive summary; 0 for other summarizers.
    """

    chars: int = 0
    pieces: int = 0
    embedded_pieces: int = 0


@dataclass(order=True, frozen=True, slots=True)
class _Candidate:
    """An item of the sample. `place` is minus its hash, so that the heap drops the highest hash first."""

    place: int
    key: Key
    team_day: TeamDay = field(compare=False)
    last_day: date = field(compare=False)
    row: Row = field(compare=False)


@dataclass(slots=True)
class BackfillWork:
    """What the days hold.

    Attributes:
        todo: items to summarize, by level.
        kept: items whose summary would be taken as it is.
        embedded: summaries that have a vector of the embedder in use.
        unembedded_pieces: for each summary that is there without one, the size of its text.
        items_by_day: items of each clustering job that a clustering would find after the backfill.
        sample: by level, the candidates for reading.
    """

    todo: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, Level), 0))
    kept: int = 0
    embedded: int = 0
    unembedded_pieces: list[int] = field(default_factory=list)
    items_by_day: dict[date, Counter[ClusteringJob]] = field(default_factory=dict)
    sample: dict[str, list[_Candidate]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BackfillItems:
    """Finds and samples items as `SummarizeDay` would; `now` decides which traces are finished.

    `embedding_model` is the paid embedder's name in the data; None where vectors are made on this machine.
    """

    lake: Lake
    source: TraceEventSource
    summarizer: Summarizer
    embedding_model: str | None
    settings: Settings
    now: datetime
    log: logging.Logger

    def find(self, team: str, first: date, last: date) -> BackfillWork:
        """The items of the days from `first` to `last`, both included."""
        jobs = clustering_jobs(team, self.settings)
        quiet_since = self.now - timedelta(minutes=self.settings.quiet_minutes)
        found = BackfillWork()
        for stats in self.source.day_stats(team, quiet_since, list(Level)):
            if first <= stats.day <= last:
                self._count(found, TeamDay(team, stats.day), jobs)
        return found

    def read(self, team: str, found: BackfillWork) -> dict[str, list[TextSize]]:
        """Sizes of up to `MAX_TEXTS` texts by level: half of them of each level that has as many."""
        levels = [level for level in found.sample if found.sample[level]]
        sizes: dict[str, list[TextSize]] = {level: [] for level in levels}
        share = {level: min(len(found.sample[level]), MAX_TEXTS // len(levels)) for level in levels}
        for level in levels:
            share[level] += min(len(found.sample[level]) - share[level], MAX_TEXTS - sum(share.values()))
        chosen: dict[tuple[TeamDay, date], dict[Key, Row]] = {}
        for level in levels:
            for candidate in sorted(found.sample[level], reverse=True)[: share[level]]:
                chosen.setdefault((candidate.team_day, candidate.last_day), {})[candidate.key] = candidate.row
        stage = self._stage(team)
        for (team_day, last_day), rows in sorted(chosen.items(), key=lambda pair: pair[0]):
            for text in stage.texts(team_day, rows, last_day):
                sizes[text.key[0]].append(self._size(stage, text) if isinstance(text, ItemText) else TextSize())
        # An item whose events are gone by now has no text, and costs nothing.
        for level in levels:
            sizes[level] += [TextSize()] * (share[level] - len(sizes[level]))
        return sizes

    def _count(self, found: BackfillWork, team_day: TeamDay, jobs: Sequence[ClusteringJob]) -> None:
        items = self.source.day_items(team_day, list(Level))
        of_jobs = jobs_of_day(self.source, team_day, jobs)
        rows = trace_summaries.rows_without_summary(items, team_day, wanted_by(of_jobs), self.settings, self.now)
        wanted = {(row["level"], row["item_id"]): row for row in rows if row["status"] == ItemStatus.SUMMARIZED}
        checkpointed = Checkpoint(self.lake, trace_summaries.TABLE, team_day, TRACE_SUMMARIES.schema).read()
        kept = trace_summaries.kept_rows(self.lake, team_day, self.summarizer, checkpointed, wanted.values())
        summaries = [row for row in kept.values() if row["status"] == ItemStatus.SUMMARIZED]
        last_day = max(items["last_date"].to_pylist(), default=team_day.day)
        found.kept += len(kept)
        clustered = [(row["level"], row["item_id"]) for row in summaries]
        clustered += [key for key in wanted if key not in kept]
        found.items_by_day[team_day.day] = count_by_job(of_jobs, clustered)
        for key, row in wanted.items():
            if key not in kept:
                found.todo[key[0]] += 1
                _offer(
                    found.sample.setdefault(key[0], []),
                    _Candidate(_place(team_day, key), key, team_day, last_day, row),
                )
        if self.embedding_model is not None:
            self._count_texts(found, team_day, summaries, self.embedding_model)

    def _count_texts(self, found: BackfillWork, team_day: TeamDay, summaries: list[Row], model: str) -> None:
        """Texts of the summaries that are there: with a vector, or the size of those without."""
        known: set[str] = set()
        if self.lake.exists(embeddings.TABLE, team_day):
            rows = self.lake.read(embeddings.TABLE, team_day, ["content_hash", "reason"]).to_pylist()
            known = {row["content_hash"] for row in rows if row["reason"] is None}
        texts = {embeddings.vector_key(model, text): text for text in map(embeddings.embedded_text, summaries)}
        found.embedded += len(known & texts.keys())
        found.unembedded_pieces += [pieces_of(text) for key, text in texts.items() if key not in known]

    def _stage(self, team: str) -> trace_summaries.SummarizeDay:
        return trace_summaries.SummarizeDay(
            lake=self.lake,
            source=self.source,
            summarizer=self.summarizer,
            jobs=clustering_jobs(team, self.settings),
            settings=self.settings,
            now=self.now,
            log=self.log,
            redactor=summarizer_of(self.settings).redactor(),
        )

    def _size(self, stage: trace_summaries.SummarizeDay, item: ItemText) -> TextSize:
        if not item.representation.has_text:
            return TextSize()
        embedded = 0
        if isinstance(self.summarizer, ExtractiveSummarizer):
            (outcome,) = self.summarizer.summarize([item])
            embedded = pieces_of(embeddings.embedded_text(stage.filled(TRACE_SUMMARIES.blank(), outcome)))
        return TextSize(len(item.representation.text), pieces_of(item.representation.text), embedded)


def _place(team_day: TeamDay, key: Key) -> int:
    """By hash: the same items each time, and from all days as those have items."""
    text = "\x00".join((team_day.team, *key)).encode("utf-8", "surrogatepass")
    return -int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def _offer(heap: list[_Candidate], candidate: _Candidate) -> None:
    if len(heap) < MAX_TEXTS:
        heapq.heappush(heap, candidate)
    else:
        heapq.heappushpop(heap, candidate)
