"""The items of a clustering run as columns, in the order of their clusters and ranks."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llma_assets.clustering.result import NOISE
from llma_assets.emission.metrics import tokens_of
from llma_assets.explorer.content import Content
from llma_assets.tables.cluster_assignments import ClusteringRunRow, ClusterItemRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, TraceSummaryRow
from llma_assets.traces.safe_text import one_line

MAX_TITLE_CHARS = 200
MAX_NAME_CHARS = 100
# Names in a dictionary; a run of more is rare, and its tail explains nothing.
MAX_NAMES = 500

_UNKNOWN = TRACE_SUMMARIES.blank()


@dataclass(frozen=True, slots=True)
class ItemArrays:
    """Items as the page reads them.

    Attributes:
        columns: by name, all of one length.
        models, tools: names that `columns` refers to by index.
        users: users known, of all items of the run.
    """

    columns: dict[str, list[Any]]
    models: list[str]
    tools: list[str]
    users: int


def in_order(run: ClusteringRunRow, cluster_order: Sequence[int]) -> list[ClusterItemRow]:
    """The items of a run by cluster, as `cluster_order` says, then by rank."""
    place = {cluster_id: number for number, cluster_id in enumerate(cluster_order)}
    return sorted(run["items"], key=lambda item: (place[item["cluster_id"]], item["rank"], item["item_id"]))


def by_importance(items: Sequence[ClusterItemRow], cluster_order: Sequence[int]) -> list[int]:
    """Places of items, the first of each cluster first, then the second of each; noise behind clusters."""
    place = {cluster_id: number for number, cluster_id in enumerate(cluster_order)}
    seen: Counter[int] = Counter()
    keys = []
    for number, item in enumerate(items):
        keys.append((seen[item["cluster_id"]], place[item["cluster_id"]], number))
        seen[item["cluster_id"]] += 1
    return [number for _, _, number in sorted(keys)]


def item_arrays(
    items: Sequence[ClusterItemRow],
    summaries: Mapping[str, TraceSummaryRow],
    places: Sequence[list[int] | None],
    content: Content,
) -> ItemArrays:
    """The columns of `items`.

    Args:
        items: of a row of `cluster_assignments`, in the order of the page.
        summaries: rows of `trace_summaries` by item id; an item without one has no title and no figures.
        places: chunk and index of each item's detail, or None.
        content: what the page may tell.
    """
    rows = [summaries.get(item["item_id"], _UNKNOWN) for item in items]
    models, tools = _names(row["item_models"] for row in rows), _names(row["item_tools"] for row in rows)
    known = dict.fromkeys(row["item_user"] for row in rows if row["item_user"] is not None)
    users: dict[str | None, int] = {user: number for number, user in enumerate(known)}
    named = content != Content.NONE
    columns: dict[str, list[Any]] = {
        "id": [item["item_id"] if named else str(n) for n, item in enumerate(items, 1)],
        "trace": [item["trace_id"] if named and item["trace_id"] != item["item_id"] else 0 for item in items],
        "cluster": [item["cluster_id"] for item in items],
        "rank": [item["rank"] for item in items],
        "x": [round(item["x"], 4) for item in items],
        "y": [round(item["y"], 4) for item in items],
        "t": [int(item["trace_timestamp"].timestamp()) for item in items],
        "title": [title_of(row) if named else None for row in rows],
        "cost": [_short(row["item_cost_usd"]) for row in rows],
        "latency": [_short(row["item_latency_s"]) for row in rows],
        "tokens": [tokens_of(row) for row in rows],
        "errors": [row["item_error_count"] or 0 for row in rows],
        "user": [users.get(row["item_user"]) if named else None for row in rows],
        "models": [_indices(row["item_models"], models) for row in rows],
        "tools": [_indices(row["item_tools"], tools) for row in rows],
        "distance": [round(item["distance_to_centroid"], 4) for item in items],
        "borderline": [int(bool(item["raw_noise"]) and item["cluster_id"] != NOISE) for item in items],
        "detail": list(places),
    }
    return ItemArrays(columns, list(map(name_of, models)), list(map(name_of, tools)), len(users))


def title_of(summary: TraceSummaryRow) -> str | None:
    """The title of an item on one printable line."""
    title = summary["title"]
    return None if title is None else one_line(title, MAX_TITLE_CHARS)


def name_of(name: str) -> str:
    """The name of a model or tool, as printed; the sender may have put anything there."""
    return one_line(name, MAX_NAME_CHARS)


def _names(lists: Iterable[Sequence[str] | None]) -> dict[str, int]:
    """Index of each name, commonest first."""
    counted = Counter(name for names in lists for name in set(names or ()))
    commonest = sorted(counted, key=lambda name: (-counted[name], name))[:MAX_NAMES]
    return {name: number for number, name in enumerate(commonest)}


def _indices(names: Sequence[str] | None, index: Mapping[str, int]) -> list[int]:
    return sorted({index[name] for name in names or () if name in index})


def _short(value: float | None) -> float | None:
    """Five digits say enough, and take less room than seventeen."""
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
