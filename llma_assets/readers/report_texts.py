"""Reads the texts of items from the source of events, as numbered lines for the explorer."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from llma_assets.explorer.detail import MAX_WHOLE_CHARS, Line, Omitted, excerpt, numbered_lines
from llma_assets.redaction.redactor import Redactor
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.tables.trace_summaries import TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.traces.event import Event
from llma_assets.traces.representation import TextRepresentation
from llma_assets.traces.text import render_generation, render_trace
from llma_assets.vocabulary import Level

# A trace may go on after the last day of the window; one that goes on for longer is told as changed.
DAYS_AFTER = 1

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class WantedText:
    """An item whose text is to be read; `summary` is its row of `trace_summaries`."""

    level: str
    item_id: str
    trace_id: str
    summary: TraceSummaryRow

    @property
    def key(self) -> Key:
        """Level and id."""
        return self.level, self.item_id


@dataclass(frozen=True, slots=True)
class ShownText:
    """The lines of a text: all of them, or, of a long one, those that its summary refers to."""

    lines: list[Line]
    line_count: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class ItemTexts:
    """Reads texts, with secrets taken out where there is a redactor."""

    source: TraceEventSource
    max_chars: int
    redactor: Redactor | None
    log: logging.Logger

    def read(self, first_day: TeamDay, last_day: TeamDay, wanted: Sequence[WantedText]) -> dict[Key, Any]:
        """A `ShownText` for each wanted item, or `Omitted` where there is none to show.

        Args:
            first_day, last_day: of the window in which the items begin.
        """
        of_trace: dict[str, list[WantedText]] = {}
        for text in wanted:
            of_trace.setdefault(text.trace_id, []).append(text)
        found: dict[Key, Any] = {text.key: Omitted.GONE for text in wanted}
        end = last_day.day + timedelta(days=DAYS_AFTER)
        for events in self.source.traces(first_day, sorted(of_trace), end):
            items = of_trace[events[0].trace_id]
            found |= self._of_trace(events, items)
        return found

    def _of_trace(self, events: list[Event], items: Sequence[WantedText]) -> dict[Key, Any]:
        try:
            shown = self._redacted(events)
        except Exception as error:
            # Its message may quote the text.
            self.log.warning("report: redaction of a trace failed (%s)", type(error).__name__)
            return {item.key: Omitted.REDACTION for item in items}
        return {item.key: told for item in items for told in self._of_item(shown, item)}

    def _of_item(self, events: Sequence[Event], item: WantedText) -> Iterator[ShownText | Omitted]:
        if item.level == Level.GENERATION:
            for event in events:
                if event.uuid == item.item_id:
                    yield _shown(render_generation(event, self.max_chars), item.summary)
            return
        text = render_trace(events, self.max_chars)
        # Other events than those that were summarized have other numbers.
        yield _shown(text, item.summary) if text.event_count == item.summary["event_count"] else Omitted.CHANGED

    def _redacted(self, events: list[Event]) -> list[Event]:
        if self.redactor is None:
            return events
        return [replace(event, properties=self.redactor.value(event.properties)) for event in events]


def _shown(text: TextRepresentation, summary: TraceSummaryRow) -> ShownText:
    lines = numbered_lines(text.text)
    is_whole = len(text.text) <= MAX_WHOLE_CHARS and not text.sampled
    kept = lines if is_whole else excerpt(lines, summary, text.line_count)
    return ShownText(kept, text.line_count, is_whole)
