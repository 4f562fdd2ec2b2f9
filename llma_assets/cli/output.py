"""What the command line prints: tables for people, JSON for programs, nothing that a terminal obeys."""

import json
import math
import re
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO, Literal
from uuid import UUID

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

LONG_CELL_CHARS = 22

# A pipe or a file has no width of its own; wide enough that no line is broken there.
PIPE_COLUMNS = 200

console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
errors = Console(stderr=True, soft_wrap=True)

# Escape sequences, line breaks and direction overrides in trace text must not reach a terminal.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """`text` without characters that steer a terminal; line feeds and tabs stay."""
    return _UNSAFE.sub("\ufffd", text)


def print_json(value: Any, file: BinaryIO | None = None) -> None:
    """One JSON document on standard output, or in a file."""
    # ASCII, so that no character of a trace steers the terminal; strict, so that every reader takes it.
    text = json.dumps(_plain(value), indent=2, default=_encode, allow_nan=False) + "\n"
    if file is None:
        sys.stdout.write(text)
    else:
        file.write(text.encode())


def print_rows(rows: Sequence[dict[str, Any]], as_json: bool, *, title: str | None = None, empty: str = "none") -> None:
    """Rows as a table, or as a JSON list."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        console.print(Text(empty, style="dim"))
        return
    cells = [{name: cell(value) for name, value in row.items()} for row in rows]
    widths = {name: max(len(name), *(len(row[name]) for row in cells)) for name in rows[0]}
    # A column of short values stays whole; one that runs on may be folded, but not below this width.
    needed = sum(min(width, LONG_CELL_CHARS) + 2 for width in widths.values())
    if needed > console.width:
        _print_records(cells, title)
        return
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 1))
    for name, value in rows[0].items():
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        justify: Literal["right", "left"] = "right" if number else "left"
        least = min(widths[name], LONG_CELL_CHARS)
        table.add_column(name.replace("_", " "), justify=justify, overflow="fold", min_width=least)
    for row in cells:
        table.add_row(*[Text(value) for value in row.values()])
    console.print(table)


def _print_records(cells: Sequence[dict[str, str]], title: str | None) -> None:
    """Rows one under the other, for a terminal that is too narrow for a table."""
    if title:
        console.print(Text(title, style="bold"))
    for row in cells:
        (_, first), *rest = row.items()
        facts = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in rest if value)
        console.print(Text(first, style="bold"))
        console.print(Text(f"  {facts}"), soft_wrap=False)


def cell(value: Any) -> str:
    """One value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return safe(", ".join(f"{key} {cell(count)}" for key, count in value.items()))
    if isinstance(value, list | tuple):
        # DuckDB's MAP arrives as pairs.
        if value and all(isinstance(element, tuple) and len(element) == 2 for element in value):
            return cell(dict(value))
        return safe(", ".join(cell(element) for element in value))
    return safe(str(value))


def _plain(value: Any) -> Any:
    """`value` with NaN and infinities, which JSON has no words for, as null."""
    if isinstance(value, dict):
        return {str(key): _plain(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _encode(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, time | timedelta | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
