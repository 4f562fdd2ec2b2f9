"""Ways to cluster the same vectors: ours, what it replaced, and what others do.

A method takes unit vectors (n, d), their texts and a seed, and gives the labels as the method itself leaves them
(`raw`) and, where it assigns some of its noise, also those (`assigned`). Nothing is imported before it is used: each
method runs in a process of its own, whose memory and start are measured.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

NOISE = -1


@dataclass(frozen=True)
class Found:
    """Labels, int32 of shape (n,), `NOISE` or any other ids."""

    raw: np.ndarray
    assigned: np.ndarray | None = None


Method = Callable[[np.ndarray, list[str], int], Found]


def ours(vectors: np.ndarray) -> np.ndarray:
    """The labels of the default method."""
    return _ours(vectors, [], 42).assigned  # type: ignore[return-value]


def version_one(vectors: np.ndarray) -> np.ndarray:
    """The labels of v1 k-means."""
    return _version_one(vectors, [], 42).raw


def _ours(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from llma_assets.clustering.cluster import cluster
    from llma_assets.clustering.result import ClusteringParams

    made = cluster(unit, ClusteringParams())
    return Found(np.where(made.raw_noise, NOISE, made.labels), made.labels)


def _version_one(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from llma_assets.clustering.cluster import cluster
    from llma_assets.clustering.result import ClusteringParams

    return Found(cluster(unit, ClusteringParams(method="kmeans")).labels)


def _smallest(size: int, share: float) -> int:
    return max(5, math.ceil(share * size))


def _hdbscan(points: np.ndarray, smallest: int) -> Found:
    from hdbscan import HDBSCAN

    # In many dimensions its trees are slower than all pairs.
    algorithm = "generic" if points.shape[1] > 10 and len(points) <= 4000 else "best"
    model = HDBSCAN(smallest, min_samples=5, algorithm=algorithm, core_dist_n_jobs=1)
    return Found(model.fit_predict(points.astype(np.float64)).astype(np.int32))


def _umap_5(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from umap import UMAP

    model = UMAP(n_components=5, n_neighbors=15, min_dist=0.0, metric="cosine", random_state=seed, n_jobs=1)
    return _hdbscan(model.fit_transform(unit), _smallest(len(unit), 0.005))


def _umap_100(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from hdbscan import HDBSCAN
    from umap import UMAP

    # On vectors of length 1, as the recipe has it, straight distances rank as cosine does.
    points = UMAP(n_components=100, n_neighbors=15, min_dist=0.0, random_state=42, n_jobs=1).fit_transform(unit)
    return Found(HDBSCAN(_smallest(len(unit), 0.02), min_samples=5).fit_predict(points).astype(np.int32))


def _bertopic(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from bertopic import BERTopic

    labels, _ = BERTopic().fit_transform(texts, unit)
    return Found(np.array(labels, np.int32))


def _pca_50(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from llma_assets.clustering.reduction import pca

    return _hdbscan(pca(unit, 50), _smallest(len(unit), 0.005))


def _neighbors(unit: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    from llma_assets.clustering.graph import neighbor_count
    from llma_assets.clustering.neighbors import nearest
    from llma_assets.clustering.vectors import deduplicate

    distinct = deduplicate(unit)
    return distinct, *nearest(distinct.unit, neighbor_count(len(distinct.unit), 15))


def _spectral(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    """Row-normalised eigenvectors, scaled by their values, of a graph with Gaussian weights: the default before."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import eigsh

    distinct, indices, distances = _neighbors(unit)
    size, count = indices.shape
    # Each row's own scale is its 7th neighbour's distance.
    scale = np.sqrt(np.maximum(2.0 * distances[:, min(7, count) - 1], 1e-12))
    weights = np.maximum(np.exp(-2.0 * distances / (scale[:, None] * scale[indices])), 1e-8)
    directed = csr_matrix((weights.ravel(), (np.repeat(np.arange(size), count), indices.ravel())), shape=(size, size))
    graph = (directed + directed.T) / 2.0
    root = 1.0 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    graph = graph.multiply(root[:, None]).multiply(root[None, :]).tocsr()
    components = max(2, min(round(1.5 * math.sqrt(size)), 100, size - 1))
    start = np.random.default_rng(42).standard_normal(size)
    values, basis = eigsh(graph, k=components, which="LA", v0=start)
    points = basis * np.maximum(values, 0.0)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return Found(_hdbscan(points, _smallest(size, 0.005)).raw[distinct.of_row])


def _louvain(resolution: float, unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from sknetwork.clustering import Louvain

    from llma_assets.clustering.graph import fuzzy_graph

    distinct, indices, distances = _neighbors(unit)
    labels = Louvain(resolution=resolution, random_state=42).fit_predict(fuzzy_graph(indices, distances))
    return Found(labels.astype(np.int32)[distinct.of_row])


def _ours_with_embedding(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from llma_assets.embedding.minilm import MiniLMEmbedder

    return _ours(MiniLMEmbedder().embed(texts), texts, seed)


def _ours_with_short_embedding(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    from llma_assets.embedding import minilm

    minilm.MAX_PIECES = 1
    return _ours_with_embedding(unit, texts, seed)


def _bertopic_with_embedding(unit: np.ndarray, texts: list[str], seed: int) -> Found:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from bertopic import BERTopic
    from sentence_transformers import SentenceTransformer

    from llma_assets.embedding.minilm import find_model

    # Its default model, from the same files as ours.
    labels, _ = BERTopic(embedding_model=SentenceTransformer(str(find_model()))).fit_transform(texts)
    return Found(np.array(labels, np.int32))


OURS = "ours"
# What each needs beyond what we depend on.
METHODS: dict[str, tuple[Method, tuple[str, ...]]] = {
    OURS: (_ours, ()),
    "UMAP-5 + HDBSCAN (.005 n)": (_umap_5, ("umap",)),
    "PostHog's recipe (UMAP-100, 2 % of n)": (_umap_100, ("umap",)),
    "BERTopic, defaults": (_bertopic, ("bertopic",)),
    "k-means (v1)": (_version_one, ()),
    "spectral + HDBSCAN (.005 n)": (_spectral, ()),
    "PCA-50 + HDBSCAN (.005 n)": (_pca_50, ()),
    # How many groups there are is what it is told, 8 by these labels; in 1,000 random points it finds 139 (ours none).
    **{f"Louvain, resolution {n}": (partial(_louvain, n), ("sknetwork",)) for n in (2, 8, 32)},
}
# These depend on their seed, or draw one; what is reported is the mean of three.
SEEDED = ("UMAP-5 + HDBSCAN (.005 n)", "BERTopic, defaults")
WITH_EMBEDDING: dict[str, tuple[Method, tuple[str, ...]]] = {
    OURS: (_ours_with_embedding, ()),
    # As sentence-transformers, which cuts longer texts off there.
    "ours, of each text the first 256 tokens": (_ours_with_short_embedding, ()),
    "BERTopic, defaults": (_bertopic_with_embedding, ("bertopic", "sentence_transformers")),
}
