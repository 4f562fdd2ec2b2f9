"""Real texts with labels that no method sees, and their MiniLM vectors: what the clustering benchmarks share."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from llma_assets.embedding.minilm import MiniLMEmbedder
from llma_assets.summarization.extractive import request_bullets, summarize
from llma_assets.summarization.summary import embedding_text
from llma_assets.traces.event import Event
from llma_assets.traces.text import render_trace

Labelled = tuple[list[str], list[str]]


def banking(data: Path, count: int = 2000, seed: int = 1) -> Labelled:
    """Customer queries and their intents, 77 of them."""
    rows = pd.read_parquet(data / "banking77.parquet").sample(count, random_state=seed)
    return rows["text"].tolist(), rows["label"].tolist()


def all_banking(data: Path) -> Labelled:
    """All 13,083 queries."""
    rows = pd.read_parquet(data / "banking77.parquet")
    return rows["text"].tolist(), rows["label"].tolist()


def traces(data: Path, name: str, truth: str, requests_only: bool = False) -> Labelled:
    """The summaries of all traces of a file, and what they should be grouped by.

    Args:
        requests_only: of each summary title and requests, as the pipeline embeds those that no model wrote.
    """
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
        bullets, notes = [b.text for b in summary.bullets], [note.text for note in summary.notes]
        if requests_only:
            texts.append(embedding_text(summary.title, None, request_bullets(bullets), []))
        else:
            texts.append(embedding_text(summary.title, summary.flow_diagram, bullets, notes))
    return texts, [labels[trace_id] for trace_id in sorted(grouped)]


# Which several models answered the same request in: arena hard (3) and torchhub (8).
SETS: dict[str, tuple[str, Callable[[Path], Labelled]]] = {
    "banking77, 2,000 queries": ("banking77", banking),
    "banking77, 5,000 queries": ("banking77_5000", lambda data: banking(data, 5000, 2)),
    "tau2 airline, 517 traces": ("tau2_airline", lambda data: traces(data, "tau2_airline", "distinct_id")),
    "arena hard, 1,500 traces": ("arena_hard_v01", lambda data: traces(data, "arena_hard_v01", "source_cluster")),
    "gorilla torchhub, 1,488 requests": (
        "gorilla_torchhub",
        lambda data: traces(data, "gorilla_torchhub", "distinct_id"),
    ),
}
# The same traces by what the pipeline embeds of them.
REQUESTS: dict[str, tuple[str, Callable[[Path], Labelled]]] = {
    "tau2 airline, 517 traces, title and requests": (
        "tau2_airline_requests",
        lambda data: traces(data, "tau2_airline", "distinct_id", requests_only=True),
    ),
    "gorilla torchhub, 1,488 requests, title and requests": (
        "gorilla_torchhub_requests",
        lambda data: traces(data, "gorilla_torchhub", "distinct_id", requests_only=True),
    ),
}


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
