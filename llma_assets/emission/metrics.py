"""What a group of items cost, took and failed, and how far that is from the rest of the run's traffic.

A group is a cluster, a theme, noise or the whole run. Averages count only items that have the value. A **lift** is
the group's figure over that of the rest: all other items of the run, noise included, so that a large group is not
compared with itself.

The cost of an item is tokens times price: lift of `avg_cost` = lift of `avg_tokens` × lift of
`cost_per_million_tokens` where all items have both, and so it shows which of the two makes a group dear.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from llma_assets.tables.cluster_metrics import FigureColumns, LiftRow, MetricColumns, UsedRow
from llma_assets.tables.trace_summaries import TraceSummaryRow

# Models and tools that are told of one group; a run of more is rare, and its tail explains nothing.
MAX_USED = 10
# Figures whose lift is told.
_Lifted = Literal[
    "avg_cost",
    "avg_latency",
    "p95_latency",
    "avg_tokens",
    "avg_generations",
    "cost_per_million_tokens",
    "error_rate",
]
LIFTED: tuple[_Lifted, ...] = get_args(_Lifted)
_Figure = Literal[
    "item_count",
    "avg_cost",
    "total_cost",
    "avg_latency",
    "p50_latency",
    "p95_latency",
    "avg_tokens",
    "total_tokens",
    "avg_generations",
    "cost_per_million_tokens",
    "error_count",
    "error_rate",
    "distinct_users",
]
FIGURES: tuple[_Figure, ...] = get_args(_Figure)
_Metric = Literal[_Figure, "models", "tools", "lift"]
METRIC_NAMES: tuple[_Metric, ...] = get_args(_Metric)
# Decimals: dollars, seconds, and counts or shares.
_DOLLAR_DIGITS, _SECOND_DIGITS, _DIGITS = 10, 6, 6

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traffic:
    """The items of one clustering run as columns, null as NaN; each array has one value an item.

    Attributes:
        cost: dollars. latency: seconds. tokens: input and output together.
        failed: whether the item has at least one error.
        users: who caused it, None where the sender named no person.
        models, tools: names, each once an item.
    """

    cost: _Floats
    latency: _Floats
    tokens: _Floats
    generations: _Floats
    failed: NDArray[np.bool_]
    users: tuple[str | None, ...]
    models: tuple[tuple[str, ...], ...]
    tools: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, items: Iterable[TraceSummaryRow]) -> "Traffic":
        """Columns of rows of `trace_summaries`. A value that is not finite counts as null."""
        rows = list(items)
        return cls(
            cost=_column(row["item_cost_usd"] for row in rows),
            latency=_column(row["item_latency_s"] for row in rows),
            tokens=_column(tokens_of(row) for row in rows),
            generations=_column(row["item_generation_count"] for row in rows),
            failed=np.array([row["item_error_count"] > 0 for row in rows], dtype=bool),
            users=tuple(row["item_user"] for row in rows),
            models=tuple(tuple(set(row["item_models"] or ())) for row in rows),
            tools=tuple(tuple(set(row["item_tools"] or ())) for row in rows),
        )

    def __len__(self) -> int:
        return len(self.failed)


def metrics_of_groups(traffic: Traffic, groups: Sequence[Sequence[int]]) -> list[MetricColumns]:
    """The metrics of each group of items.

    Args:
        traffic: all items of the run.
        groups: places of the items of each group in `traffic`; an item may be in several groups, or in none.

    Returns:
        For each group:
        item_count; avg_cost, total_cost (dollars); avg_latency, p50_latency, p95_latency (seconds, interpolated);
        avg_tokens, total_tokens; avg_generations; cost_per_million_tokens (dollars, over items that have both);
        error_count (items with at least one error), error_rate (of all items);
        distinct_users (those named);
        models, tools: `{name, items, share, lift}`, commonest first, `MAX_USED` at most;
        lift: the `LIFTED` figures over those of the rest.
        Null where no item has the value, and a lift also where the rest has none or 0.
    """
    used = {"models": _counted(traffic.models), "tools": _counted(traffic.tools)}
    return [_metrics(traffic, np.asarray(group, dtype=np.intp), used) for group in groups]


def _metrics(traffic: Traffic, group: NDArray[np.intp], used: Mapping[str, Counter[str]]) -> MetricColumns:
    is_rest = np.ones(len(traffic), dtype=bool)
    is_rest[group] = False
    own, others = _figures(traffic, group), _figures(traffic, np.flatnonzero(is_rest))
    return {
        **own,
        "distinct_users": len({traffic.users[n] for n in group} - {None}),
        "models": _used([traffic.models[n] for n in group], used["models"], len(traffic)),
        "tools": _used([traffic.tools[n] for n in group], used["tools"], len(traffic)),
        "lift": _lift(own, others),
    }


def _figures(traffic: Traffic, group: NDArray[np.intp]) -> FigureColumns:
    cost, latency, tokens = traffic.cost[group], traffic.latency[group], traffic.tokens[group]
    errors, items = int(traffic.failed[group].sum()), len(group)
    columns = (cost, latency, tokens, traffic.generations[group])
    costs, latencies, known, generations = (column[~np.isnan(column)] for column in columns)
    priced = ~(np.isnan(cost) | np.isnan(tokens))
    p50, p95 = np.quantile(latencies, [0.5, 0.95]).tolist() if len(latencies) else (None, None)
    return {
        "item_count": items,
        "avg_cost": _mean(costs, _DOLLAR_DIGITS),
        "total_cost": round(math.fsum(costs), _DOLLAR_DIGITS) if len(costs) else None,
        "avg_latency": _mean(latencies, _SECOND_DIGITS),
        "p50_latency": _rounded(p50, _SECOND_DIGITS),
        "p95_latency": _rounded(p95, _SECOND_DIGITS),
        "avg_tokens": _mean(known, 3),
        "total_tokens": int(known.sum()) if len(known) else None,
        "avg_generations": _mean(generations, 3),
        "cost_per_million_tokens": _price(math.fsum(cost[priced]), float(tokens[priced].sum())),
        "error_count": errors,
        "error_rate": round(errors / items, _DIGITS) if items else None,
    }


def _lift(own: FigureColumns, others: FigureColumns) -> LiftRow:
    lift = cast("LiftRow", {})
    for name in LIFTED:
        lift[name] = _ratio(own[name], others[name])
    return lift


def _used(names: Sequence[tuple[str, ...]], in_run: Counter[str], items_in_run: int) -> list[UsedRow]:
    """The commonest names of a group, with their share of its items, and that over the rest's share."""
    rest = items_in_run - len(names)
    commonest = sorted(_counted(names).items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_USED]
    return [
        {
            "name": name,
            "items": items,
            "share": round(items / len(names), _DIGITS),
            "lift": _ratio(items / len(names), (in_run[name] - items) / rest if rest else None),
        }
        for name, items in commonest
    ]


def _counted(names: Iterable[tuple[str, ...]]) -> Counter[str]:
    return Counter(name for of_item in names for name in of_item)


def tokens_of(row: TraceSummaryRow) -> int | None:
    """Input and output tokens of an item together."""
    given, answered = row["item_input_tokens"], row["item_output_tokens"]
    return None if given is None and answered is None else (given or 0) + (answered or 0)


def _column(values: Iterator[float | None]) -> _Floats:
    column = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    column[~np.isfinite(column)] = math.nan
    return column


def _mean(values: _Floats, digits: int) -> float | None:
    return round(math.fsum(values) / len(values), digits) if len(values) else None


def _price(dollars: float, tokens: float) -> float | None:
    return round(1e6 * dollars / tokens, _DIGITS) if tokens > 0 else None


def _ratio(own: float | None, others: float | None) -> float | None:
    if own is None or not others:
        return None
    ratio = own / others
    return round(ratio, 4) if math.isfinite(ratio) else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
