"""trace_summaries: the items of one (team, day), each summarized or with the reason why not."""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pyarrow as pa

from llma_assets.clustering_jobs import ClusteringJob
from llma_assets.emission.identity import summary_uuid
from llma_assets.errors import BudgetExhausted, LlmaError
from llma_assets.lake import Lake
from llma_assets.lake.checkpoints import Checkpoint
from llma_assets.llm.summarizer import PROMPT_VERSION
from llma_assets.readers.job_items import WantedItems, wanted_items
from llma_assets.redaction.redactor import Redactor
from llma_assets.reporting.progress import Progress
from llma_assets.reporting.stage_report import StageReport, commonest_reason, count_outcomes
from llma_assets.settings import Settings
from llma_assets.sources.event_source import SourceItem, TraceEventSource
from llma_assets.stages.declaration import Days, Job, Stage, retract
from llma_assets.summarization.extractive import EXTRACTIVE_VERSION
from llma_assets.summarization.outcome import ItemText, Keep, Summarizer, SummaryOutcome
from llma_assets.summarization.summary import Note
from llma_assets.tables.columns import ItemColumns
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, NoteRow, TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.traces.event import Event
from llma_assets.traces.sampling import sample_by_hour
from llma_assets.traces.text import TEXT_VERSION, render_generation, render_trace
from llma_assets.versions import summaries_version, version_of_part
from llma_assets.vocabulary import ItemStatus, Level, Reason

TABLE = "trace_summaries"
STAGE = Stage(
    TRACE_SUMMARIES,
    Job.SUMMARIZE,
    reads={"trace_events": Days.SAME},
    versions=("2", TEXT_VERSION, EXTRACTIVE_VERSION, PROMPT_VERSION),
    item_column="status",
    count_items_in=lambda statuses: statuses.to_pylist().count(ItemStatus.SUMMARIZED),
)
# Outcomes that are nobody's failure; everything else without a summary failed.
_SKIPS = (Reason.NO_TEXT, Reason.TOO_LARGE, Reason.CONTENT_EXPIRED, Reason.BUDGET_EXHAUSTED)
# Of these, what a model answered is not paid for again: it would say the same of the same content.
_ANSWERED = (Reason.REFUSED, Reason.CONTEXT_TOO_LONG, Reason.INVALID_RESPONSE)
# Items with these are tried again another day.
_LEFT = (Reason.BUDGET_EXHAUSTED, Reason.LLM_ERROR)
# Whether an item is wanted depends on the clustering jobs; a summary that it has is kept either way.
_UNWANTED = (Reason.JOB_DISABLED, Reason.NOT_IN_ANY_JOB)

