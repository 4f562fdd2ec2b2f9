"""Real vectors: 300 queries of 12 banking77 intents (Casanueva et al. 2020, CC-BY-4.0).

Embedded with all-MiniLM-L6-v2 and rotated onto their own 64 main axes; `intents` are the authors' labels.
"""

import numpy as np
import pytest

from llma_assets_tests import FIXTURES

FIXTURE = FIXTURES / "banking77_vectors.npz"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What compiles umap goes to one worker: it takes half a minute a process."""
    for item in items:
        if "umap" in item.name or item.path.name == "test_umap_hdbscan.py":
            item.add_marker(pytest.mark.xdist_group("umap"))
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def queries() -> np.ndarray:
    """float32, shape (n, 64)."""
    return np.load(FIXTURE)["vectors"].astype(np.float32)


@pytest.fixture(scope="session")
def intents() -> np.ndarray:
    return np.load(FIXTURE)["intents"]
