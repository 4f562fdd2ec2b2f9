"""Flow diagrams: Mermaid that is only ever written here, from plain labels.

Mermaid is a known carrier of script (CVE-2025-54880 and its kin), so no label keeps a character that means
something to its grammar, and a diagram is read back only if its lines look like ours.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from llma_assets.traces.safe_text import one_line

MAX_LABEL_CHARS = 60
DEFAULT_MAX_NODES = 12

# What has a meaning to Mermaid, Markdown or HTML, and what stands in for it.
_STAND_INS = str.maketrans(
    {
        '"': "'",
        "`": "'",
        "<": "‹",
        ">": "›",
        "&": "+",
        "{": "(",
        "}": ")",
        "[": "(",
        "]": ")",
        "|": "/",
        "\\": "/",
        ";": ",",
        "#": "♯",
        "%": "％",
        "$": "＄",
        "@": "＠",
        "^": " ",
        "~": "-",
    }
)
# A scheme that runs script is split, wherever the label ends up.
_SCHEME = re.compile(r"\b(javascript|vbscript|data|file)\s*:", re.IGNORECASE)
_NODE = re.compile(r'    n\d{1,4}\["([^"\n]{1,80})"\]')


def flow_diagram(steps: Sequence[str], max_nodes: int = DEFAULT_MAX_NODES) -> str:
    """A Mermaid `flowchart` of steps in the order in which they happened; empty for no step.

    A step that comes again is the same node, so loops show as loops. Beyond `max_nodes` the middle is folded into
    one node that says how many steps it stands for.

    Args:
        steps: any text; it is made safe and cut to `MAX_LABEL_CHARS`.
        max_nodes: at least 3.
    """
    max_nodes = max(3, max_nodes)
    labels = [label for label in map(safe_label, steps) if label]
    distinct = list(dict.fromkeys(labels))
    names = {label: position for position, label in enumerate(distinct, 1)}
    shown = distinct
    if len(distinct) > max_nodes:
        head, folded = distinct[: max_nodes - 2], distinct[max_nodes - 2 : -1]
        shown = [*head, f"… {len(folded)} more steps", distinct[-1]]
        names = {label: position for position, label in enumerate(head, 1)}
        names.update(dict.fromkeys(folded, max_nodes - 1))
        names[distinct[-1]] = max_nodes
    if not shown:
        return ""
    path = [names[label] for label in labels]
    edges = dict.fromkeys((a, b) for a, b in pairwise(path) if a != b)
    lines = ["flowchart TD", *(f'    n{position}["{label}"]' for position, label in enumerate(shown, 1))]
    return "\n".join([*lines, *(f"    n{a} --> n{b}" for a, b in edges)])


def flow_labels(diagram: str) -> list[str]:
    """The labels of a diagram that `flow_diagram` wrote, in order; other lines are passed over."""
    return [match[1] for match in map(_NODE.fullmatch, diagram.split("\n")) if match]


def safe_label(text: str) -> str:
    """One line of text without any character that Mermaid, HTML or Markdown would act on."""
    label = one_line(text, 400).translate(_STAND_INS)
    label = _SCHEME.sub(r"\1 ", " ".join(label.split())).strip()
    return label if len(label) <= MAX_LABEL_CHARS else label[: MAX_LABEL_CHARS - 1].rstrip() + "…"