Row = TraceSummaryRow
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SummarizeDay:
    """Everything that summarizing one day needs; `now` decides which traces are finished.

    `redactor` takes secrets out of events before they are rendered; None: the text stays on this machine.
    """

    lake: Lake
    source: TraceEventSource
    summarizer: Summarizer
    # All of the team, the disabled ones too.
    jobs: Sequence[ClusteringJob]
    settings: Settings
    now: datetime
    log: logging.Logger
    redactor: Redactor | None = None

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the partition and report. What it held already, unchanged, is not made again.

        Raises:
            WaitingForBatch: some items are being worked on elsewhere; the partition is left as it was.
        """
        started = time.monotonic()
        with (
            self.lake.lock(TABLE, team_day),
            Checkpoint(self.lake, TABLE, team_day, TRACE_SUMMARIES.schema) as checkpoint,
        ):
            items = self.source.day_items(team_day, list(Level))
            asked_for = wanted_items(self.source, team_day, self.jobs)
            rows = rows_without_summary(items, team_day, asked_for, self.settings, self.now)
            wanted = {_key(row): row for row in rows if row["status"] == ItemStatus.SUMMARIZED}
            kept = kept_rows(self.lake, team_day, self.summarizer, checkpoint.read(), rows)
            reused = {key: row for key, row in kept.items() if key in wanted}
            todo = {key: row for key, row in wanted.items() if key not in reused}
            self.log.info("%s: %d items, %d to summarize, %d reused", team_day, len(rows), len(todo), len(reused))
            last_day = max(items["last_date"].to_pylist(), default=team_day.day)
            made = self._summarize(team_day, todo, last_day, checkpoint)
            rows = [reused.get(_key(row)) or made.get(_key(row)) or _with_earlier_summary(row, kept) for row in rows]
            table = TRACE_SUMMARIES.arrow(rows)
            version = source_version(rows, self.jobs)
            if ItemStatus.SUMMARIZED not in table["status"].to_pylist():
                retract(self.lake, TABLE, team_day, version)
            written = self.lake.write(TABLE, team_day, table, version)
            checkpoint.clear()
            self.summarizer.written()
        is_private = bool(self.settings.min_users_per_cluster)
        report = _report(team_day, written, table, len(reused), time.monotonic() - started, is_private)
        self.log.info("%s: %s", team_day, report.counts)
        return report

    def _summarize(
        self, team_day: TeamDay, todo: dict[Key, Row], last_day: Any, checkpoint: Checkpoint
    ) -> dict[Key, Row]:
        made: dict[Key, Row] = {}
        failed = 0
        missing_reason = Reason.NO_TEXT
        progress = Progress(self.log, f"{team_day} summaries")

        def keep(outcome: SummaryOutcome) -> None:
            row = self.filled(todo[outcome.key], outcome)
            if _is_final(row):
                checkpoint.append([row])

        try:
            for outcome in self._outcomes(self.texts(team_day, todo, last_day), todo, keep):
                made[outcome.key] = self.filled(todo[outcome.key], outcome)
                failed += made[outcome.key]["status"] == ItemStatus.FAILED
                progress.tell(len(made), len(todo), failed)
        except BudgetExhausted as error:
            self.log.warning(
                "%s: %d of %d items are left for another day: %s", team_day, len(todo) - len(made), len(todo), error
            )
            missing_reason = Reason.BUDGET_EXHAUSTED
        missing = todo.keys() - made.keys()
        return made | {key: self.filled(todo[key], SummaryOutcome(key, None, missing_reason)) for key in missing}

    def texts(self, team_day: TeamDay, todo: dict[Key, Row], last_day: Any) -> Iterator[ItemText | SummaryOutcome]:
        """The text representation of each item, trace by trace, so that memory holds one trace."""
        trace_ids = sorted({row["trace_id"] for row in todo.values()})
        cap = min(self.settings.max_text_chars, self.summarizer.max_text_chars or self.settings.max_text_chars)
        for events in self.source.traces(team_day, trace_ids, last_day):
            keys = [(str(Level.TRACE), events[0].trace_id), *((str(Level.GENERATION), event.uuid) for event in events)]
            wanted = [key in todo for key in keys]
            try:
                shown = self._redacted(events)
            except Exception as error:
                # Its message may quote the text.
                self.log.warning("%s: redaction failed (%s)", team_day, type(error).__name__)
                yield from (SummaryOutcome(key, None, Reason.REDACTION_FAILED) for key in keys if key in todo)
                continue
            if wanted[0]:
                yield ItemText(keys[0], render_trace(shown, cap), todo[keys[0]]["content_hash"])
            for event, key, is_wanted in zip(shown, keys[1:], wanted[1:], strict=True):
                if is_wanted:
                    yield ItemText(key, render_generation(event, cap), todo[key]["content_hash"])

    def _redacted(self, events: list[Event]) -> list[Event]:
        if self.redactor is None:
            return events
        return [replace(event, properties=self.redactor.value(event.properties)) for event in events]

    def _outcomes(
        self, texts: Iterable[ItemText | SummaryOutcome], todo: dict[Key, Row], keep: Keep
    ) -> Iterator[SummaryOutcome]:
        without_text: list[SummaryOutcome] = []
        expired_before = self.now - timedelta(days=self.settings.content_retention_days)

        def with_text() -> Iterator[ItemText]:
            for text in texts:
                if isinstance(text, SummaryOutcome):
                    without_text.append(text)
                    continue
                todo[text.key]["item_tools"] = list(text.representation.tools)
                if text.representation.has_text:
                    yield text
                else:
                    is_old = todo[text.key]["trace_timestamp"] < expired_before
                    reason = Reason.CONTENT_EXPIRED if is_old else Reason.NO_TEXT
                    length = len(text.representation.text)
                    without_text.append(SummaryOutcome(text.key, None, reason, text_repr_length=length))

        error: LlmaError | None = None
        try:
            yield from self.summarizer.summarize(with_text(), keep)
        except LlmaError as failure:
            error = failure
        yield from without_text
        if error is not None:
            raise error

    def filled(self, row: Row, outcome: SummaryOutcome) -> Row:
        """The row of an item with what became of it."""
        summary = outcome.summary
        failure = ItemStatus.SKIPPED if outcome.reason in _SKIPS else ItemStatus.FAILED
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


def rows_without_summary(
    items: pa.Table, team_day: TeamDay, wanted: WantedItems, settings: Settings, now: datetime
) -> list[Row]:
    """One row an item of the source's `day_items`; those that are to be summarized say so already."""
    quiet_since = now - timedelta(minutes=settings.quiet_minutes)
    rows = cast("list[SourceItem]", items.to_pylist())
    # Before the sample is drawn: what nobody wants takes no place in it.
    unwanted = {_key(row): wanted.reason_against(*_key(row)) for row in rows}
    sampled: dict[Key, bool] = {}
    for level in Level:
        of_level = [row for row in rows if row["level"] == level and unwanted[_key(row)] is None]
        flags = sample_by_hour(
            [row["item_id"] for row in of_level],
            [row["trace_timestamp"] for row in of_level],
            settings.max_items_per_hour(level),
            f"{team_day}/{level}",
        )
        sampled |= {_key(row): flag for row, flag in zip(of_level, flags, strict=True)}
    return [_row(row, unwanted[_key(row)], sampled.get(_key(row), False), team_day, quiet_since) for row in rows]


