"""The clusters and themes of a run as the explorer shows them: names, figures, whereabouts in time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from llma_assets.clustering.result import NOISE
from llma_assets.emission.metrics import FIGURES
from llma_assets.explorer.badges import badges
from llma_assets.explorer.content import Content
from llma_assets.explorer.items import name_of
from llma_assets.lineage.edge import Change
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.cluster_labels import ClusterLabelRow
from llma_assets.tables.cluster_lineage import LineageEdgeRow
from llma_assets.tables.cluster_metrics import CLUSTER_METRICS, ClusterMetricsRow
from llma_assets.traces.safe_text import clean, one_line

MAX_TITLE_CHARS = 200
MAX_DESCRIPTION_CHARS = 4_000

Json = dict[str, Any]

_USED: tuple[Literal["models", "tools"], ...] = ("models", "tools")
_UNMEASURED = CLUSTER_METRICS.blank()


@dataclass(frozen=True, slots=True)
class LineageStart:
    """The lineage of a cluster and the day on which it was first seen; None where they are not known."""

    lineage_id: str | None
    first_seen: date | None


@dataclass(frozen=True, slots=True)
class PastRun:
    """The clusters of one run, noise included, as far as they are compared.

    Attributes:
        items: analyzed by the run.
        sizes, titles, since, metrics: by cluster id; of `metrics` some may be missing.
    """

    run_id: str
    day: date
    items: int
    sizes: Mapping[int, int]
    titles: Mapping[int, str]
    since: Mapping[int, LineageStart]
    metrics: Mapping[int, ClusterMetricsRow] = field(default_factory=dict)

    def share(self, cluster_id: int) -> float:
        """Of the items of the run, the part in a cluster, 0 to 1."""
        return round(self.sizes[cluster_id] / self.items, 6) if self.items else 0.0

    def of_lineage(self, lineage_id: str | None) -> int | None:
        """The cluster of that lineage."""
        if lineage_id is None:
            return None
        return next((c for c, since in self.since.items() if since.lineage_id == lineage_id and c in self.sizes), None)


def cluster_order(run: ClusteringRunRow) -> list[int]:
    """Ids of the clusters that hold items, largest first, noise last."""
    sizes = _sizes(run)
    return sorted(sizes, key=lambda c: (c == NOISE, -sizes[c], c))


def clusters(
    run: ClusteringRunRow,
    labels: Mapping[int, ClusterLabelRow],
    metrics: Mapping[int, ClusterMetricsRow],
    edges: Sequence[LineageEdgeRow],
    history: Sequence[PastRun],
    content: Content,
) -> list[Json]:
    """The clusters of a run in `cluster_order`.

    Args:
        run: a row of `cluster_assignments`.
        labels: rows of `cluster_labels` by cluster id.
        metrics: rows of `cluster_metrics` by cluster id.
        edges: rows of `cluster_lineage` of this run.
        history: this run and those before it that it continues, newest first.
    """
    now = history[0]
    shapes = {cluster["cluster_id"]: cluster for cluster in run["clusters"]}
    means = _means(run)
    told = []
    for cluster_id in cluster_order(run):
        label, own = labels[cluster_id], metrics.get(cluster_id)
        change, earlier_size = _change(edges, cluster_id)
        since = now.since.get(cluster_id, LineageStart(None, None))
        size, share = now.sizes[cluster_id], now.share(cluster_id)
        shape = shapes.get(cluster_id)
        x, y = (shape["centroid_x"], shape["centroid_y"]) if shape else means[cluster_id]
        told.append(
            {
                "cluster_id": cluster_id,
                "theme_id": label["theme_id"],
                "title": one_line(label["title"], MAX_TITLE_CHARS),
                "description": "" if content == Content.NONE else clean(label["description"])[:MAX_DESCRIPTION_CHARS],
                "size": size,
                "share": share,
                "keywords": [] if content == Content.NONE else [one_line(word, 80) for word in label["keywords"]],
                "label_source": label["source"],
                "name_reason": label["name_reason"],
                "lineage_id": since.lineage_id,
                "first_seen": None if since.first_seen is None else since.first_seen.isoformat(),
                "change": change,
                "previous_title": _line_or_none(label["previous_title"]),
                "earlier_size": earlier_size,
                "badges": badges(_news(edges, change), size, share, _before(history, since.lineage_id), own),
                "metrics": metrics_of(own),
                "trend": trend(history, since.lineage_id),
                "x": round(x, 4),
                "y": round(y, 4),
            }
        )
    return told


def themes(
    run: ClusteringRunRow,
    labels: Iterable[ClusterLabelRow],
    metrics: Mapping[int, ClusterMetricsRow],
    content: Content,
) -> list[Json]:
    """The themes of a run by id; none where nothing groups its clusters."""
    told: dict[int, Json] = {}
    items = run["items_analyzed"]
    for label in labels:
        if label["theme_id"] is None:
            continue
        theme = told.setdefault(
            label["theme_id"],
            {
                "theme_id": label["theme_id"],
                "title": one_line(label["theme_title"] or "", MAX_TITLE_CHARS),
                "description": ""
                if content == Content.NONE
                else clean(label["theme_description"] or "")[:MAX_DESCRIPTION_CHARS],
                "size": 0,
                "metrics": metrics_of(metrics.get(label["theme_id"])),
            },
        )
        theme["size"] += label["size"]
    for theme in told.values():
        theme["share"] = round(theme["size"] / items, 6)
    return [told[theme_id] for theme_id in sorted(told)]


def gone(edges: Sequence[LineageEdgeRow], history: Sequence[PastRun]) -> list[Json]:
    """Clusters of the run before that no cluster of this one goes on from, largest first."""
    if len(history) < 2:
        return []
    before = history[1]
    ids = [edge["earlier_cluster_id"] for edge in edges if edge["change"] == Change.DIED]
    told = [
        {
            "title": one_line(before.titles.get(cluster_id, f"cluster {cluster_id}"), MAX_TITLE_CHARS),
            "size": before.sizes[cluster_id],
            "last_date": before.day.isoformat(),
            "lineage_id": before.since[cluster_id].lineage_id if cluster_id in before.since else None,
        }
        for cluster_id in ids
        if cluster_id is not None and cluster_id in before.sizes
    ]
    return sorted(told, key=lambda cluster: (-cluster["size"], cluster["title"]))


def earlier(history: Sequence[PastRun]) -> list[Json]:
    """The runs before this one, newest first, to compare it with."""
    return [
        {
            "run_id": run.run_id,
            "date": run.day.isoformat(),
            "clusters": [
                {
                    "cluster_id": c,
                    "title": one_line(run.titles.get(c, f"cluster {c}"), MAX_TITLE_CHARS),
                    "size": run.sizes[c],
                    "share": run.share(c),
                    "lineage_id": run.since[c].lineage_id if c in run.since else None,
                    "metrics": _figures(run.metrics.get(c) or _UNMEASURED),
                }
                for c in sorted(run.sizes, key=lambda c: (c == NOISE, -run.sizes[c], c))
            ],
        }
        for run in history[1:]
    ]


def trend(history: Sequence[PastRun], lineage_id: str | None) -> list[Json]:
    """Size and share of a lineage, run by run, oldest first."""
    found = ((run, run.of_lineage(lineage_id)) for run in reversed(history))
    return [
        {"date": run.day.isoformat(), "size": run.sizes[c], "share": run.share(c)} for run, c in found if c is not None
    ]


def metrics_of(row: ClusterMetricsRow | None) -> Json:
    """A row of `cluster_metrics` as the explorer reads it; what is not known is null."""
    row = row or _UNMEASURED
    return {
        **_figures(row),
        **{name: [{**used, "name": name_of(used["name"] or "")} for used in row[name] or []] for name in _USED},
        "lift": dict(row["lift"] or {}),
    }


def _figures(row: ClusterMetricsRow) -> Json:
    return {name: row[name] for name in FIGURES}


def _change(edges: Sequence[LineageEdgeRow], cluster_id: int) -> tuple[str | None, int | None]:
    """How the cluster came to be, and the size of the earlier cluster that most of it comes from."""
    own = [edge for edge in edges if edge["cluster_id"] == cluster_id]
    if not own:
        return None, None
    kept = [edge for edge in own if edge["change"] == Change.KEPT]
    first = kept[0] if kept else max(own, key=lambda edge: (edge["share"] or 0.0, edge["earlier_size"] or 0))
    return str(first["change"]), first["earlier_size"]


def _news(edges: Sequence[LineageEdgeRow], change: str | None) -> str | None:
    """The change, unless there was no run to compare with: then everything is born, and nothing is news."""
    return change if any(edge["earlier_date"] is not None for edge in edges) else None


def _before(history: Sequence[PastRun], lineage_id: str | None) -> Json | None:
    if len(history) < 2:
        return None
    cluster_id = history[1].of_lineage(lineage_id)
    return None if cluster_id is None else {"size": history[1].sizes[cluster_id], "share": history[1].share(cluster_id)}


def _sizes(run: ClusteringRunRow) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for item in run["items"]:
        sizes[item["cluster_id"]] = sizes.get(item["cluster_id"], 0) + 1
    return sizes


def _means(run: ClusteringRunRow) -> dict[int, tuple[float, float]]:
    """The middle of each cluster's items on the map; noise has no centroid of its own."""
    sums: dict[int, list[float]] = {}
    for item in run["items"]:
        place = sums.setdefault(item["cluster_id"], [0.0, 0.0, 0.0])
        place[0] += item["x"]
        place[1] += item["y"]
        place[2] += 1
    return {c: (x / n, y / n) for c, (x, y, n) in sums.items()}


def _line_or_none(text: str | None) -> str | None:
    return None if text is None else one_line(text, MAX_TITLE_CHARS)
