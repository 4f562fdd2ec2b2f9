"""The same rows give the same bytes in any process, under any thread settings and any hash seed."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from llma_assets_tests import FIXTURES

FIXTURE = FIXTURES / "banking77_vectors.npz"

DIGEST = """
import hashlib, sys
import numpy as np
from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.result import ClusteringParams

vectors = np.load(sys.argv[1])["vectors"].astype(np.float32)
vectors = np.concatenate([vectors, vectors[:20]])
for method in ("hdbscan", "kmeans"):
    found = cluster(vectors, ClusteringParams(method=method))
    digest = hashlib.sha256()
    for name in ("labels", "probabilities", "outlier_scores", "distances", "ranks", "xy"):
        digest.update(getattr(found, name).tobytes())
    for one in found.clusters:
        digest.update(one.centroid.tobytes())
        digest.update(repr((one.cluster_id, one.centroid_xy, one.exemplars, one.persistence, one.silhouette)).encode())
    digest.update(repr((found.quality, found.params, found.guard_path)).encode())
    print(method, len(found.clusters), digest.hexdigest())
"""


def digest(threads: int, hash_seed: str) -> str:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | {name: str(threads) for name in names} | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(FIXTURE)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_thread_counts_and_hash_seeds_do_not_change_a_byte() -> None:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(digest, [1, 2, 4], ["0", "1", "0"]))
    assert "hdbscan" in outcomes[0]
    assert "kmeans" in outcomes[0]
    assert outcomes[1] == outcomes[0]
    assert outcomes[2] == outcomes[0]
