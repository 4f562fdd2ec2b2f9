"""How one message looks in the text, and where it stands."""

from typing import NamedTuple

from llma_assets.traces.content import Part
from llma_assets.traces.messages import Message
from llma_assets.traces.representation import EntryKind

# Senders cut a trace's own output short: a state that starts like a printed message is that message.
HEAD_CHARS = 400


class MessageSpan(NamedTuple):
    """Where a message stands in the text, and its entries."""

    first_line: int
    last_line: int
    entries: range


def head_of(message: Message) -> str:
    """The beginning of a long message; empty for a short one."""
    head = message.parts[0].text[:HEAD_CHARS]
    return head if len(head) == HEAD_CHARS else ""


def lines_of(first: int, last: int) -> str:
    return f"L{first}" if first == last else f"L{first}–L{last}"


def part_lines(part: Part) -> tuple[str, list[str]]:
    """The sign before a part's text, and its lines."""
    lines = part.text.split("\n") if part.text else [""]
    if part.kind == "call":
        lines[0] = f"{part.name}({lines[0]}"
        lines[-1] += ")"
        return " → ", lines
    if part.kind == "result":
        mark = "ERROR " if part.is_error else ""
        return (f" ← {mark}{part.name}: " if part.name or mark else " ← "), lines
    if part.kind == "thinking":
        return ": (thinking) ", lines
    return ": ", lines


def entry_kind(part: Part, role: str) -> EntryKind:
    if part.kind == "call":
        return "tool_call"
    if part.kind == "result":
        return "tool_result"
    if part.kind in ("thinking", "placeholder"):
        return "thinking" if part.kind == "thinking" else "placeholder"
    return "state" if role in ("input", "output", "state") else "message"
