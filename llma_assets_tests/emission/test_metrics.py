"""What a group of items took, counted by hand, and against the rest; the laws that hold for any items."""

import math
from typing import Any, Literal, cast

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.emission.metrics import LIFTED, MAX_USED, METRIC_NAMES, Traffic, metrics_of_groups
from llma_assets.tables.cluster_metrics import MetricColumns
from llma_assets.tables.trace_summaries import TraceSummaryRow


def item(**figures: Any) -> TraceSummaryRow:
    """A row of trace_summaries of which only this is known."""
    nothing = dict.fromkeys(
        [
            "item_cost_usd", "item_latency_s", "item_input_tokens", "item_output_tokens", "item_generation_count",
            "item_models", "item_tools", "item_user",
        ]
    )  # fmt: skip
    known = {"item_error_count": 0} | {f"item_{name}": value for name, value in figures.items()}
    return cast("TraceSummaryRow", nothing | known)


DEAR = [
    item(cost_usd=0.6, latency_s=2.0, input_tokens=900, output_tokens=100, error_count=2, generation_count=4,
         models=["big", "small"], tools=["search"], user="ann"),
    item(cost_usd=0.2, latency_s=4.0, input_tokens=1_000, generation_count=2, models=["big"], tools=["search", "book"],
         user="ann"),
]  # fmt: skip
CHEAP = [
    item(cost_usd=0.1, latency_s=1.0, input_tokens=500, error_count=1, generation_count=1, models=["small"],
         user="bob"),
    item(cost_usd=0.1, latency_s=1.0, output_tokens=500, generation_count=2, models=["small"], tools=["book"]),
    item(),
    item(generation_count=0),
]  # fmt: skip


def measured(*groups: list[TraceSummaryRow]) -> list[MetricColumns]:
    """Metrics of these groups, which are all that the run has."""
    items = [cluster for group in groups for cluster in group]
    starts = [sum(len(group) for group in groups[:n]) for n in range(len(groups))]
    places = [range(start, start + len(group)) for start, group in zip(starts, groups, strict=True)]
    return metrics_of_groups(Traffic.of(items), places)


def test_a_group_is_measured_beside_the_rest() -> None:
    dear, cheap = measured(DEAR, CHEAP)
    assert list(dear) == list(METRIC_NAMES)
    assert dear == {
        "item_count": 2, "avg_cost": 0.4, "total_cost": 0.8, "avg_latency": 3.0, "p50_latency": 3.0,
        "p95_latency": 3.9, "avg_tokens": 1000.0, "total_tokens": 2000, "avg_generations": 3.0,
        "cost_per_million_tokens": 400.0, "error_count": 1, "error_rate": 0.5, "distinct_users": 1,
        "models": [
            {"name": "big", "items": 2, "share": 1.0, "lift": None},
            {"name": "small", "items": 1, "share": 0.5, "lift": 1.0},
        ],
        "tools": [
            {"name": "search", "items": 2, "share": 1.0, "lift": None},
            {"name": "book", "items": 1, "share": 0.5, "lift": 2.0},
        ],
        "lift": {
            "avg_cost": 4.0, "avg_latency": 3.0, "p95_latency": 3.9, "avg_tokens": 2.0, "avg_generations": 3.0,
            "cost_per_million_tokens": 2.0, "error_rate": 2.0,
        },
    }  # fmt: skip
    # Items of which nothing is known count in item_count and in the shares, and in no average.
    assert (cheap["item_count"], cheap["avg_cost"], cheap["error_rate"]) == (4, 0.1, 0.25)
    assert (cheap["models"], cheap["lift"]["avg_cost"]) == (
        [{"name": "small", "items": 2, "share": 0.5, "lift": 1.0}],
        0.25,
    )


def test_what_is_dear_is_more_tokens_or_dearer_ones() -> None:
    lift = measured(DEAR, CHEAP)[0]["lift"]
    assert lift["avg_tokens"] is not None and lift["cost_per_million_tokens"] is not None
    assert lift["avg_cost"] == lift["avg_tokens"] * lift["cost_per_million_tokens"]


