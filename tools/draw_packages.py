"""Draw the packages of `llma_assets` and what they import into docs/architecture.md.

`python tools/draw_packages.py` writes the picture; a test fails when it is not what this would write. The rows are
the layers of the import contract in pyproject.toml, top to bottom, the arrows are read off the source files. What an
arrow already shows by a longer way has none of its own, and neither has the lowest row, which everybody may import.

The picture is Mermaid and not an image: GitHub renders it, no program for drawing is needed, and a diff shows which
arrow is new.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = "llma_assets"
BEGIN, END = "<!-- drawn by tools/draw_packages.py -->\n", "<!-- end of the drawing -->"

Graph = dict[str, set[str]]


def layers() -> list[list[str]]:
    """The packages of each layer, highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (found,) = (contract["layers"] for contract in contracts["contracts"] if contract["type"] == "layers")
    return [[name.strip(" ()").removeprefix(f"{PACKAGE}.") for name in re.split(r"[:|]", row)] for row in found]


def imports() -> Graph:
    """The packages that each package imports, itself left out."""
    found: Graph = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        own = path.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        names = chain.from_iterable(_imported(node) for node in tree)
        inner = {name.split(".")[1] for name in names if name.startswith(f"{PACKAGE}.")}
        found.setdefault(own, set()).update(inner - {own})
    return found


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
        yield from (f"{PACKAGE}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module


def direct(graph: Graph) -> Graph:
    """The graph without the arrows that a longer way already shows."""
    return {
        name: {to for to in below if not any(_leads(graph, other, to) for other in below - {to})}
        for name, below in graph.items()
    }


def _leads(graph: Graph, start: str, end: str) -> bool:
    seen, left = set(), [start]
    while left:
        name = left.pop()
        if name == end:
            return True
        if name not in seen:
            seen.add(name)
            left += graph.get(name, ())
    return False


def drawing() -> str:
    """The picture as a Mermaid block."""
    rows, graph = layers(), imports()
    place = {name: number for number, row in enumerate(rows) for name in row if name in graph}
    shown = {name: {to for to in below if to in place} for name, below in graph.items() if name in place}
    arrows = direct({name: {to for to in below if place[to] >= place[name]} for name, below in shown.items()})
    lowest = set(rows[-1])
    shown_arrows = ((name, to) for name in place for to in arrows[name] - lowest)
    lines = ["```mermaid", "flowchart TB"]
    for number, row in enumerate(rows):
        present = [name for name in row if name in place]
        if present:
            lines += [f'    subgraph layer{number}[" "]', "        direction LR"]
            lines += [*(f"        {name}" for name in present), "    end"]
    arrows_in_order = sorted(shown_arrows, key=lambda arrow: (place[arrow[0]], arrow[0], place[arrow[1]], arrow[1]))
    lines += [f"    {name} --> {to}" for name, to in arrows_in_order]
    return "\n".join([*lines, "```", ""])


def with_drawing(page: str) -> str:
    """The page with the picture in place."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + drawing() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(with_drawing(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
