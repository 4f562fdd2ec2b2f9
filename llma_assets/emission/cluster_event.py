"""The `$ai_*_clusters` event of a clustering run, in parts where one would be too large.

Shapes are PostHog's; what is ours beyond them stands under new keys only. The capture SDK drops
events above 900 KiB with no more than a log line, so no part may pass that.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from llma_assets.clustering.result import NOISE
from llma_assets.emission.identity import event_uuid
from llma_assets.emission.metrics import METRIC_NAMES
from llma_assets.errors import InputRejected
from llma_assets.tables.cluster_assignments import ClusteringRunRow, ClusterItemRow
from llma_assets.tables.cluster_events import ClusterEventRow
from llma_assets.tables.cluster_labels import ClusterLabelRow
from llma_assets.tables.cluster_metrics import ClusterMetricsRow
from llma_assets.vocabulary import MetricsKind

MAX_EVENT_BYTES = 900 * 1024

Json = dict[str, Any]


def cluster_events(
    run: ClusteringRunRow,
    labels: Mapping[int, ClusterLabelRow],
    metrics: Sequence[ClusterMetricsRow],
    max_bytes: int = MAX_EVENT_BYTES,
    lineages: Mapping[int, Mapping[str, str | None]] | None = None,
) -> list[ClusterEventRow]:
    """The events of one clustering run: rows for the table `cluster_events`.

    Args:
        run: a row of `cluster_assignments` with at least one item.
        labels: rows of `cluster_labels` by cluster id.
        metrics: rows of `cluster_metrics` of this run.
        max_bytes: the most bytes that the JSON of one whole event may have.
        lineages: `lineage_id` and `change` by cluster id; null for a cluster without, as noise is.

    Raises:
        InputRejected: the run has no items, a cluster has no label or no metrics, or one item's entry alone is
            larger than `max_bytes`.
    """
    if not run["items"]:
        raise InputRejected(f"{run['clustering_run_id']}: a clustering run without items is never emitted")
    of_cluster = {row["cluster_id"]: _figures(row) for row in metrics if row["kind"] == MetricsKind.CLUSTER}
    of_theme = {row["theme_id"]: _figures(row) for row in metrics if row["kind"] == MetricsKind.THEME}
    clusters = list(_clusters(run, labels, of_cluster, lineages or {}))
    shared = _run_properties(run) | {"$ai_themes": _themes(labels, of_theme)}
    groups = _pack(clusters, max_bytes - _size(_envelope(run, shared, [], 10_000, 10_000)))
    return [_row(run, shared, group, n, len(groups), max_bytes) for n, group in enumerate(groups, start=1)]


def _clusters(
    run: ClusteringRunRow,
    labels: Mapping[int, ClusterLabelRow],
    metrics: Mapping[int | None, Json],
    lineages: Mapping[int, Mapping[str, str | None]],
) -> Iterator[Json]:
    """Clusters by ascending id, noise last, each with its items by rank."""
    members: dict[int, list[ClusterItemRow]] = {}
    for item in run["items"]:
        members.setdefault(item["cluster_id"], []).append(item)
    shapes = {cluster["cluster_id"]: cluster for cluster in run["clusters"]}
    for cluster_id in sorted(members, key=lambda c: (c == NOISE, c)):
        items = sorted(members[cluster_id], key=lambda item: (item["rank"], item["item_id"]))
        if cluster_id not in labels:
            raise InputRejected(f"{run['clustering_run_id']}: cluster {cluster_id} has no label")
        if cluster_id not in metrics:
            raise InputRejected(f"{run['clustering_run_id']}: cluster {cluster_id} has no metrics")
        label, shape = labels[cluster_id], shapes.get(cluster_id)
        yield {
            "cluster_id": cluster_id,
            "size": len(items),
            "title": label["title"],
            "description": label["description"],
            "traces": {item["item_id"]: _entry(item) for item in items},
            "trace_ids": [item["trace_id"] for item in items],
            "centroid": [round(float(value), 6) for value in shape["centroid"]] if shape else [],
            "centroid_x": shape["centroid_x"] if shape else _mean([item["x"] for item in items]),
            "centroid_y": shape["centroid_y"] if shape else _mean([item["y"] for item in items]),
            "metrics": metrics[cluster_id],
            "label_source": label["source"],
            "keywords": list(label["keywords"]),
            "lineage_id": lineages.get(cluster_id, {}).get("lineage_id"),
            "change": lineages.get(cluster_id, {}).get("change"),
            "theme_id": label["theme_id"],
            "theme_title": label["theme_title"],
        }


def _themes(labels: Mapping[int, ClusterLabelRow], metrics: Mapping[int | None, Json]) -> list[Json]:
    """The run's themes by id; empty where its clusters were named before there were any."""
    named = {label["theme_id"]: label for label in labels.values() if label["theme_id"] is not None}
    return [
        {
            "theme_id": theme_id,
            "title": named[theme_id]["theme_title"],
            "description": named[theme_id]["theme_description"],
            "size": sum(label["size"] for label in labels.values() if label["theme_id"] == theme_id),
            "metrics": metrics.get(theme_id),
        }
        for theme_id in sorted(named)
    ]


