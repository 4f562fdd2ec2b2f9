"""What the explorer tells of one item: its summary, its flow and, as far as they fit, the lines of its text."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from llma_assets.explorer.flow import parse_flow
from llma_assets.tables.trace_summaries import NoteRow, TraceSummaryRow
from llma_assets.traces.safe_text import clean

# A longer text is shown by the lines that its summary refers to; `llma trace` has all of it.
MAX_WHOLE_CHARS = 60_000
MAX_NOTE_CHARS = 1_000
# Lines before and after each line that a summary refers to.
CONTEXT_LINES = 2
# A reference may span a whole trace; what it says stands in its first lines.
MAX_REFERRED_LINES = 12

_REF = re.compile(r"L(\d{1,9})(?:-(\d{1,9}))?")
_LINE = re.compile(r"L0*(\d+): ?(.*)", re.DOTALL)

Json = dict[str, Any]
Line = tuple[int, str]
Refs = list[list[int]]


class Omitted(StrEnum):
    """Why the page does not have the whole text of an item."""

    SIZE = "The text is left out to keep this file small."
    EXCERPT = "Only the lines that the summary refers to are in this file."
    CONTENT = "This file was made without texts."
    CHANGED = "The trace has changed since it was summarized."
    GONE = "The events of this trace are no longer there."
    REDACTION = "The secrets of this text could not be taken out."


def detail(
    summary: TraceSummaryRow, lines: Sequence[Line] | None = None, line_count: int = 0, omitted: Omitted | None = None
) -> Json:
    """The detail of one item.

    Args:
        summary: a row of `trace_summaries`.
        lines: what the page shows of the text, by ascending number; None for nothing.
        line_count: of the whole text; with it references are cut to lines that there are.
        omitted: why `lines` is not the whole text.
    """
    told: Json = {
        "bullets": [_note(note, line_count) for note in summary["summary_bullets"]],
        "notes": [_note(note, line_count) for note in summary["interesting_notes"]],
        "flow": parse_flow(summary["flow_diagram"]),
        "lines": None,
        "omitted": None if omitted is None else str(omitted),
    }
    if lines is not None:
        told |= {"lines": [[number, text] for number, text in lines], "line_count": line_count}
    return told


def line_refs(text: str, line_count: int = 0) -> Refs:
    """`L5-9, L12` as `[[5, 9], [12, 12]]`; a part that is no reference, or to no line of `line_count`, is left out."""
    found = []
    for part in text.split(","):
        match = _REF.fullmatch(part.strip())
        if not match:
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        last = min(last, line_count) if line_count else last
        if 1 <= first <= last:
            found.append([first, last])
    return found


def numbered_lines(text: str) -> list[Line]:
    """The lines of a text representation with their numbers."""
    matches = map(_LINE.fullmatch, text.split("\n"))
    return [(int(match[1]), match[2]) for match in matches if match]


def excerpt(lines: Sequence[Line], summary: TraceSummaryRow, line_count: int) -> list[Line]:
    """The lines that a summary refers to, with `CONTEXT_LINES` around them."""
    numbers = [number for number, _ in lines]
    wanted: set[int] = set()
    for first, last in _all_refs(summary, line_count):
        start = bisect_left(numbers, first - CONTEXT_LINES)
        end = bisect_left(numbers, min(last, first + MAX_REFERRED_LINES) + CONTEXT_LINES + 1)
        wanted.update(range(start, end))
    return [lines[place] for place in sorted(wanted)]


def _all_refs(summary: TraceSummaryRow, line_count: int) -> Iterable[list[int]]:
    for note in [*summary["summary_bullets"], *summary["interesting_notes"]]:
        yield from line_refs(note["line_refs"], line_count)


def _note(note: NoteRow, line_count: int) -> Json:
    return {"text": clean(note["text"])[:MAX_NOTE_CHARS], "refs": line_refs(note["line_refs"], line_count)}
