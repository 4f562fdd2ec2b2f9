"""The tree of a trace, from events that may come in any order and point anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from llma_assets.traces.event import Event
from llma_assets.traces.json_values import json_text
from llma_assets.traces.messages import message_count


@dataclass(frozen=True, slots=True)
class Node:
    """One event in the tree.

    Attributes:
        depth: 1 for children of the root.
        is_last: no sibling follows.
    """

    event: Event
    depth: int
    is_last: bool
    children: "list[Node]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TraceTree:
    """A trace. `root` is its `$ai_trace` event, or None where none was sent (it is optional)."""

    root: Event | None
    children: list[Node]
    event_count: int


def build_tree(events: Sequence[Event]) -> TraceTree:
    """Nests events by parent id: O(n log n), no recursion, each event exactly once.

    Orphans hang under the root. A cycle is cut at its earliest event, which then hangs under the root. Siblings
    are ordered by time, then by the length of the history they carry (some senders give all events of a trace
    one time), then by uuid: the order of the rows has no influence.
    """
    ordered = _in_order(events)
    root = next((index for index, event in enumerate(ordered) if event.event == "$ai_trace"), None)
    parents = _cut_cycles(_parents(ordered, root))
    children: list[list[int]] = [[] for _ in ordered]
    top: list[int] = []
    for index, parent in enumerate(parents):
        if index == root:
            continue
        (top if parent is None else children[parent]).append(index)
    return TraceTree(
        root=None if root is None else ordered[root], children=_nodes(ordered, top, children), event_count=len(ordered)
    )


def _in_order(events: Sequence[Event]) -> list[Event]:
    """Sorted, one event a uuid. Ties within a uuid are broken by content, so that row order never shows."""
    ordered = sorted(events, key=lambda e: (e.timestamp, message_count(e.properties.get("$ai_input")), e.uuid))
    if len({event.uuid for event in ordered}) == len(ordered):
        return ordered
    best: dict[str, Event] = {}
    for event in ordered:
        other = best.get(event.uuid)
        if other is None or _content_key(event) > _content_key(other):
            best[event.uuid] = event
    return [event for event in ordered if best.get(event.uuid) is event and best.pop(event.uuid)]


def _content_key(event: Event) -> tuple[str, bytes]:
    try:
        return event.timestamp.isoformat(), orjson.dumps(event.properties, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return event.timestamp.isoformat(), json_text(event.properties).encode()


def _parents(ordered: list[Event], root: int | None) -> list[int | None]:
    """Index of each event's parent; None for those under the root, orphans and self-parents included."""
    place: dict[str, int] = {}
    for index, event in enumerate(ordered):
        for name in (event.span_id, event.uuid):
            if name and index != root:
                place.setdefault(name, index)
    above = set()
    if root is not None:
        above = {ordered[root].trace_id, ordered[root].uuid, ordered[root].span_id}
    parents: list[int | None] = []
    for index, event in enumerate(ordered):
        parent = place.get(event.parent_id) if event.parent_id and event.parent_id not in above else None
        parents.append(None if parent == index else parent)
    return parents


def _cut_cycles(parents: list[int | None]) -> list[int | None]:
    """Sets the parent of each cycle's earliest member to None."""
    cut = list(parents)
    seen_in = [0] * len(parents)
    for start in range(len(parents)):
        path: list[int] = []
        at: int | None = start
        while at is not None and seen_in[at] == 0:
            seen_in[at] = start + 1
            path.append(at)
            at = cut[at]
        if at is not None and seen_in[at] == start + 1:
            cycle = path[path.index(at) :]
            cut[min(cycle)] = None
    return cut


def _nodes(ordered: list[Event], top: list[int], children: list[list[int]]) -> list[Node]:
    result: list[Node] = []
    stack = [(top, result, 1)]
    while stack:
        indices, into, depth = stack.pop()
        for position, index in enumerate(indices):
            node = Node(ordered[index], depth, position == len(indices) - 1)
            into.append(node)
            if children[index]:
                stack.append((children[index], node.children, depth + 1))
    return result
