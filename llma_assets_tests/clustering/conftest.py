"""Real vectors: 300 queries of 12 banking77 intents (Casanueva et al. 2020, CC-BY-4.0).

Embedded with all-MiniLM-L6-v2 and rotated onto their own 64 main axes; `intents` are the authors' labels.
"""

from pathlib import Path

import numpy as np
import pytest

FIXTURE = Path(__file__).parents[1] / "fixtures" / "banking77_vectors.npz"


@pytest.fixture(scope="session")
def queries() -> np.ndarray:
    """float32, shape (n, 64)."""
    return np.load(FIXTURE)["vectors"].astype(np.float32)


@pytest.fixture(scope="session")
def intents() -> np.ndarray:
    return np.load(FIXTURE)["intents"]