def test_of_nothing_nothing_is_known() -> None:
    (nothing,) = metrics_of_groups(Traffic.of([]), [[]])
    counts = {"item_count": 0, "error_count": 0, "distinct_users": 0, "models": [], "tools": []}
    assert nothing == dict.fromkeys(METRIC_NAMES) | counts | {"lift": dict.fromkeys(LIFTED)}


def test_the_whole_run_has_no_rest_and_no_lift() -> None:
    (whole,) = measured(DEAR + CHEAP)
    assert set(whole["lift"].values()) == {None}
    assert {model["lift"] for model in whole["models"]} == {None}


def test_where_the_rest_has_no_errors_there_is_no_lift_of_errors() -> None:
    failing, fine = measured([item(error_count=1)], [item()])
    assert failing["lift"]["error_rate"] is None
    assert fine["lift"]["error_rate"] == 0.0


def test_many_names_are_bounded_commonest_first() -> None:
    many = [item(tools=[f"tool {m:03d}" for m in range(n)]) for n in range(30)]
    tools = measured(many)[0]["tools"]
    assert [tool["name"] for tool in tools] == [f"tool {n:03d}" for n in range(MAX_USED)]
    assert [tool["items"] for tool in tools] == [29 - n for n in range(MAX_USED)]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_known(odd: float) -> None:
    """B7: sums stay finite, whatever was stored."""
    (one,) = measured([item(cost_usd=odd, latency_s=odd), item(cost_usd=0.5, latency_s=1.5)])
    assert (one["total_cost"], one["avg_cost"], one["p95_latency"]) == (0.5, 0.5, 1.5)


COSTS = st.none() | st.floats(0, 1e6)
ITEMS = st.builds(
    item,
    cost_usd=COSTS,
    latency_s=st.none() | st.floats(0, 1e7),
    input_tokens=st.none() | st.integers(0, 10**9),
    output_tokens=st.none() | st.integers(0, 10**9),
    error_count=st.integers(0, 3),
    generation_count=st.none() | st.integers(0, 50),
    models=st.none() | st.lists(st.sampled_from("abc")),
    user=st.none() | st.sampled_from(["ann", "bob"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(ITEMS, max_size=8), min_size=1, max_size=5))
def test_the_groups_together_are_the_whole(groups: list[list[TraceSummaryRow]]) -> None:
    """Σ metrics over clusters + noise = total; and every figure is finite."""
    parts = measured(*groups)
    (whole,) = measured([cluster for group in groups for cluster in group])
    for name in ("item_count", "error_count", "total_tokens"):
        assert sum(part[name] or 0 for part in parts) == (whole[name] or 0)
    assert math.isclose(
        math.fsum(part["total_cost"] or 0 for part in parts), whole["total_cost"] or 0, abs_tol=1e-9 * len(parts)
    )
    used: Literal["models", "tools"]
    for used in ("models", "tools"):
        counts = [sum(cast("int", one["items"]) for one in part[used]) for part in (whole, *parts)]
        assert counts[0] == sum(counts[1:])
    assert max(part["distinct_users"] for part in parts) <= whole["distinct_users"]
    assert math.isclose(sum(part["item_count"] * (part["error_rate"] or 0) for part in parts), whole["error_count"],
                        abs_tol=1e-4)  # fmt: skip
    for part in (whole, *parts):
        numbers: list[Any] = [part[name] for name in METRIC_NAMES[:13]] + list(part["lift"].values())
        assert all(math.isfinite(number) for number in numbers if number is not None)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=30))
def test_quantiles_are_those_of_sql(latencies: list[float]) -> None:
    (ours,) = measured([item(latency_s=latency) for latency in latencies])
    query = "SELECT quantile_cont(l, 0.5), quantile_cont(l, 0.95), avg(l) FROM (SELECT unnest($all) AS l)"
    p50, p95, mean = duckdb.execute(query, {"all": latencies}).fetchone() or ()
    assert ours["p50_latency"] is not None and ours["p95_latency"] is not None and ours["avg_latency"] is not None
    assert math.isclose(ours["p50_latency"], p50, rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(ours["p95_latency"], p95, rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(ours["avg_latency"], mean, rel_tol=1e-9, abs_tol=1e-6)
