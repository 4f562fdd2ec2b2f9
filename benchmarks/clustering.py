"""How well and how fast each method clusters: labelled queries and real traces, embedded with MiniLM.

    python benchmarks/clustering.py DATA_FOLDER [--vectors FOLDER]

Scores compare with the data's own labels, which the methods never see: banking77's intents, the task
behind each airline conversation, the question behind each API request (several models answered each).
AMI and ARI count noise as one group; `ami_reassigned` first gives noise to the nearest centroid.
Times are of the clustering alone, warm, with the map unless said.
"""

import argparse
import gzip
import json
import math
import platform
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from hdbscan import HDBSCAN
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.density import by_density
from llma_assets.clustering.reduction import pca
from llma_assets.clustering.result import NOISE, ClusteringParams
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import fold, unit_vectors
from llma_assets.embedding.minilm import MiniLMEmbedder
from llma_assets.summarization.extractive import summarize
from llma_assets.summarization.summary import embedding_text
from llma_assets.traces.event import Event
from llma_assets.traces.text import render_trace

RESULT = Path(__file__).parent / "results" / "clustering.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "hdbscan", "onnxruntime")
# 20 is the least that is clustered at all; a small team has a few dozen items a week.
SMALL = (20, 50, 100, 200)
SMALL_DRAWS = 5


def banking(data: Path) -> tuple[list[str], list[str]]:
    """2,000 queries and their intents."""
    rows = pd.read_parquet(data / "banking77.parquet").sample(2000, random_state=1)
    return rows["text"].tolist(), rows["label"].tolist()


def traces(data: Path, name: str, truth: str) -> tuple[list[str], list[str]]:
    """The summaries of all traces of a file, and what they should be grouped by."""
    grouped: dict[str, list[Event]] = {}
    labels: dict[str, str] = {}
    with gzip.open(data / f"{name}_events.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            properties = row["properties"]
            trace_id = properties["$ai_trace_id"]
            when = datetime.fromisoformat(row["timestamp"])
            ids = (properties.get("$ai_span_id"), properties.get("$ai_parent_id"))
            grouped.setdefault(trace_id, []).append(
                Event(row["uuid"], row["event"], when, trace_id, *ids, properties=properties)
            )
            labels[trace_id] = str(row["distinct_id"] if truth == "distinct_id" else properties.get(truth))
    texts = []
    for trace_id in sorted(grouped):
        summary = summarize(render_trace(grouped[trace_id]))
        notes = [note.text for note in summary.notes]
        texts.append(embedding_text(summary.title, summary.flow_diagram, [b.text for b in summary.bullets], notes))
    return texts, [labels[trace_id] for trace_id in sorted(grouped)]


def vectors_of(name: str, texts: list[str], folder: Path | None) -> np.ndarray:
    """Embedded texts, kept in `folder` between runs."""
    path = folder / f"{name}.npy" if folder else None
    if path and path.exists() and len(kept := np.load(path)) == len(texts):
        return kept
    made = MiniLMEmbedder().embed(texts)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, made)
    return made


def ours(vectors: np.ndarray) -> np.ndarray:
    return cluster(vectors, ClusteringParams()).labels


def ours_without_map(vectors: np.ndarray) -> np.ndarray:
    with single_thread():
        return by_density(fold(unit_vectors(vectors)), ClusteringParams()).labels


def version_one(vectors: np.ndarray) -> np.ndarray:
    return cluster(vectors, ClusteringParams(method="kmeans")).labels


def pca_hdbscan(vectors: np.ndarray) -> np.ndarray:
    smallest = max(5, math.ceil(0.005 * len(vectors)))
    with single_thread():
        points = pca(unit_vectors(vectors), 50)
        return HDBSCAN(min_cluster_size=smallest, min_samples=5, core_dist_n_jobs=1).fit_predict(points)


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hdbscan (spectral)": ours,
    "hdbscan (spectral), without the map": ours_without_map,
    "kmeans (v1)": version_one,
    "PCA-50 + HDBSCAN": pca_hdbscan,
}


def nearest_centroid(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels with noise given to the nearest centroid."""
    found = np.unique(labels[labels != NOISE])
    if not len(found):
        return labels
    centres = np.stack([unit[labels == label].mean(axis=0) for label in found])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return np.where(labels == NOISE, found[(unit @ centres.T).argmax(axis=1)], labels)


def measure(vectors: np.ndarray, truth: list[str], method: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """Scores and times of one method on one set."""
    cpu, wall = time.process_time(), time.perf_counter()
    labels = method(vectors)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    whole = nearest_centroid(unit_vectors(vectors), labels)
    return {
        "ami": round(adjusted_mutual_info_score(truth, labels), 3),
        "ami_reassigned": round(adjusted_mutual_info_score(truth, whole), 3),
        "ari_reassigned": round(adjusted_rand_score(truth, whole), 3),
        "noise_share": round(float((labels == NOISE).mean()), 3),
        "clusters": len(set(labels.tolist()) - {NOISE}),
        "largest_share": round(float(np.bincount(labels[labels != NOISE], minlength=1).max() / len(labels)), 3),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
    }


def measure_small(vectors: np.ndarray, truth: list[str], size: int) -> dict[str, dict[str, float]]:
    """Means over draws of `size` items from a few groups of one set: what a small team has."""
    rows: dict[str, list[dict[str, float]]] = {}
    for draw in range(SMALL_DRAWS):
        random = np.random.default_rng(draw)
        groups = random.choice(np.unique(truth), max(2, size // 12), replace=False)
        of_groups = random.permutation(np.flatnonzero(np.isin(truth, groups)))[:size]
        for name, method in METHODS.items():
            if "without" not in name:
                chosen = [truth[row] for row in of_groups]
                rows.setdefault(name, []).append(measure(vectors[of_groups], chosen, method))
    return {
        name: {key: round(float(np.mean([row[key] for row in found])), 3) for key in found[0]}
        for name, found in rows.items()
    }


def uniform(size: int, dimensions: int) -> dict[str, float | str]:
    """What is made of points that have no structure."""
    points = np.random.default_rng(size + dimensions).normal(size=(size, dimensions)).astype(np.float32)
    found = cluster(points, ClusteringParams())
    noise = found.quality["noise_share"]
    return {"clusters": len(found.clusters), "noise_share": float(noise or 0), "path": " > ".join(found.guard_path)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="The number of unique classes")
    sets = {
        "banking77, 2,000 queries": banking(arguments.data),
        "tau2 airline, 517 traces": traces(arguments.data, "tau2_airline", "distinct_id"),
        "gorilla torchhub, 1,488 requests": traces(arguments.data, "gorilla_torchhub", "distinct_id"),
    }
    results: dict[str, object] = {}
    ours(np.random.default_rng(0).normal(size=(50, 8)))  # warm: imports are not clustering
    for name, (texts, truth) in sets.items():
        vectors = vectors_of(name.split(",")[0].replace(" ", "_"), texts, arguments.vectors)
        results[name] = {method: measure(vectors, truth, run) for method, run in METHODS.items()}
        if name.startswith(("banking", "tau2")):
            for size in SMALL:
                results[f"{name.split(',')[0]}, {size} items of {max(2, size // 12)} groups"] = measure_small(
                    vectors, truth, size
                )
        print(name, json.dumps(results[name], indent=1))
    results["uniform on a sphere"] = {f"{n} × {d}": uniform(n, d) for d in (50, 384, 1536) for n in (50, 200, 2000)}
    versions = {name: version(name) for name in LIBRARIES}
    report = {"python": platform.python_version(), "versions": versions, "results": results}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
