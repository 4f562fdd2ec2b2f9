"""The rows of `cluster_metrics` of one clustering run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from llma_assets.clustering.result import NOISE
from llma_assets.emission.metrics import Traffic, metrics_of_groups
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.cluster_metrics import ClusterMetricsRow, GroupColumns
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, TraceSummaryRow
from llma_assets.vocabulary import MetricsKind

# Columns of `trace_summaries` that they rest on.
FIGURES = [
    "level",
    "item_id",
    "item_cost_usd",
    "item_latency_s",
    "item_input_tokens",
    "item_output_tokens",
    "item_error_count",
    "item_generation_count",
    "item_models",
    "item_user",
    "item_tools",
]


def metrics_rows(run: ClusteringRunRow, figures: Mapping[str, TraceSummaryRow]) -> list[ClusterMetricsRow]:
    """Rows of `cluster_metrics` of one run: the run, its themes and its clusters, noise last.

    Args:
        run: a row of `cluster_assignments` with items.
        figures: rows of `trace_summaries` by item id. An item without one counts as one of which nothing is known.
    """
    items = run["items"]
    traffic = Traffic.of(figures.get(item["item_id"], _UNKNOWN) for item in items)
    theme_of = {cluster["cluster_id"]: cluster["theme_id"] for cluster in run["clusters"]}
    members: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        members.setdefault(item["cluster_id"], []).append(place)
    groups = list(_groups(run, members, theme_of, len(items)))
    measured = metrics_of_groups(traffic, [places for _, places in groups])
    return [{**group, **metrics} for (group, _), metrics in zip(groups, measured, strict=True)]


def with_common_names(
    run: ClusteringRunRow, figures: dict[str, TraceSummaryRow], min_users: int
) -> dict[str, TraceSummaryRow]:
    """`figures` without models and tools that fewer than `min_users` of the run used: a name can tell who it was."""
    if not min_users:
        return figures
    known = {item["item_id"]: figures[item["item_id"]] for item in run["items"] if item["item_id"] in figures}
    models = _common(((row["item_models"], row["item_user"]) for row in known.values()), min_users)
    tools = _common(((row["item_tools"], row["item_user"]) for row in known.values()), min_users)
    return {
        item_id: row
        | {
            "item_models": [name for name in row["item_models"] or () if name in models],
            "item_tools": [name for name in row["item_tools"] or () if name in tools],
        }
        for item_id, row in known.items()
    }


def _common(used: Iterable[tuple[Sequence[str] | None, str | None]], min_users: int) -> set[str]:
    """Names that at least `min_users` known users used."""
    users: dict[str, set[str]] = {}
    for names, user in used:
        for name in names or ():
            users.setdefault(name, set()).update(() if user is None else (user,))
    return {name for name, named in users.items() if len(named) >= min_users}


def _groups(
    run: ClusteringRunRow, members: Mapping[int, list[int]], theme_of: Mapping[int, int | None], items: int
) -> Iterator[tuple[GroupColumns, list[int]]]:
    """Each group of the run with the places of its items."""
    whole: GroupColumns = {
        "team_id": run["team_id"],
        "date": run["date"],
        "clustering_run_id": run["clustering_run_id"],
        "level": run["level"],
        "content_hash": run["content_hash"],
        "kind": MetricsKind.RUN,
        "cluster_id": None,
        "theme_id": None,
    }
    yield whole, list(range(items))
    themes: dict[int, list[int]] = {}
    for cluster_id in sorted(members):
        theme_id = theme_of.get(cluster_id)
        if theme_id is not None:
            themes.setdefault(theme_id, []).extend(members[cluster_id])
    for theme_id in sorted(themes):
        yield whole | {"kind": MetricsKind.THEME, "theme_id": theme_id}, themes[theme_id]
    for cluster_id in sorted(members, key=lambda cluster_id: (cluster_id == NOISE, cluster_id)):
        yield (
            whole | {"kind": MetricsKind.CLUSTER, "cluster_id": cluster_id, "theme_id": theme_of.get(cluster_id)},
            members[cluster_id],
        )


_UNKNOWN: TraceSummaryRow = TRACE_SUMMARIES.blank() | {"item_error_count": 0}
