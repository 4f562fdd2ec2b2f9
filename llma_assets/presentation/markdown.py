"""Tables in Markdown whose cells cannot break out: titles and ids come from hostile traces."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

PREVIEW_ROWS = 12
MAX_CELL_CHARS = 120

# Everything that Markdown or HTML could read as markup, and line breaks.
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&\-])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")


def escape(value: Any) -> str:
    """`value` as Markdown text that renders as itself, on one line, cut at `MAX_CELL_CHARS`."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = _CONTROL.sub(" ", str(value)).strip()
    text = text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 1]}…"
    # A letter after the dots of a bare address keeps renderers from making it a link.
    return _MARKUP.sub(r"\\\1", text).replace("://", ":\u2060//").replace("www.", "www\u2060.")


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table with every cell escaped."""
    lines = ["| " + " | ".join(escape(name) for name in columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(escape(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def preview(table: pa.Table, limit: int = PREVIEW_ROWS) -> str:
    """The first rows of a table, and how many there are."""
    rows = [list(row.values()) for row in table.slice(0, limit).to_pylist()]
    more = f"\n\n{table.num_rows} rows" + (f", the first {limit} shown" if table.num_rows > limit else "")
    return markdown_table(table.column_names, rows) + more
