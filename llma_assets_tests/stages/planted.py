"""Clustering runs as a test says them, without a clusterer: items by topic, in clusters by number."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pyarrow as pa

from llma_assets.emission.identity import clustering_run_id
from llma_assets.lake import Lake
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS, ClusteringRunRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay

DIMENSIONS = 32
WINDOW_DAYS = 7


def items(topic: str, first: int, last: int, cluster_id: int) -> dict[str, int]:
    """Items `topic-first` to `topic-(last − 1)` in one cluster."""
    return {f"{topic}-{n:03d}": cluster_id for n in range(first, last)}


def plant(
    lake: Lake, day: TeamDay, cluster_of: Mapping[str, int], theme_of: Mapping[int, int] | None = None, **changes: Any
) -> ClusteringRunRow:
    """Write one trace-level run with these clusters and themes, and the summaries of its items on its day.

    The centroid of a cluster is the mean of its members' topics, each an axis of its own.
    """
    row = cast("ClusteringRunRow", run_row(day, cluster_of) | changes)
    for cluster in row["clusters"]:
        cluster["theme_id"] = (theme_of or {}).get(cluster["cluster_id"])
    lake.write("cluster_assignments", day, pa.Table.from_pylist([row], CLUSTER_ASSIGNMENTS.schema), row["content_hash"])
    summaries = [summary_row(day, item_id) for item_id in cluster_of]
    lake.write("trace_summaries", day, pa.Table.from_pylist(summaries, TRACE_SUMMARIES.schema))
    return row


def run_row(day: TeamDay, cluster_of: Mapping[str, int]) -> ClusteringRunRow:
    """A row of cluster_assignments; without items it is a run that was skipped."""
    groups: dict[int, list[str]] = {}
    for item_id in sorted(cluster_of):
        groups.setdefault(cluster_of[item_id], []).append(item_id)
    noise = len(groups.get(-1, []))
    row = dict.fromkeys(CLUSTER_ASSIGNMENTS.names) | {
        "team_id": day.team,
        "date": day.day,
        "clustering_run_id": clustering_run_id(day.team, "trace", day.end),
        "level": "trace",
        "job_id": "",
        "job_name": "Default - trace",
        "window_start": day.start - timedelta(days=WINDOW_DAYS - 1),
        "window_end": day.end,
        "status": "clustered" if cluster_of else "skipped",
        "reason": None if cluster_of else "no_items",
        "min_items": 1,
        "items_in_window": len(cluster_of),
        "items_other_model": 0,
        "items_analyzed": len(cluster_of),
        "items_clustered": len(cluster_of) - noise,
        "items_noise": noise,
        "method": "hdbscan",
        "params": "{}",
        "seed": 1,
        "algorithm_version": "1",
        "embedding_model": "m" if cluster_of else None,
        "guard_path": [],
        "content_hash": hashlib.sha256(json.dumps(sorted(cluster_of.items())).encode()).hexdigest()[:16],
        "clusters": [_cluster(item, members) for item, members in sorted(groups.items()) if item >= 0],
        "items": [
            {
                "item_id": item_id, "trace_id": item_id, "trace_timestamp": day.start, "cluster_id": item,
                "probability": 1.0, "outlier_score": 0.0, "distance_to_centroid": 0.1, "rank": rank, "x": 0.0, "y": 0.0,
            }
            for item, members in sorted(groups.items()) for rank, item_id in enumerate(members)
        ],
    }  # fmt: skip
    return cast("ClusteringRunRow", row)


def _cluster(cluster_id: int, members: list[str]) -> dict[str, Any]:
    centroid = [0.0] * DIMENSIONS
    for item_id in members:
        centroid[_axis(item_id)] += 1.0 / len(members)
    shape = {"cluster_id": cluster_id, "size": len(members), "centroid": centroid, "exemplars": members[:3]}
    return shape | {"centroid_x": 0.0, "centroid_y": 0.0}


def _axis(item_id: str) -> int:
    topic = item_id.rpartition("-")[0]
    return int(hashlib.sha256(topic.encode()).hexdigest(), 16) % DIMENSIONS


def summary_row(day: TeamDay, item_id: str) -> dict[str, Any]:
    """A row of trace_summaries that speaks of the item's topic."""
    topic, _, number = item_id.rpartition("-")
    note = {"text": f"The user asks about the {topic} of order {number}.", "line_refs": ""}
    return dict.fromkeys(TRACE_SUMMARIES.names) | {
        "team_id": day.team, "date": day.day, "level": "trace", "item_id": item_id, "trace_id": item_id,
        "trace_timestamp": day.start, "status": "summarized", "title": f"Question about {topic} delivery",
        "summary_bullets": [note], "interesting_notes": [], "content_hash": "h", "event_count": 1,
        "batch_run_id": "b", "event_uuid": "u", "item_error_count": 0, "item_generation_count": 1, "item_models": [],
    }  # fmt: skip
