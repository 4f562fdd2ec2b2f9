"""Clusters of vectors and texts that are in no lake."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import llma_assets as llma
from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.result import ClusteringParams
from llma_assets.embedding.lsa import LsaEmbedder
from llma_assets_tests import FIXTURES

# Requests of real conversations from tau2-bench (MIT).
ROWS = json.loads((FIXTURES / "airline_summaries.json").read_text(encoding="utf-8"))
TEXTS: list[str] = [row["bullets"][0].removeprefix("User asked: ") for row in ROWS]


def planted(size: int = 12) -> np.ndarray:
    """Three groups around three axes, float64, shape (3 × size, 8)."""
    noise = np.random.default_rng(7).normal(scale=0.05, size=(3 * size, 8))
    return np.eye(8)[np.repeat([0, 3, 6], size)] + noise


def test_planted_groups_are_found() -> None:
    found = llma.cluster(planted())
    assert sorted(one.size for one in found.clusters) == [12, 12, 12]
    assert found.labels.shape == (36,)
    assert found.xy.shape == (36, 2)


def test_a_choice_reaches_the_clustering() -> None:
    assert llma.cluster(planted(), method="kmeans", k_min=2, k_max=4, seed=3).params["seed"] == 3
    assert llma.cluster(planted(), method="kmeans").params["method"] == "kmeans"
    with pytest.raises(llma.LlmaError, match="min_cluster_size is 1; it must be at least 2"):
        llma.cluster(planted(), min_cluster_size=1)


@pytest.mark.parametrize(
    "given",
    [
        lambda vectors: vectors.tolist(),
        lambda vectors: pd.Series(list(vectors)),
        lambda vectors: pd.DataFrame(vectors),
        lambda vectors: pa.chunked_array([pa.array(vectors.tolist())]),
    ],
    ids=["lists", "pandas column", "pandas frame", "Arrow column"],
)
def test_vectors_come_as_a_notebook_has_them(given: Callable[[np.ndarray], Any]) -> None:
    expected = cluster(planted(), ClusteringParams())
    np.testing.assert_array_equal(llma.cluster(given(planted())).labels, expected.labels)


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ([[1.0, 0.0], [float("nan"), 1.0]], "row 1 holds NaN"),
        ([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], "row 2 is zero"),
        ([1.0, 2.0], r"shape \(n, d\), not float64 of shape \(2,\)"),
        (pd.Series([[1.0, 2.0], [1.0]]), r"row 1 has shape \(1,\); row 0 has \(2,\)"),
        (pd.Series([[1.0, 2.0], None]), r"row 1 has shape \(\)"),
        ([["a", "b"]], r"shape \(n, d\)"),
    ],
)
def test_vectors_that_cannot_be_compared_are_named(vectors: Any, said: str) -> None:
    with pytest.raises(llma.LlmaError, match=said):
        llma.cluster(vectors)


def test_texts_are_grouped_and_named_by_the_local_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMA_EMBEDDER")
    found = llma.cluster_texts(TEXTS, min_cluster_size=4)
    assert found.vectors.shape == (50, 384)
    assert len(found.clusters) >= 2
    titles = [one.title for one in found.clusters]
    assert len(set(titles)) == len(titles)
    words = " ".join(TEXTS).lower()
    assert all(word in words for title in titles for word in title.lower().split() if word not in ("and", "of"))
    assert sum(one.size for one in found.clusters) + (found.labels == -1).sum() == 50
    for one in found.clusters:
        assert set(found.labels[list(one.rows)]) == {one.cluster_id}
        assert one.keywords
        ranks = found.clustering.ranks[list(one.rows)]
        assert ranks.tolist() == sorted(ranks.tolist())


def test_a_frame_has_a_row_a_text() -> None:
    found = llma.cluster_texts(TEXTS)
    frame = found.frame()
    assert list(frame.columns) == ["text", "cluster_id", "title", "rank", "probability", "x", "y"]
    assert frame["text"].tolist() == TEXTS
    titles = {one.cluster_id: one.title for one in found.clusters} | {-1: "Outliers"}
    assert frame["title"].tolist() == [titles[label] for label in found.labels]


@pytest.mark.parametrize("given", [pd.Series(TEXTS), pa.array(TEXTS), tuple(TEXTS)], ids=["pandas", "Arrow", "tuple"])
def test_texts_come_as_a_notebook_has_them(given: Any) -> None:
    assert llma.cluster_texts(given).clusters == llma.cluster_texts(TEXTS).clusters


def test_equal_texts_are_embedded_once_and_each_gets_its_vector() -> None:
    seen: list[str] = []
    embedder = LsaEmbedder()
    vectors = llma.embed(["card", "flight", "card"])
    np.testing.assert_array_equal(vectors, embedder.embed(["card", "flight", "card"]))

    def own(texts: Sequence[str]) -> np.ndarray:
        seen.extend(texts)
        return embedder.embed(texts)

    own_vectors = llma.cluster_texts(["card", "flight", "card"], embed=own).vectors
    np.testing.assert_array_equal(own_vectors, vectors)
    assert seen == ["card", "flight", "card"], "whose function it is decides what it skips"


def test_no_texts_are_no_clusters() -> None:
    found = llma.cluster_texts([])
    assert found.clusters == ()
    assert found.frame().empty
    assert llma.embed([]).shape == (0, 256)


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(llma.LlmaError, match="row 1 is nan, not a str"):
        llma.cluster_texts(["a", float("nan")])  # type: ignore[list-item]
    with pytest.raises(llma.LlmaError, match="is one text; give a list"):
        llma.cluster_texts("a text")
    with pytest.raises(llma.LlmaError, match="embed: gave 1 vectors for 2 texts"):
        llma.cluster_texts(["a", "b"], embed=lambda texts: np.ones((1, 3)))


def test_a_server_is_asked_for_nothing_without_a_team_to_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_EMBEDDER", "openai")
    with pytest.raises(llma.LlmaError, match=r"LLMA_EMBEDDER: .*charged to a team"):
        llma.cluster_texts(["a", "b"])
