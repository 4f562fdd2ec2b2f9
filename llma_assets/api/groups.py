"""Clusters of vectors and of texts that are in no lake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from llma_assets.clustering.result import NOISE, Clustering, ClusteringParams
from llma_assets.errors import InputRejected
from llma_assets.labeling.label import NOISE_TITLE, ItemEvidence
from llma_assets.vocabulary import ClusteringMethod

if TYPE_CHECKING:
    import pandas as pd

# As far as a text is read for a name; its vector may rest on more of it.
_NAMED_CHARS = 2_000


class Choices(TypedDict, total=False):
    """What may be chosen for a clustering; `ClusteringParams` says what each means and what it is by default."""

    method: ClusteringMethod
    min_cluster_size: int | None
    min_samples: int
    n_neighbors: int
    k_min: int
    k_max: int
    seed: int


@dataclass(frozen=True, slots=True)
class TextCluster:
    """One cluster of texts.

    Attributes:
        cluster_id: 0, 1, … by falling size.
        title, description, keywords: from the phrases that set its texts apart from those of the others.
        rows: places of its texts in the input, nearest to the centroid first.
        theme_id: the group of similar clusters that it belongs to.
    """

    cluster_id: int
    title: str
    description: str
    keywords: tuple[str, ...]
    rows: tuple[int, ...]
    theme_id: int

    @property
    def size(self) -> int:
        """How many texts it holds."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class TextClustering:
    """Clusters of n texts.

    Attributes:
        texts: as they were given.
        vectors: float32, shape (n, d).
        clusters: the largest first; texts that resemble no group are in none.
        clustering: all that the clustering says: probabilities, distances, quality, parameters.
    """

    texts: tuple[str, ...]
    vectors: np.ndarray
    clusters: tuple[TextCluster, ...]
    clustering: Clustering

    @property
    def labels(self) -> np.ndarray:
        """Cluster id of each text, −1 where it is in none: int32, shape (n,)."""
        return self.clustering.labels

    @property
    def xy(self) -> np.ndarray:
        """The place of each text on the map: float64, shape (n, 2)."""
        return self.clustering.xy

    def frame(self) -> "pd.DataFrame":
        """One row a text, in their order: text, cluster_id, title, rank in the cluster, probability, x, y."""
        import pandas as pd

        titles = {one.cluster_id: one.title for one in self.clusters} | {NOISE: NOISE_TITLE}
        return pd.DataFrame(
            {
                "text": self.texts,
                "cluster_id": self.labels,
                "title": [titles[label] for label in self.labels.tolist()],
                "rank": self.clustering.ranks,
                "probability": self.clustering.probabilities,
                "x": self.xy[:, 0],
                "y": self.xy[:, 1],
            }
        )


def cluster(vectors: ArrayLike, **choices: Unpack[Choices]) -> Clustering:
    """Group vectors by direction. The same rows in the same order give the same result.

    Args:
        vectors: shape (n, d), any length; a NumPy array, nested lists, or a pandas or Arrow column of vectors.
        choices: fields of `ClusteringParams`, such as `min_cluster_size=10` or `method="kmeans"`.

    Returns:
        Labels, ranks, distances, map, clusters and quality, in the order of the rows; label −1 is noise.

    Raises:
        InputRejected: a choice out of range, another shape, or a row that holds NaN or only zeros; the row is named.
    """
    from llma_assets.clustering.cluster import cluster as cluster_vectors

    return cluster_vectors(_matrix(vectors), ClusteringParams(**choices))


def embed(texts: Sequence[str]) -> np.ndarray:
    """Vectors of texts by the model on this machine that `LLMA_EMBEDDER` names: float32, shape (n, d), length 1.

    Raises:
        InputRejected: an item is no text, or the embedder is one of a server.
        MissingExtra: the model's files are not there; the message says what to type.
    """
    from llma_assets.providers import embedder_of
    from llma_assets.settings import load_settings

    provider = embedder_of(load_settings())
    if provider.server_model:
        raise InputRejected(
            "LLMA_EMBEDDER: calls to a server are charged to a team of a lake, and here is none; set minilm or lsa, or "
            "give vectors of your own: llma.cluster(vectors), llma.cluster_texts(texts, embed=function)"
        )
    known = _checked(texts)
    embedder = provider.service()
    distinct = {text: place for place, text in enumerate(dict.fromkeys(known))}
    made = embedder.embed(list(distinct)) if distinct else np.zeros((0, embedder.dim), np.float32)
    return made[[distinct[text] for text in known]]


def cluster_texts(
    texts: Sequence[str], *, embed: Callable[[Sequence[str]], ArrayLike] | None = None, **choices: Unpack[Choices]
) -> TextClustering:
    """Group texts by what they mean, and name the groups by their phrases. Nothing leaves this machine.

    Args:
        texts: n of them; a list, a pandas or an Arrow column.
        embed: makes vectors, shape (n, d), of a list of texts; None: `llma.embed`.
        choices: as for `cluster`.

    Raises:
        InputRejected: an item is no text, a choice is out of range, or `embed` gave something other than n vectors.
        MissingExtra: the local model's files are not there; the message says what to type.
    """
    from llma_assets.labeling.evidence import build_evidence
    from llma_assets.labeling.keywords import label_by_keywords

    known = _checked(texts)
    vectors = _matrix((embed or globals()["embed"])(known))
    if len(vectors) != len(known):
        raise InputRejected(f"embed: gave {len(vectors)} vectors for {len(known)} texts")
    found = cluster(vectors, **choices)
    ids: list[int] = found.labels.tolist()
    items = [
        ItemEvidence(f"{row:012d}", text[:_NAMED_CHARS], (), distance=distance)
        for row, (text, distance) in enumerate(zip(known, found.distances.tolist(), strict=True))
    ]
    labels = label_by_keywords(build_evidence(items, ids))
    by_rank = np.argsort(found.ranks, kind="stable")
    clusters = tuple(
        TextCluster(
            cluster_id=label.cluster_id,
            title=label.title,
            description=label.description,
            keywords=label.keywords,
            rows=tuple(by_rank[found.labels[by_rank] == label.cluster_id].tolist()),
            theme_id=one.theme_id,
        )
        for label, one in zip(labels, found.clusters, strict=True)
    )
    return TextClustering(tuple(known), vectors, clusters, found)


def _matrix(vectors: Any) -> np.ndarray:
    """An array of vectors; a column that holds one vector a row becomes one."""
    array = np.asarray(vectors)
    if array.ndim == 1 and array.dtype == object and len(array):
        shapes = [np.shape(one) for one in array]
        for row, shape in enumerate(shapes):
            if shape != shapes[0] or len(shape) != 1:
                raise InputRejected(f"vector in row {row} has shape {shape}; row 0 has {shapes[0]}, all must have (d,)")
        array = np.stack([np.asarray(one) for one in array])
    return array


def _checked(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise InputRejected("texts: is one text; give a list of them")
    # Arrow's columns yield scalars of their own.
    known = texts.to_pylist() if hasattr(texts, "to_pylist") else list(texts)
    for row, text in enumerate(known):
        if not isinstance(text, str):
            raise InputRejected(f"texts: row {row} is {text!r}, not a str; leave it out or make it a text")
    return known
