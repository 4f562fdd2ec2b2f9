"""Whether clusters are known again the next day: planted changes, names, time.

    python benchmarks/lineage.py DATA_FOLDER [--vectors FOLDER]

DATA_FOLDER holds banking77.parquet. Three questions; what the clusterer makes of windows is in `replays.py`.

* `planted`: intents as clusters, with errors as a clusterer makes them, and births, deaths, splits and mergers in them.
  Precision and recall are over clusters that the change happened to.
* `names`: centroids of groups of the same intent and of neighbouring ones, and when a cluster whose members are
  replaced little by little by those of another intent loses its name.
* `time`: matching, and the view over 30 days of 20 teams with 40 clusters each.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
from labelled_sets import all_banking, vectors_of

from llma_assets.cli.project import Project
from llma_assets.clustering.overlap import KEPT_JACCARD
from llma_assets.clustering.result import NOISE
from llma_assets.clustering.threads import single_thread
from llma_assets.labeling.naming import NAME_COSINE, NAME_JACCARD
from llma_assets.lake import Lake
from llma_assets.lineage.edge import Change, Edge
from llma_assets.lineage.match import KEPT_COSINE, MOST, SUBSTANTIAL, ClusterMembership, match
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE
from llma_assets.team_day import TeamDay

RESULT = Path(__file__).parent / "results" / "lineage.json"
LIBRARIES = ("numpy", "scipy", "hdbscan", "duckdb", "pyarrow")
# Of a cluster's members as a clusterer that learns from another sample each night errs: called noise, given to the
# nearest other cluster, and not looked at.
NOISE_SHARE, MOVED_SHARE, UNSEEN_SHARE = 0.10, 0.05, 0.33
PLANTED_NIGHTS = 200
PLANTS = 3


def mean_of(vectors: np.ndarray) -> np.ndarray:
    """The centroid's direction."""
    mean = vectors.mean(axis=0)
    return mean / np.linalg.norm(mean)


