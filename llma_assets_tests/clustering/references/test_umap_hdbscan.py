"""The reference's recipe: UMAP over our neighbours, HDBSCAN on 2 % of the items, nothing guarded or assigned."""

import sys

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.result import NOISE, ClusteringParams
from llma_assets.errors import InputRejected


def test_it_finds_the_groups_and_leaves_noise_alone(queries: np.ndarray, intents: np.ndarray) -> None:
    result = cluster(queries, ClusteringParams(method="umap"))
    assert adjusted_mutual_info_score(intents, result.labels) > 0.6
    assert ((result.labels == NOISE) == result.raw_noise).all()
    assert result.guard_path == ("eom",)
    assert {name: result.params[name] for name in ("reduction", "n_components", "n_neighbors", "min_cluster_size")} == {
        "reduction": "umap",
        "n_components": 100,
        "n_neighbors": 15,
        "min_cluster_size": 6,
    }


def test_without_the_extra_the_error_says_what_to_install(queries: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(InputRejected, match=r"pip install 'llma-assets\[umap\]'"):
        cluster(queries[:60], ClusteringParams(method="umap"))


@pytest.mark.parametrize("n", [0, 1, 2, 5, 19])
def test_too_few_for_the_recipe_are_noise(queries: np.ndarray, n: int) -> None:
    result = cluster(queries[:n], ClusteringParams(method="umap"))
    assert (result.labels == NOISE).all()
    assert len(result.xy) == n
