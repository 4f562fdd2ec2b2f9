"""Flow diagrams as nodes and edges: no Mermaid is ever shipped to a browser."""

import re
from typing import Any

from llma_assets.traces.safe_text import one_line

MAX_NODES = 30
MAX_EDGES = 120

_HEADER = "flowchart TD"
_NODE = re.compile(r'    n([1-9]\d{0,3})\["([^"\n]{1,80})"\]')
_EDGE = re.compile(r"    n([1-9]\d{0,3}) --> n([1-9]\d{0,3})")
# Written by `summarization.flow` for the middle of a long path.
_FOLDED = re.compile(r"… \d+ more steps")
# Tools are called by identifiers; what a person said, or an answer, reads otherwise.
_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.:/-][A-Za-z0-9]+)+(?: ×\d+)?")


def parse_flow(diagram: str | None) -> dict[str, Any] | None:
    """Nodes and edges of a diagram that `summarization.flow.flow_diagram` wrote; None for anything else.

    Returns:
        `nodes`: `{id, label, kind}` with kind `start`, `tool`, `step` or `folded`; `edges`: `[from, to, None]`. None
        if a line is not of the restricted grammar, a node comes twice or an edge leads to none, or there are more
        than `MAX_NODES` nodes.
    """
    header, *lines = (diagram or "").split("\n")
    if header != _HEADER:
        return None
    nodes: dict[str, dict[str, str]] = {}
    edges: list[list[str | None]] = []
    for line in lines:
        if node := _NODE.fullmatch(line):
            name = f"n{node[1]}"
            if name in nodes or edges:
                return None
            nodes[name] = {"id": name, "label": one_line(node[2]), "kind": _kind(node[2], not nodes)}
        elif edge := _EDGE.fullmatch(line):
            ends = f"n{edge[1]}", f"n{edge[2]}"
            if not nodes.keys() >= set(ends):
                return None
            edges.append([*ends, None])
        else:
            return None
    if not 1 <= len(nodes) <= MAX_NODES or len(edges) > MAX_EDGES:
        return None
    return {"nodes": list(nodes.values()), "edges": edges}


def _kind(label: str, is_first: bool) -> str:
    if _FOLDED.fullmatch(label):
        return "folded"
    if _TOOL.fullmatch(label):
        return "tool"
    return "start" if is_first else "step"