def _figures(row: ClusterMetricsRow) -> Json:
    return {name: row[name] for name in METRIC_NAMES}


def _entry(item: ClusterItemRow) -> Json:
    return {
        "distance_to_centroid": item["distance_to_centroid"],
        "rank": item["rank"],
        "x": item["x"],
        "y": item["y"],
        "timestamp": _iso(item["trace_timestamp"]),
        "trace_id": item["trace_id"],
        "generation_id": item["generation_id"],
    }


def _run_properties(run: ClusteringRunRow) -> Json:
    params = json.loads(run["params"]) | {"seed": run["seed"], "algorithm_version": run["algorithm_version"]}
    properties = {
        "$ai_clustering_run_id": run["clustering_run_id"],
        "$ai_clustering_level": run["level"],
        "$ai_clustering_job_id": run["job_id"],
        "$ai_clustering_job_name": run["job_name"],
        "$ai_window_start": _iso(run["window_start"]),
        "$ai_window_end": _iso(run["window_end"]),
        "$ai_total_items_analyzed": run["items_analyzed"],
        "$ai_clustering_params": params | {"method": run["method"]},
        "$ai_clustering_version": f"v{run['algorithm_version']}",
        "$ai_team_id": run["team_id"],
        "$ai_timestamp": _iso(run["window_end"]),
        "$ai_total_traces_analyzed": run["items_in_window"],
        "$ai_sampled_traces_count": run["items_learned"] or run["items_analyzed"],
    }
    if run["method"] == "kmeans":
        properties |= {
            "$ai_optimal_k": run["optimal_k"],
            "$ai_silhouette_score": run["silhouette"],
            "$ai_inertia": run["inertia"],
        }
    return properties


def _pack(clusters: Sequence[Json], room: int) -> list[list[Json]]:
    """Clusters in groups of at most `room` bytes, split along clusters first, then within `traces`."""
    groups: list[list[Json]] = []
    left = 0
    for cluster in clusters:
        for piece, size in _pieces(cluster, room):
            if not groups or size > left:
                groups.append([])
                left = room
            groups[-1].append(piece)
            left -= size
    return groups


def _pieces(cluster: Json, room: int) -> Iterator[tuple[Json, int]]:
    """The cluster whole with its size in bytes, or, where that is more than `room`, in pieces."""
    whole = _size(cluster) + 2
    if whole <= room:
        yield cluster, whole
        return
    bare = cluster | {"traces": {}, "trace_ids": []}
    fixed = _size(bare) + 2
    piece: Json = {}
    ids: list[str] = []
    size = fixed
    for (item_id, entry), trace_id in zip(cluster["traces"].items(), cluster["trace_ids"], strict=True):
        extra = _size({item_id: entry}) + _size([trace_id])
        if fixed + extra > room:
            raise InputRejected(f"cluster {cluster['cluster_id']}: one item takes {fixed + extra} of {room} bytes")
        if size + extra > room:
            yield bare | {"traces": piece, "trace_ids": ids}, size
            piece, ids, size = {}, [], fixed
        piece[item_id] = entry
        ids.append(trace_id)
        size += extra
    yield bare | {"traces": piece, "trace_ids": ids}, size


def _envelope(run: ClusteringRunRow, shared: Json, clusters: Sequence[Json], part: int, parts: int) -> Json:
    """The event as it goes over the wire."""
    return {
        "uuid": event_uuid(run["clustering_run_id"], part),
        "event": f"$ai_{run['level']}_clusters",
        "distinct_id": f"{run['level']}_clustering_{run['team_id']}",
        "timestamp": _iso(run["window_end"]),
        "properties": shared | {"$ai_clusters": clusters, "$ai_part": part, "$ai_parts": parts},
    }


def _row(
    run: ClusteringRunRow, shared: Json, clusters: list[Json], part: int, parts: int, max_bytes: int
) -> ClusterEventRow:
    event = _envelope(run, shared, clusters, part, parts)
    size = _size(event)
    if size > max_bytes:
        raise InputRejected(f"{run['clustering_run_id']} part {part}: {size} bytes, allowed are {max_bytes}")
    return {
        "team_id": run["team_id"],
        "date": run["date"],
        "clustering_run_id": run["clustering_run_id"],
        "part": part,
        "parts": parts,
        "uuid": event["uuid"],
        "event": event["event"],
        "distinct_id": event["distinct_id"],
        "timestamp": run["window_end"],
        "properties": _dumps(event["properties"]).decode(),
    }


def _size(value: Any) -> int:
    """Bytes of `value` on the wire: capture SDKs write JSON with spaces and escapes, larger than ours."""
    return len(json.dumps(value, sort_keys=True))


def _dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6)
