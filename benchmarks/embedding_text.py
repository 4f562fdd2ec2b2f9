"""Which parts of an extractive summary to embed: `python benchmarks/embedding_text.py SOURCE_FOLDER`.

Embeds the summaries of the tau2-airline traces (50 tasks) and of one model's arena-hard traces (topics
named by its authors) whole, and with the user's requests only, and scores both against the authors'
labels: share of the 5 nearest neighbours with the same label, AMI of our clusters, CPU seconds.
"""

import gzip
import json
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.result import ClusteringParams
from llma_assets.embedding.minilm import MiniLMEmbedder
from llma_assets.summarization.extractive import request_bullets, summarize
from llma_assets.summarization.flow import flow_labels
from llma_assets.summarization.summary import Summary, embedding_text
from llma_assets.traces.event import Event
from llma_assets.traces.text import render_trace

RESULT = Path(__file__).parent / "results" / "embedding_text.json"
SETS = {
    "tau2_airline": ("tau2_airline_events.jsonl.gz", "source_task_id"),
    "arena_hard": ("arena_hard_v01_events.jsonl.gz", "source_cluster"),
}


def main(source: Path) -> None:
    """Score each set and each choice of parts, and write the result."""
    embedder, cases = MiniLMEmbedder(), []
    for name, (file, label) in SETS.items():
        summaries, labels = read(source / file, label)
        for parts, text in (("whole", whole), ("requests", requests)):
            texts = [text(summary) for summary in summaries]
            begun = time.process_time()
            vectors = embedder.embed(texts)
            cpu_s = time.process_time() - begun
            found = cluster(vectors, ClusteringParams())
            cases.append(
                {
                    "set": name,
                    "parts": parts,
                    "texts": len(texts),
                    "mean_chars": round(float(np.mean([len(text) for text in texts]))),
                    "cpu_s": round(cpu_s, 1),
                    "same_label_among_5_nearest": round(neighbours_alike(vectors, labels), 3),
                    "ami": round(float(adjusted_mutual_info_score(labels, found.labels)), 3),
                    "noise_share": round(float(np.mean(found.labels < 0)), 3),
                    "clusters": len(found.clusters),
                }
            )
            print(cases[-1])
    versions = {name: version(name) for name in ("onnxruntime", "hdbscan", "numpy", "scikit-learn")}
    RESULT.write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")


def read(path: Path, label: str) -> tuple[list[Summary], np.ndarray]:
    """Summaries and labels of the traces of a file; of several answers to a prompt, the first by trace id."""
    traces: dict[str, list[dict]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            traces.setdefault(event["properties"]["$ai_trace_id"], []).append(event)
    summaries, labels, seen = [], [], set()
    for trace_id in sorted(traces):
        events = traces[trace_id]
        if label == "source_cluster" and events[0]["distinct_id"] in seen:
            continue
        seen.add(events[0]["distinct_id"])
        labels.append(next(str(e["properties"][label]) for e in events if e["properties"].get(label) is not None))
        summaries.append(summarize(render_trace([as_event(event, trace_id) for event in events])))
    return summaries, np.array(labels)


def as_event(event: dict, trace_id: str) -> Event:
    """An event of a file as the pure code takes it, without its labels."""
    properties = {name: value for name, value in event["properties"].items() if not name.startswith("source")}
    at = datetime.fromisoformat(event["timestamp"])
    span, parent = properties.get("$ai_span_id"), properties.get("$ai_parent_id")
    return Event(event["uuid"], event["event"], at, trace_id, span, parent, properties)


def whole(summary: Summary) -> str:
    """Every part."""
    flow = " -> ".join(flow_labels(summary.flow_diagram))
    return embedding_text(summary.title, flow, [b.text for b in summary.bullets], [n.text for n in summary.notes])


def requests(summary: Summary) -> str:
    """Title and requests, as the pipeline embeds them."""
    return embedding_text(summary.title, None, request_bullets([b.text for b in summary.bullets]), [])


def neighbours_alike(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Mean share of the 5 nearest rows (cosine) that have a row's own label."""
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -np.inf)
    nearest = np.argsort(-similar, axis=1)[:, :5]
    return float((labels[nearest] == labels[:, None]).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