def snapshot(vectors: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> ClusterMembership:
    """A run over `rows` of the pool that were given `labels`."""
    centroids = {int(label): mean_of(vectors[rows[labels == label]]) for label in np.unique(labels) if label != NOISE}
    return ClusterMembership({str(row): int(label) for row, label in zip(rows, labels, strict=True)}, centroids)


# --- planted ----------------------------------------------------------------------------------------------------------


def nearest_pairs(centres: np.ndarray, wanted: int, free: list[int]) -> list[tuple[int, int]]:
    """Pairs of neighbouring intents among `free`, no intent twice."""
    cosines = centres @ centres.T
    pairs = sorted(((cosines[a, b], a, b) for a in free for b in free if a < b), reverse=True)
    found: list[tuple[int, int]] = []
    for _, a, b in pairs:
        if len(found) < wanted and not any({a, b} & set(pair) for pair in found):
            found.append((a, b))
    return found


def with_errors(labels: np.ndarray, nearest: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`labels` with members called noise or given to the nearest other cluster."""
    drawn = random.random(len(labels))
    moved = np.where(drawn < NOISE_SHARE + MOVED_SHARE, nearest[labels], labels)
    return np.where(drawn < NOISE_SHARE, NOISE, moved)


def planted_night(vectors: np.ndarray, intents: np.ndarray, changed: float, seed: int) -> Counter[str]:
    """Right, wrong and missed findings of one pair of nights."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(vectors))
    pool = order[: int(3_000 * (1 + changed))]
    days = [pool[:3_000], pool[len(pool) - 3_000 :]]
    count = int(intents.max()) + 1
    centres = np.array([mean_of(vectors[intents == one]) for one in range(count)])
    mixed = list(map(int, random.permutation(count)))
    born, died, rest = mixed[:PLANTS], mixed[PLANTS : 2 * PLANTS], mixed[2 * PLANTS :]
    pairs = nearest_pairs(centres, 2 * PLANTS, rest[: len(rest) // 2])
    split, merged = pairs[:PLANTS], pairs[PLANTS:]
    nights = []
    for absent, joined, window in ((born, split, days[0]), (died, merged, days[1])):
        seen = window[~np.isin(intents[window], absent)]
        seen = seen[random.random(len(seen)) >= UNSEEN_SHARE]
        into = np.arange(count)
        for a, b in joined:
            into[b] = a
        cosines = centres @ centres.T
        gone = [*absent, *(b for _, b in joined)]
        cosines[:, gone] = -1.0
        cosines[np.arange(count), np.arange(count)] = -1.0
        nights.append(snapshot(vectors, seen, with_errors(into[intents[seen]], cosines.argmax(axis=1), random)))
    edges = match(nights[1], nights[0])
    # Cluster ids are intents here.
    truth = {
        Change.BORN: set(born),
        Change.DIED: set(died),
        Change.SPLIT: {a for a, _ in split},
        Change.MERGED: {a for a, _ in merged},
        Change.KEPT: set(mixed) - set(born) - set(died) - {b for _, b in (*split, *merged)},
    }
    return scored(edges, truth)


def scored(edges: list[Edge], truth: dict[Change, set[int]]) -> Counter[str]:
    """Counts by change; a split is of the earlier cluster, a merger of the later one."""
    at_earlier = (Change.DIED, Change.SPLIT)
    result: Counter[str] = Counter()
    for change, wanted in truth.items():
        of_change = [edge for edge in edges if edge.change == change]
        found = {edge.earlier_cluster_id if change in at_earlier else edge.cluster_id for edge in of_change}
        if change == Change.KEPT:
            # One that was split may go on in either of its parts.
            parts = truth[Change.SPLIT] | truth[Change.MERGED]
            wanted = wanted - parts
            found = {e.cluster_id for e in of_change if e.cluster_id == e.earlier_cluster_id} - parts
            result["kept wrong"] += sum(
                e.cluster_id != e.earlier_cluster_id and e.cluster_id in wanted for e in of_change
            )
            result["kept right"] += len(found & wanted)
            result["kept missed"] += len(wanted - found)
            continue
        result[f"{change} right"] += len(found & wanted)
        result[f"{change} wrong"] += len(found - wanted)
        result[f"{change} missed"] += len(wanted - found)
    return result


def planted(vectors: np.ndarray, labels: np.ndarray, changed: float) -> dict[str, object]:
    """Precision and recall over all nights."""
    _, intents = np.unique(labels, return_inverse=True)
    total: Counter[str] = Counter()
    for seed in range(PLANTED_NIGHTS):
        total += planted_night(vectors, intents, changed, seed)
    found: dict[str, object] = {"nights": PLANTED_NIGHTS, "planted_of_each": PLANTS * PLANTED_NIGHTS}
    for change in (Change.KEPT, Change.BORN, Change.DIED, Change.SPLIT, Change.MERGED):
        right, wrong, missed = (total[f"{change} {what}"] for what in ("right", "wrong", "missed"))
        found[change] = {"precision": round(right / (right + wrong), 3), "recall": round(right / (right + missed), 3)}
    return found


# --- names ------------------------------------------------------------------------------------------------------------


def names(vectors: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    """Centroid cosines of disjoint groups of an intent, and of groups of it and of its nearest neighbour."""
    random = np.random.default_rng(1)
    intents = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    keys = list(intents)
    centres = np.array([mean_of(vectors[rows]) for rows in intents.values()])
    cosines = centres @ centres.T
    np.fill_diagonal(cosines, -1.0)
    neighbour = {key: keys[int(cosines[n].argmax())] for n, key in enumerate(keys)}
    result: dict[str, object] = {}
    for size in (8, 15, 30):
        same, other = [], []
        for one in [key for key, rows in intents.items() if len(rows) >= 2 * size] * 20:
            rows = random.permutation(intents[one])
            here = mean_of(vectors[rows[:size]])
            same.append(here @ mean_of(vectors[rows[size : 2 * size]]))
            other.append(here @ mean_of(vectors[random.permutation(intents[neighbour[one]])[:size]]))
        result[f"groups of {size}"] = {
            "same_intent_at_threshold": round(float(np.mean(np.array(same) >= NAME_COSINE)), 3),
            "nearest_intent_at_threshold": round(float(np.mean(np.array(other) >= NAME_COSINE)), 3),
        }
    anybody = {one: str(random.choice([key for key in keys if key != one])) for one in keys}
    result["drift_to_nearest_intent"] = drift(vectors, intents, neighbour, random)
    result["drift_to_any_intent"] = drift(vectors, intents, anybody, random)
    return result


def drift(
    vectors: np.ndarray, intents: dict[str, np.ndarray], neighbour: dict[str, str], random: np.random.Generator
) -> dict[str, object]:
    """Foreign share at which a cluster of 40, a twentieth of which is replaced each night by another intent's, is
    named again."""
    at_share = []
    for intent, rows in intents.items():
        own, foreign = random.permutation(rows), random.permutation(intents[neighbour[intent]])
        if len(own) < 80 or len(foreign) < 40:
            continue
        named = mean_of(vectors[own[:40]])
        shares = (n / 20 for n in range(21))
        mixed = ((s, np.r_[own[40 : 80 - int(40 * s)], foreign[: int(40 * s)]]) for s in shares)
        at_share.append(next((s for s, rows in mixed if float(named @ mean_of(vectors[rows])) < NAME_COSINE), 2.0))
    return {
        "clusters": len(at_share), "median_foreign_share": statistics.median(at_share),
        "named_again_by_three_quarters": round(sum(s <= 0.75 for s in at_share) / len(at_share), 3),
        "never_named_again": round(sum(s > 1 for s in at_share) / len(at_share), 3),
    }  # fmt: skip


# --- time -------------------------------------------------------------------------------------------------------------


def best_s(work: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def matching_ms(items: int, dimensions: int = 384) -> float:
    """Milliseconds of matching 90 clusters with 90, six sevenths of the items shared; on one thread."""
    random = np.random.default_rng(3)
    runs = []
    for first in (0, items // 7):
        labels = {str(n): int((n + (random.random() < 0.05)) % 90) for n in range(first, first + items)}
        runs.append(ClusterMembership(labels, {c: random.normal(size=dimensions) for c in range(90)}))
    with single_thread():
        return round(best_s(lambda: match(runs[1], runs[0])) * 1_000, 2)


def fill(lake: Lake, days: int, teams: int, clusters: int, items: int = 500) -> None:
    """Clusters and edges of many team-days, made up."""
    random = np.random.default_rng(0)
    for team in range(teams):
        for n in range(days):
            day = TeamDay(f"team{team}", date(2026, 1, 1) + timedelta(days=n))
            run_id = f"{day.team}_trace_{n}"
            centroids = random.normal(size=(clusters, 384)).astype(np.float32)
            run = {field.name: None if field.nullable else 0 for field in CLUSTER_ASSIGNMENTS.schema} | {
                "team_id": day.team, "date": day.day, "clustering_run_id": run_id, "level": "trace", "job_id": "",
                "job_name": "", "window_start": day.start, "window_end": day.end, "status": "clustered",
                "reason": None, "method": "hdbscan", "params": "{}", "algorithm_version": "1", "guard_path": [],
                "embedding_model": "m", "content_hash": str(n),
                "clusters": [
                    {"cluster_id": c, "size": 1, "centroid": centroids[c], "centroid_x": 0.0, "centroid_y": 0.0,
                     "exemplars": []} for c in range(clusters)
                ],
                "items": [
                    {"item_id": f"{n}-{i}", "trace_id": "t", "trace_timestamp": day.start, "cluster_id": i % clusters,
                     "probability": 1.0, "outlier_score": 0.0, "distance_to_centroid": 0.0, "rank": i, "x": 0.0,
                     "y": 0.0} for i in range(items)
                ],
            }  # fmt: skip
            lake.write("cluster_assignments", day, pa.Table.from_pylist([run], CLUSTER_ASSIGNMENTS.schema))
            edge = dict.fromkeys(CLUSTER_LINEAGE.names) | {
                "team_id": day.team, "date": day.day, "clustering_run_id": run_id, "level": "trace", "job_id": "",
                "content_hash": str(n), "change": "born",
            }  # fmt: skip
            kept = {
                "change": "kept", "earlier_clustering_run_id": f"{day.team}_trace_{n - 1}",
                "earlier_date": day.day - timedelta(days=1), "earlier_content_hash": str(n - 1),
            }  # fmt: skip
            # Every twentieth cluster is a new one.
            edges = [
                edge | {"cluster_id": c} | (kept | {"earlier_cluster_id": c} if n and (c + n) % 20 else {})
                for c in range(clusters)
            ]
            lake.write("cluster_lineage", day, pa.Table.from_pylist(edges, CLUSTER_LINEAGE.schema))


def view_time(days: int = 30, teams: int = 20, clusters: int = 40) -> dict[str, object]:
    """Seconds of the view's query on an open connection, and of opening one, which makes every view."""
    from llma_assets.queries.views import query

    with tempfile.TemporaryDirectory() as folder:
        fill(Lake(folder), days, teams, clusters)
        os.environ["LLMA_HOME"] = folder
        project = Project()
        text = "SELECT count(*) AS rows, count(DISTINCT lineage_id) AS lineages FROM cluster_lineages"
        started = time.perf_counter()
        with project.views() as connection:
            opened = time.perf_counter() - started
            counts = query(connection, text).to_pylist()[0]
            seconds = best_s(lambda: query(connection, text))
            changes = best_s(lambda: query(connection, "SELECT count(title) AS n FROM cluster_changes"))
    return {
        "days": days, "teams": teams, "clusters": clusters, **counts, "cluster_lineages_s": round(seconds, 3),
        "cluster_changes_s": round(changes, 3), "opening_s": round(opened, 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    arguments = parser.parse_args()
    texts, intents = all_banking(arguments.data)
    vectors, labels = vectors_of("banking77_all", texts, arguments.vectors), np.array(intents)
    report: dict[str, object] = {
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "cores": os.cpu_count(),
        "thresholds": {
            "kept_jaccard": KEPT_JACCARD, "substantial": SUBSTANTIAL, "most": MOST, "kept_cosine": KEPT_COSINE,
            "name_jaccard": NAME_JACCARD, "name_cosine": NAME_COSINE,
        },
        "errors_planted": {"noise": NOISE_SHARE, "moved": MOVED_SHARE, "unseen": UNSEEN_SHARE},
        "time": {
            "matching_90_by_90_ms": {f"{n} items": matching_ms(n) for n in (2_000, 20_000)},
            "view": view_time(),
        },
        "planted": {f"{c:.0%} changed": planted(vectors, labels, c) for c in (0.05, 0.15)},
        "names": names(vectors, labels),
    }  # fmt: skip
    print(json.dumps(report, indent=1))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