def _row(item: SourceItem, unwanted: Reason | None, is_sampled: bool, team_day: TeamDay, quiet_since: datetime) -> Row:
    """The row of an item; one that says summarized is still to be."""
    reason = unwanted if item["last_event_at"] <= quiet_since else Reason.NOT_FINISHED
    if reason is None and not is_sampled:
        reason = Reason.NOT_SAMPLED
    of_item = {name: value for name, value in item.items() if name in TRACE_SUMMARIES.names}
    return cast("Row", TRACE_SUMMARIES.blank() | of_item) | {
        "team_id": team_day.team,
        "date": team_day.day,
        "batch_run_id": f"{team_day.team}_{team_day.start.isoformat()}",
        "summary_bullets": [],
        "interesting_notes": [],
        "status": ItemStatus.SKIPPED if reason else ItemStatus.SUMMARIZED,
        "reason": reason,
        "event_uuid": summary_uuid(team_day.team, item["level"], item["item_id"]),
    }


def kept_rows(
    lake: Lake, team_day: TeamDay, summarizer: Summarizer, checkpointed: pa.Table, rows: Iterable[Row]
) -> dict[Key, Row]:
    """What an earlier or killed run made of the items of `rows`, and this summarizer would make again just so."""
    content = {_key(row): row["content_hash"] for row in rows}
    # The checkpoint last: it is newer, and of one item the later row is taken.
    parts = [lake.read(TABLE, team_day)] if lake.exists(TABLE, team_day) else []
    parts.append(checkpointed)
    made_by = (summarizer.model, summarizer.mode, summarizer.prompt_version)
    return {
        _key(row): row | {"status": str(ItemStatus.SUMMARIZED), "reason": None} if row["title"] is not None else row
        for row in TRACE_SUMMARIES.rows(pa.concat_tables(parts))
        if _is_final(row)
        if (row["model"], row["mode"], row["prompt_version"]) == made_by
        if content.get(_key(row)) == row["content_hash"]
    }


def _with_earlier_summary(row: Row, kept: dict[Key, Row]) -> Row:
    """The row of an item that is passed over, with the summary that it has: a job that is switched off and on again
    pays for nothing twice."""
    before = kept.get(_key(row))
    if before is None or before["status"] != ItemStatus.SUMMARIZED or row["reason"] not in _UNWANTED:
        return row
    return before | {"status": row["status"], "reason": row["reason"]}


def _is_final(row: Row) -> bool:
    """Whether the same summarizer would make nothing better of the same content, or would be paid for it again."""
    if row["title"] is not None or row["reason"] in (Reason.NO_TEXT, Reason.CONTENT_EXPIRED):
        return True
    was_answered = row["latency_s"] is not None or row["input_tokens"] is not None
    return row["reason"] in _ANSWERED and was_answered


def source_version(rows: Iterable[Row], jobs: Sequence[ClusteringJob]) -> str:
    """Version of the finished items of a day, by the value that `sql/day_stats.sql` gives, and of what `jobs` want.

    Where items are left for another day, the version is marked as that of a part.
    """
    rows = list(rows)
    finished = sorted(
        (row["level"], row["item_id"], row["content_hash"]) for row in rows if row["reason"] != Reason.NOT_FINISHED
    )
    if not finished:
        return ""
    whole = hashlib.sha256(",".join(level + content for level, _, content in finished).encode()).hexdigest()
    whole = summaries_version(whole, jobs)
    if any(row["reason"] in _LEFT for row in rows):
        return version_of_part(whole, sum(row["status"] == ItemStatus.SUMMARIZED for row in rows))
    return whole


def _key(row: ItemColumns) -> Key:
    return (row["level"], row["item_id"])


def _notes(notes: Sequence[Note]) -> list[NoteRow]:
    return [{"text": note.text, "line_refs": note.line_refs} for note in notes]


_SHOWN = ("level", "title", "status", "reason", "event_count", "item_cost_usd", "item_error_count")


def _report(
    team_day: TeamDay, written: Any, table: pa.Table, reused: int, duration_s: float, is_private: bool
) -> StageReport:
    """What came of a day; private where nothing of a single item may be shown."""
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
            "is_partial": int(any(reason in _LEFT for reason in reasons)),
            "llm_cost_usd": sum(filter(None, table["cost_usd"].to_pylist())),
            "llm_input_tokens": sum(filter(None, table["input_tokens"].to_pylist())),
            "llm_output_tokens": sum(filter(None, table["output_tokens"].to_pylist())),
            "duration_s": round(duration_s, 3),
        },
        preview=table.select([name for name in _SHOWN if name != "title" or not is_private]),
    )
