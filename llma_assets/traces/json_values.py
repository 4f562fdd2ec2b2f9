"""Any JSON value as short text, and strings that encode JSON."""

import json
import math
from typing import Any

import orjson

from llma_assets.traces.safe_text import block, clean, is_readable, one_line

# Of one value: values shown in all, items of one list or object, and levels.
MAX_VALUES = 2_000
MAX_ITEMS = 50
MAX_VALUE_DEPTH = 6


def parse_json(text: str) -> Any:
    """The JSON object or list that a string encodes, also twice encoded; None for any other text."""
    for _ in range(3):
        text = text.strip()
        if len(text) < 2 or text[0] + text[-1] not in ("{}", "[]", '""'):
            return None
        try:
            value = orjson.loads(text)
        except ValueError:
            return None
        if not isinstance(value, str):
            return value
        text = value
    return None


def json_text(value: Any) -> str:
    """Compact JSON of any value, pruned to a bounded size, its strings printable."""
    if isinstance(value, str) and len(value) < 200:
        return json.dumps(clean(value), ensure_ascii=False)
    return json.dumps(_prune(value, [MAX_VALUES], 0), ensure_ascii=False)


def _prune(value: Any, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if isinstance(value, str):
        return block(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else "(integer beyond 64 bits)"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if left[0] <= 0 or depth >= MAX_VALUE_DEPTH:
        return "…"
    if isinstance(value, dict):
        shown: dict[str, Any] = {}
        for key, inner in value.items():
            if left[0] <= 0 or len(shown) >= MAX_ITEMS:
                shown["…"] = f"{len(value) - len(shown)} more"
                break
            shown[one_line(str(key), 100)] = _prune(inner, left, depth + 1)
        return shown
    if isinstance(value, (list, tuple)):
        items = [_prune(inner, left, depth + 1) for inner in value[:MAX_ITEMS] if left[0] > 0]
        return items if len(items) == len(value) else [*items, f"… ({len(value) - len(items)} more)"]
    return f"[{one_line(type(value).__name__, 60)}]"


def has_content(value: Any) -> bool:
    """Whether any leaf of a JSON value is readable: names of keys, nulls and redaction marks are not content."""
    stack, left = [value], MAX_VALUES
    while stack and left > 0:
        left -= 1
        item = stack.pop()
        if isinstance(item, str):
            if is_readable(item[:2000]):
                return True
        elif isinstance(item, (bool, int, float)):
            return True
        elif isinstance(item, dict):
            stack.extend(list(item.values())[:MAX_VALUES])
        elif isinstance(item, (list, tuple)):
            stack.extend(item[:MAX_VALUES])
    return False
