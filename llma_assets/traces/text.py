"""Renders a trace, or one generation, as numbered lines that a model or a person can read and refer to.

Line 1 is the name in capitals, line 2 a rule, line 3 empty (or the note that lines were left out), line 4 the
heading, then the tree. What an earlier line already shows is referred to, not repeated: in a chat each
generation carries the whole history.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson

from llma_assets.errors import InputRejected
from llma_assets.traces.content import Part, format_arguments
from llma_assets.traces.event import Event
from llma_assets.traces.json_values import json_text
from llma_assets.traces.lines import check_cap, number_lines
from llma_assets.traces.message_lines import MessageSpan, entry_kind, head_of, lines_of, part_lines
from llma_assets.traces.messages import Message, called_tools, read_messages
from llma_assets.traces.node_line import error_text, failed, name_of, summary_of, tag_of, tools_line
from llma_assets.traces.representation import Entry, EntryKind, TextRepresentation
from llma_assets.traces.safe_text import block
from llma_assets.traces.tree import Node, TraceTree, build_tree

MAX_CHARS = 2_000_000
# Changes whenever the same events give a different text.
TEXT_VERSION = "1"
# Deeper nodes are drawn at this depth and say how deep they are; it also keeps the text linear in the events.
MAX_DRAWN_DEPTH = 10
# References of one history that are split so that each is in order; an agent in a loop would need ever more.
_MAX_BREAKS = 8
# Tools of one item that are told; real agents have tens.
MAX_TOOLS = 50
# Repeating these costs less than looking them up.
_SHORT_RESULT_CHARS = 200
_SHORT_CALL_CHARS = 60


def render_trace(events: Sequence[Event], max_chars: int = MAX_CHARS) -> TextRepresentation:
    """The text of a whole trace. Total: any JSON goes in, in any order of rows.

    Args:
        events: of one trace, at least one.
        max_chars: the text is never longer (characters, not bytes); at least `lines.MIN_CHARS`.

    Raises:
        InputRejected: no event, or a cap below the minimum.
    """
    check_cap(max_chars)
    if not events:
        raise InputRejected("a trace has no event: there is nothing to render")
    tree = build_tree(events)
    renderer = _Renderer()
    name = _trace_name(tree)
    renderer.header(name, "TRACE HIERARCHY:")
    renderer.tree(tree)
    return renderer.finish(name, tree.event_count, max_chars)


def render_generation(event: Event, max_chars: int = MAX_CHARS) -> TextRepresentation:
    """The text of one generation (or any other single event), numbered like a trace's.

    Over the cap its input and its output share the space, so that neither is dropped.

    Raises:
        InputRejected: the cap is below the minimum.
    """
    check_cap(max_chars)
    renderer = _Renderer()
    name = name_of(event)
    renderer.header(name, "GENERATION:")
    renderer.tree(TraceTree(None, [Node(event, 1, True)], 1))
    return renderer.finish(name, 1, max_chars, share_space=True)


def _trace_name(tree: TraceTree) -> str:
    if tree.root is not None:
        return name_of(tree.root)
    for node in tree.children:
        name = node.event.properties.get("$ai_trace_name")
        if isinstance(name, str) and name.strip():
            return name_of(replace(node.event, event="$ai_trace"))
    return name_of(tree.children[0].event) if len(tree.children) == 1 else "trace"


class _Renderer:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._entries: list[Entry] = []
        self._places: dict[object, list[MessageSpan]] = {}
        # A chat repeats its history with every generation: each distinct message is read once.
        self._read: dict[tuple[str, bytes], list[Message]] = {}
        self._tool_names: dict[str, str] = {}
        self._called: set[str] = set()
        # Outputs only: the history in an input tells calls of other generations, even of other traces.
        self._answered_with: dict[str, None] = {}
        self._tools: dict[str, int] = {}
        self._calls: dict[tuple[str, str], tuple[int, int]] = {}
        self._heads: dict[str, MessageSpan] = {}
        self._has_text = False
        self._sections: list[tuple[int, int]] = []

    def header(self, name: str, heading: str) -> None:
        capitals = name.upper()
        self._lines += [capitals, "=" * max(4, min(len(capitals), 80)), "", heading]

    def finish(self, name: str, event_count: int, max_chars: int, share_space: bool = False) -> TextRepresentation:
        text, kept = number_lines(self._lines, max_chars, self._sections if share_space else ())
        return TextRepresentation(
            text=text,
            event_count=event_count,
            line_count=len(self._lines),
            sampled=kept is not None,
            has_text=self._has_text,
            name=name,
            entries=tuple(self._entries),
            kept_lines=kept,
            tools=tuple(islice(self._answered_with, MAX_TOOLS)),
        )

    # --- the tree -------------------------------------------------------------------------------

    def tree(self, tree: TraceTree) -> None:
        """Walks the tree without recursion. What a span or the trace gave back stands after its children."""
        root = tree.root
        said_below = root is not None and self._said_below(root, tree)
        if root is not None:
            self._error(root, "")
            if not said_below:
                self._state(root, "$ai_input_state", "input", "")
        stack: list[tuple[Node, str, bool]] = [(node, "", False) for node in reversed(tree.children)]
        while stack:
            node, ancestors, leaving = stack.pop()
            below = ancestors + ("   " if node.is_last else "│  ") if node.depth <= MAX_DRAWN_DEPTH else ancestors
            if leaving:
                self._outputs(node, below)
                continue
            self._node(node, ancestors, below)
            if node.children:
                stack.append((node, ancestors, True))
                stack.extend((child, below, False) for child in reversed(node.children))
            else:
                self._outputs(node, below)
        if root is not None:
            if said_below:
                self._state(root, "$ai_input_state", "input", "")
            self._state(root, "$ai_output_state", "output", "")

    def _said_below(self, root: Event, tree: TraceTree) -> bool:
        """Whether the trace's input is a message of its first generation: there it stands in its context."""
        messages = read_messages(root.properties.get("$ai_input_state"), "input")
        node = tree.children[0] if messages and tree.children else None
        for _ in range(MAX_DRAWN_DEPTH):
            if node is None or node.event.event == "$ai_generation":
                break
            node = node.children[0] if node.children else None
        if node is None:
            return False
        below = self._messages_of(node.event.properties.get("$ai_input"), "user")
        keys, heads = {message.key for message in below}, {head_of(message) for message in below}
        return all(message.key in keys or (head_of(message) and head_of(message) in heads) for message in messages)

    def _node(self, node: Node, ancestors: str, below: str) -> None:
        event = node.event
        branch = "└─ " if node.is_last else "├─ "
        deep = f"(depth {node.depth}) " if node.depth > MAX_DRAWN_DEPTH else ""
        self._lines.append(f"{ancestors}{branch}{deep}{summary_of(event)}")
        self._enter("node", tag_of(event), name_of(event), "", len(self._lines), len(self._lines), failed(event))
        prefix = below + ("│  " if node.children else "   ")
        if event.event == "$ai_generation":
            self._generation(event, prefix)
        else:
            self._error(event, prefix)
            if event.event == "$ai_embedding":
                self._state(event, "$ai_input", "input", prefix)
            self._state(event, "$ai_input_state", "input", prefix)
            if event.event in ("$ai_evaluation", "$ai_metric", "$ai_feedback"):
                self._facts(event, prefix)

    def _outputs(self, node: Node, below: str) -> None:
        if node.event.event != "$ai_generation":
            self._state(node.event, "$ai_output_state", "output", below + "   ", is_leaf=not node.children)

    # --- one event ------------------------------------------------------------------------------

    def _generation(self, event: Event, prefix: str) -> None:
        properties = event.properties
        self._tools_offered(properties.get("$ai_tools"), prefix)
        start = len(self._lines)
        system = self._messages_of(properties.get("$ai_instructions"), "system")
        given = system + self._messages_of(properties.get("$ai_input"), "user")
        # Spans' keys on a generation: some senders use them for both.
        given = given or self._messages_of(properties.get("$ai_input_state"), "user")
        answered = self._messages_of(properties.get("$ai_output_choices"), "assistant")
        for key in ("$ai_output", "$ai_output_state"):
            answered = answered or self._messages_of(properties.get(key), "assistant")
        seen: Counter[object] = Counter()
        self._section("INPUT:", given, prefix, 1, seen)
        middle = len(self._lines)
        self._section("OUTPUT:", answered, prefix, len(given) + 1, seen)
        self._answered_with.update(dict.fromkeys(called_tools(answered)))
        self._sections += [(start, middle), (middle, len(self._lines))]
        self._error(event, prefix)

    def _messages_of(self, value: Any, role: str) -> list[Message]:
        if not isinstance(value, list) or len(value) < 2:
            return read_messages(value, role)
        if not all(isinstance(item, dict) and isinstance(item.get("role"), str) for item in value):
            return read_messages(value, role)
        messages: list[Message] = []
        for item in value:
            try:
                raw = (role, orjson.dumps(item))
            except TypeError:  # a lone surrogate, an integer beyond 64 bits, nested beyond 254
                messages += read_messages([item], role)
                continue
            known = self._read.get(raw)
            if known is None:
                known = self._read[raw] = read_messages([item], role)
            messages += known
        return messages

    def _tools_offered(self, tools: Any, prefix: str) -> None:
        line = tools_line(tools)
        if not line:
            return
        shown_at = self._tools.get(line)
        self._lines.append(prefix + (f"TOOLS: as in L{shown_at}" if shown_at else line))
        self._tools.setdefault(line, len(self._lines))

    def _section(
        self, title: str, messages: list[Message], prefix: str, first_index: int, seen: Counter[object]
    ) -> None:
        """Prints messages under a title; those that an earlier line shows become one reference a run."""
        if not messages:
            return
        self._lines.append(prefix + title)
        prefix += "  "
        run: list[tuple[int, MessageSpan]] = []
        breaks = 0
        for index, message in enumerate(messages, first_index):
            # The n-th "yes" of a conversation is the n-th one that was printed, not the first.
            places = self._places.get(message.key, ())
            place = places[seen[message.key]] if seen[message.key] < len(places) else None
            seen[message.key] += 1
            if place is None:
                self._refer(run, prefix)
                self._print(f"[{index}] {message.role}", message, prefix)
                continue
            if run and place.first_line <= run[-1][1].first_line and breaks < _MAX_BREAKS:
                breaks += 1
                self._refer(run, prefix)
            self._adopt(place, message)
            run.append((index, place))
        self._refer(run, prefix)

    def _refer(self, run: list[tuple[int, MessageSpan]], prefix: str) -> None:
        if not run:
            return
        first, last = run[0][0], run[-1][0]
        which = f"[{first}]" if first == last else f"[{first}]–[{last}]"
        start, end = min(place.first_line for _, place in run), max(place.last_line for _, place in run)
        self._lines.append(f"{prefix}{which} as in {lines_of(start, end)}")
        run.clear()

    def _state(self, event: Event, key: str, role: str, prefix: str, is_leaf: bool = False) -> None:
        value = event.properties.get(key)
        messages = read_messages(value, role)
        title = role.upper()
        if len(messages) != 1 or messages[0].role != role:
            self._section(f"{title}:", messages, prefix, 1, Counter())
            return
        message = messages[0]
        called_at = self._calls.get((name_of(event), format_arguments(value)[0])) if role == "input" else None
        if called_at is not None:
            self._lines.append(f"{prefix}{title}: as in {lines_of(*called_at)}")
            return
        places = self._places.get(message.key, [])
        # A short result of a tool is news each time it comes; the state that nested spans pass on is not.
        if places and not (is_leaf and len(message.parts[0].text) <= _SHORT_RESULT_CHARS):
            place = places[-1]
            self._lines.append(f"{prefix}{title}: as in {lines_of(place.first_line, place.last_line)}")
            if is_leaf:
                # It came again, here: a later history that holds it twice refers to both, in order.
                places.append(place._replace(first_line=len(self._lines), last_line=len(self._lines)))
            return
        beginning = self._heads.get(head_of(message))
        if beginning is not None:
            where = lines_of(beginning.first_line, beginning.last_line)
            self._lines.append(f"{prefix}{title}: as in {where}, cut short")
            return
        self._print(title, message, prefix, event)

    def _error(self, event: Event, prefix: str) -> None:
        text = error_text(event)
        status = event.properties.get("$ai_http_status")
        if not text and not (failed(event) and tag_of(event) == "GEN"):
            return
        self._has_text = self._has_text or bool(text)
        text = text or (f"HTTP status {status}" if isinstance(status, int) else "reported without a message")
        first = len(self._lines) + 1
        self._put(f"{prefix}ERROR: ", text.split("\n"), prefix + "  ")
        self._enter("error", "", name_of(event), text, first, len(self._lines), True)

    def _facts(self, event: Event, prefix: str) -> None:
        """Name, result and reasoning of an evaluation; value of a metric; words of a feedback."""
        properties = event.properties
        for key, title in _FACTS:
            value = properties.get(key)
            if value is None or value == "":
                continue
            text = block(value) if isinstance(value, str) else block(json_text(value))
            first = len(self._lines) + 1
            self._put(f"{prefix}{title}: ", text.split("\n"), prefix + "  ")
            self._enter("event", title.lower(), name_of(event), text, first, len(self._lines), False)

    # --- one message ----------------------------------------------------------------------------

    def _print(self, head: str, message: Message, prefix: str, event: Event | None = None) -> None:
        start, entries = len(self._lines) + 1, len(self._entries)
        more = prefix + "    "
        opening = prefix + head
        for part in message.parts:
            part = self._named(part)
            first = len(self._lines) + 1
            sign, lines = part_lines(part)
            self._put(f"{opening}{sign}" if opening else f"{more}{sign.lstrip(': ')}", lines, more)
            opening = ""
            self._has_text = self._has_text or part.readable
            kind, name = entry_kind(part, message.role), part.name
            if part.kind == "call" and len(part.text) > _SHORT_CALL_CHARS:
                self._calls[name, part.text] = (first, len(self._lines))
            if event is not None:
                name = name_of(event)
                kind = "tool_result" if kind == "state" and self._is_tool(event) and message.role == "output" else kind
            wrong = part.is_error or (event is not None and message.role == "output" and failed(event))
            role = "tool" if kind == "tool_result" else message.role
            self._enter(kind, role, name, part.text, first, len(self._lines), wrong, part.readable)
        if opening:
            self._lines.append(f"{opening}: (no content)")
        place = MessageSpan(start, len(self._lines), range(entries, len(self._entries)))
        self._places.setdefault(message.key, []).append(place)
        if head_text := head_of(message):
            self._heads.setdefault(head_text, place)

    def _named(self, part: Part) -> Part:
        if part.kind == "call":
            self._called.add(part.name)
            if part.call_id:
                self._tool_names[part.call_id] = part.name
        elif part.kind == "result" and not part.name and part.call_id:
            return part._replace(name=self._tool_names.get(part.call_id, ""))
        return part

    def _is_tool(self, event: Event) -> bool:
        return event.properties.get("$ai_span_type") == "tool" or name_of(event) in self._called

    def _adopt(self, place: MessageSpan, message: Message) -> None:
        """A message that was first printed as a bare state tells later who said it."""
        for index, part in zip(place.entries, message.parts, strict=False):
            entry = self._entries[index]
            if entry.kind == "state":
                kind = entry_kind(part, message.role)
                self._entries[index] = replace(
                    entry, kind=kind, role=message.role, is_error=entry.is_error or part.is_error
                )

    def _put(self, opening: str, lines: list[str], more: str) -> None:
        self._lines.append((opening + lines[0]).rstrip())
        # Blank lines inside a text say nothing to a reader who has numbers.
        self._lines += [(more + line).rstrip() for line in lines[1:] if line]

    def _enter(
        self,
        kind: EntryKind,
        role: str,
        name: str,
        text: str,
        first: int,
        last: int,
        wrong: bool,
        readable: bool = True,
    ) -> None:
        self._entries.append(Entry(kind, role, name, text, first, last, wrong, readable))


_FACTS = (
    ("$ai_evaluation_result", "RESULT"),
    ("$ai_evaluation_reasoning", "REASONING"),
    ("$ai_metric_value", "VALUE"),
    ("$ai_feedback_text", "FEEDBACK"),
)
