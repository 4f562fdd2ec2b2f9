"""trace_summaries: the items of one (team, day), each summarized or with the reason why not."""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from llma_assets.emission.identity import summary_uuid
from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.resources.event_source import TraceEventSource
from llma_assets.schemas import TRACE_SUMMARIES
from llma_assets.settings import Settings
from llma_assets.stages.progress import Progress
from llma_assets.stages.report import StageReport, commonest_reason, count_outcomes
from llma_assets.stages.retract import retract
from llma_assets.summarization.outcome import ItemText, Summarizer, SummaryOutcome
from llma_assets.summarization.summary import Note
from llma_assets.team_day import TeamDay
from llma_assets.traces.sampling import sample_by_hour
from llma_assets.traces.text import render_generation, render_trace
from llma_assets.vocabulary import ItemStatus, Level, Reason

TABLE = "trace_summaries"
CHECKPOINT_ITEMS = 100

Row = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SummarizeDay:
    """Everything that summarizing one day needs; `now` decides which traces are finished."""

    lake: Lake
    source: TraceEventSource
    summarizer: Summarizer
    levels: Sequence[Level]
    settings: Settings
    now: datetime
    log: logging.Logger

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report. What it held already, unchanged, is not made again."""
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            items = self.source.day_items(team_day, self.levels)
            rows = self._rows_without_summary(team_day, items)
            wanted = {_key(row): row for row in rows if row["status"] == ItemStatus.SUMMARIZED}
            checkpoint = Checkpoint(self.lake, TABLE, team_day)
            kept = self._kept(team_day, checkpoint)
            reused = {
                key: kept[key] for key in wanted if kept.get(key, {}).get("content_hash") == wanted[key]["content_hash"]
            }
            todo = {key: row for key, row in wanted.items() if key not in reused}
            self.log.info("%s: %d items, %d to summarize, %d reused", team_day, len(rows), len(todo), len(reused))
            last_day = max(items["last_date"].to_pylist(), default=team_day.day)
            made = self._summarize(team_day, todo, last_day, checkpoint)
            rows = [reused.get(_key(row)) or made.get(_key(row)) or row for row in rows]
            table = pa.Table.from_pylist(rows, TRACE_SUMMARIES)
            version = source_version(rows)
            if ItemStatus.SUMMARIZED not in table["status"].to_pylist():
                retract(self.lake, ["embeddings"], team_day, version)
            written = self.lake.write(TABLE, team_day, table, version)
            checkpoint.clear()
        report = _report(team_day, written, table, len(reused), time.monotonic() - started)
        self.log.info("%s: %s", team_day, report.counts)
        return report

    def _rows_without_summary(self, team_day: TeamDay, items: pa.Table) -> list[Row]:
        """One row an item; those that are to be summarized say so already."""
        quiet_since = self.now - timedelta(minutes=self.settings.quiet_minutes)
        rows = items.to_pylist()
        sampled: dict[Key, bool] = {}
        for level in Level:
            of_level = [row for row in rows if row["level"] == level]
            flags = sample_by_hour(
                [row["item_id"] for row in of_level],
                [row["trace_timestamp"] for row in of_level],
                self.settings.max_items_per_hour(level),
                f"{team_day}/{level}",
            )
            sampled |= {_key(row): flag for row, flag in zip(of_level, flags, strict=True)}
        blank = dict.fromkeys(TRACE_SUMMARIES.names)
        fixed = {
            "team_id": team_day.team,
            "date": team_day.day,
            "batch_run_id": f"{team_day.team}_{team_day.start.isoformat()}",
            "summary_bullets": [],
            "interesting_notes": [],
        }
        result = []
        for row in rows:
            finished = row.pop("last_event_at") <= quiet_since
            row.pop("last_date")
            reason = None if finished else Reason.NOT_FINISHED
            if finished and not sampled[_key(row)]:
                reason = Reason.NOT_SAMPLED
            status = ItemStatus.SKIPPED if reason else ItemStatus.SUMMARIZED
            uuid = summary_uuid(team_day.team, row["level"], row["item_id"])
            result.append(blank | row | fixed | {"status": status, "reason": reason, "event_uuid": uuid})
        return result

    def _kept(self, team_day: TeamDay, checkpoint: Checkpoint) -> dict[Key, Row]:
        """Rows of an earlier or killed run that this summarizer would make again just so."""
        # The checkpoint last: it is newer, and of one item the later row is taken.
        parts = [self.lake.read(TABLE, team_day)] if self.lake.exists(TABLE, team_day) else []
        parts.append(checkpoint.read(TRACE_SUMMARIES))
        made_by = (self.summarizer.model, self.summarizer.mode, self.summarizer.prompt_version)
        return {
            _key(row): row
            for row in pa.concat_tables(parts).to_pylist()
            if row["status"] == ItemStatus.SUMMARIZED or row["reason"] == Reason.NO_TEXT
            if (row["model"], row["mode"], row["prompt_version"]) == made_by
        }

    def _summarize(
        self, team_day: TeamDay, todo: dict[Key, Row], last_day: Any, checkpoint: Checkpoint
    ) -> dict[Key, Row]:
        made: dict[Key, Row] = {}
        unsaved: list[Row] = []
        progress = Progress(self.log, f"{team_day} summaries")
        try:
            for outcome in self._outcomes(self._texts(team_day, todo, last_day)):
                made[outcome.key] = self._filled(todo[outcome.key], outcome)
                unsaved.append(made[outcome.key])
                if len(unsaved) >= CHECKPOINT_ITEMS or progress.is_due():
                    _save(checkpoint, unsaved)
                    unsaved = []
                    failed = sum(row["status"] == ItemStatus.FAILED for row in made.values())
                    progress.tell(len(made), len(todo), failed)
        finally:
            # What was paid for is kept, whatever stops the run, until the partition is written.
            _save(checkpoint, unsaved)
        missing = todo.keys() - made.keys()
        return made | {key: self._filled(todo[key], SummaryOutcome(key, None, Reason.NO_TEXT)) for key in missing}

    def _texts(self, team_day: TeamDay, todo: dict[Key, Row], last_day: Any) -> Iterator[ItemText]:
        """The text representation of each item, trace by trace, so that memory holds one trace."""
        trace_ids = sorted({row["trace_id"] for row in todo.values()})
        cap = self.settings.max_text_chars
        for events in self.source.traces(team_day, trace_ids, last_day):
            key = (str(Level.TRACE), events[0].trace_id)
            if key in todo:
                yield ItemText(key, render_trace(events, cap))
            for event in events:
                key = (str(Level.GENERATION), event.uuid)
                if key in todo:
                    yield ItemText(key, render_generation(event, cap))

    def _outcomes(self, texts: Iterable[ItemText]) -> Iterator[SummaryOutcome]:
        empty: list[SummaryOutcome] = []

        def with_text() -> Iterator[ItemText]:
            for text in texts:
                if text.representation.has_text:
                    yield text
                else:
                    length = len(text.representation.text)
                    empty.append(SummaryOutcome(text.key, None, Reason.NO_TEXT, text_repr_length=length))

        yield from self.summarizer.summarize(with_text())
        yield from empty

    def _filled(self, row: Row, outcome: SummaryOutcome) -> Row:
        summary = outcome.summary
        skipped = outcome.reason in (Reason.NO_TEXT, Reason.TOO_LARGE, Reason.CONTENT_EXPIRED)
        failure = ItemStatus.SKIPPED if skipped else ItemStatus.FAILED
        return row | {
            "status": ItemStatus.SUMMARIZED if summary else failure,
            "reason": outcome.reason,
            "title": summary.title if summary else None,
            "flow_diagram": summary.flow_diagram if summary else None,
            "summary_bullets": _notes(summary.bullets) if summary else [],
            "interesting_notes": _notes(summary.notes) if summary else [],
            "mode": self.summarizer.mode,
            "model": self.summarizer.model,
            "prompt_version": self.summarizer.prompt_version,
            "text_repr_length": outcome.text_repr_length,
            "input_tokens": outcome.input_tokens,
            "output_tokens": outcome.output_tokens,
            "cost_usd": outcome.cost_usd,
            "latency_s": outcome.latency_s,
        }


def source_version(rows: Iterable[Row]) -> str:
    """Version of the finished items of a day: the same value as `sql/day_stats.sql` gives."""
    finished = sorted(
        (row["level"], row["item_id"], row["content_hash"]) for row in rows if row["reason"] != Reason.NOT_FINISHED
    )
    if not finished:
        return ""
    return hashlib.sha256(",".join(level + content for level, _, content in finished).encode()).hexdigest()


def _key(row: Row) -> Key:
    return (row["level"], row["item_id"])


def _save(checkpoint: Checkpoint, rows: list[Row]) -> None:
    if rows:
        names = "\n".join(f"{row['level']} {row['item_id']} {row['content_hash']}" for row in rows)
        key = hashlib.sha256(names.encode()).hexdigest()[:16]
        checkpoint.append(key, pa.Table.from_pylist(rows, TRACE_SUMMARIES))


def _notes(notes: Sequence[Note]) -> list[dict[str, str]]:
    return [{"text": note.text, "line_refs": note.line_refs} for note in notes]


def _report(team_day: TeamDay, written: Any, table: pa.Table, reused: int, duration_s: float) -> StageReport:
    statuses, reasons = table["status"].to_pylist(), table["reason"].to_pylist()
    summarized = statuses.count(ItemStatus.SUMMARIZED)
    levels = table["level"].to_pylist()
    return StageReport(
        team_day=team_day,
        written=written,
        rows_in=table.num_rows,
        items=summarized,
        counts=count_outcomes(statuses, reasons),
        empty_reason=None if summarized else commonest_reason(reasons, Reason.NO_ITEMS),
        figures={
            "traces_queried": levels.count(Level.TRACE),
            "generations_queried": levels.count(Level.GENERATION),
            "summaries_generated": summarized,
            "summaries_skipped": statuses.count(ItemStatus.SKIPPED),
            "summaries_failed": statuses.count(ItemStatus.FAILED),
            "cache_hits": reused,
            "llm_cost_usd": sum(filter(None, table["cost_usd"].to_pylist())),
            "llm_input_tokens": sum(filter(None, table["input_tokens"].to_pylist())),
            "llm_output_tokens": sum(filter(None, table["output_tokens"].to_pylist())),
            "duration_s": round(duration_s, 3),
        },
        preview=table.select(
            ["level", "title", "status", "reason", "event_count", "item_cost_usd", "item_error_count"]
        ),
    )
