"""What the items of a cluster cost, took and failed. Averages count only items that have the value."""

from collections.abc import Iterable, Mapping
from typing import Any


def cluster_metrics(items: Iterable[Mapping[str, Any]]) -> dict[str, float | int | None]:
    """Aggregates over items.

    Args:
        items: rows of trace_summaries; `item_cost_usd` (dollars), `item_latency_s`,
            `item_input_tokens`, `item_output_tokens` may be null, `item_error_count` is not.

    Returns:
        avg_cost, total_cost (dollars), avg_latency (seconds), avg_tokens, error_count (items with
        at least one error), error_rate (of all items), item_count. Null where no item has the value.
    """
    rows = list(items)
    costs = [row["item_cost_usd"] for row in rows if row["item_cost_usd"] is not None]
    latencies = [row["item_latency_s"] for row in rows if row["item_latency_s"] is not None]
    tokens = [
        (row["item_input_tokens"] or 0) + (row["item_output_tokens"] or 0)
        for row in rows
        if row["item_input_tokens"] is not None or row["item_output_tokens"] is not None
    ]
    errors = sum(row["item_error_count"] > 0 for row in rows)
    return {
        "avg_cost": _mean(costs, 10),
        "total_cost": round(sum(costs), 10) if costs else None,
        "avg_latency": _mean(latencies, 6),
        "avg_tokens": _mean(tokens, 3),
        "error_count": errors,
        "error_rate": round(errors / len(rows), 6) if rows else None,
        "item_count": len(rows),
    }


def _mean(values: list[float], digits: int) -> float | None:
    return round(sum(values) / len(values), digits) if values else None
