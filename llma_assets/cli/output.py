"""What the command line prints: tables for people, JSON for programs, nothing that a terminal obeys."""

import json
import re
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

SHORT_CELL_CHARS = 12

# A pipe or a file has no width of its own; wide enough that no line is broken there.
PIPE_COLUMNS = 200

console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
errors = Console(stderr=True, soft_wrap=True)

# Escape sequences, line breaks and direction overrides in trace text must not reach a terminal.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """`text` without characters that steer a terminal; line feeds and tabs stay."""
    return _UNSAFE.sub("\ufffd", text)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_encode)
    sys.stdout.write(text.encode("utf-8", "replace").decode() + "\n")


def print_rows(rows: Sequence[dict[str, Any]], as_json: bool, *, title: str | None = None, empty: str = "none") -> None:
    """Rows as a table, or as a JSON list."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        console.print(Text(empty, style="dim"))
        return
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, value in rows[0].items():
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        # Short values stay whole; only text that runs on is folded.
        short = all(len(cell(row[name])) <= SHORT_CELL_CHARS for row in rows)
        justify: Literal["right", "left"] = "right" if number else "left"
        table.add_column(name.replace("_", " "), justify=justify, overflow="fold", no_wrap=short)
    for row in rows:
        table.add_row(*[Text(cell(value)) for value in row.values()])
    console.print(table)


def cell(value: Any) -> str:
    """One value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    if isinstance(value, list | tuple):
        # DuckDB's MAP arrives as pairs.
        if value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
            return cell(dict(value))
        return safe(", ".join(cell(one) for one in value))
    return safe(str(value))


def _encode(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
