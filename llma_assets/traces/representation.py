"""The text of a trace or generation, and what a summarizer needs to know about it."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Literal

EntryKind = Literal["message", "thinking", "tool_call", "tool_result", "state", "placeholder", "node", "error", "event"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that the text shows, once, in the order of the text.

    Attributes:
        kind: `message` (what somebody said), `thinking`, `tool_call`, `tool_result`, `state` (input or output of
            a span or of the trace itself), `placeholder` (media, unknown parts), `node` (an event of the tree),
            `error`, `event` (evaluation, metric, feedback).
        role: `user`, `assistant`, `system`, `tool`, or whatever the sender wrote; `input` or `output` for states;
            the tag (`GEN`, `SPAN`, …) for nodes.
        name: tool or node; empty where it has none.
        text: printable and bounded (about 1,000 characters: head and tail of a longer one). For a tool call its
            arguments as `city="Rome", days=3`.
        first_line, last_line: numbers in the text, from 1.
        is_error: the sender marked it as failed.
        readable: holds content of its own, not only a placeholder.
    """

    kind: EntryKind
    role: str
    name: str
    text: str
    first_line: int
    last_line: int
    is_error: bool = False
    readable: bool = True


@dataclass(frozen=True, slots=True)
class TextRepresentation:
    """A trace or generation as numbered lines.

    Attributes:
        text: the lines `L<n>: …`, joined by newlines; valid UTF-8.
        event_count: events that it was made from, duplicates (same uuid) counted once.
        line_count: lines of the full rendering; the last line of `text` carries this number.
        sampled: whether lines were left out to stay within the cap.
        has_text: whether any event holds readable input, output or error text. Names, numbers about the call
            and redaction marks do not count.
        name: the trace's name as sent, printable, on one line.
        entries: what the text shows, in order.
        kept_lines: ascending line numbers that `text` holds; None when it holds all.
        tools: names of the tools that its generations called, each once, first called first.
    """

    text: str
    event_count: int
    line_count: int
    sampled: bool
    has_text: bool
    name: str
    entries: tuple[Entry, ...]
    kept_lines: tuple[int, ...] | None = None
    tools: tuple[str, ...] = ()

    def line_ref(self, first: int, last: int | None = None) -> str:
        """`L5-9` or `L45`: the part of the range that the text shows; empty where it shows none of it."""
        last = first if last is None else last
        if self.kept_lines is None:
            first, last = max(first, 1), min(last, self.line_count)
        else:
            low, high = bisect_left(self.kept_lines, first), bisect_right(self.kept_lines, last)
            if low >= high:
                return ""
            first, last = self.kept_lines[low], self.kept_lines[high - 1]
        if first > last:
            return ""
        return f"L{first}" if first == last else f"L{first}-{last}"
