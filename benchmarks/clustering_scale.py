"""A whole `cluster()` in a fresh process, map, themes and stability included: time and memory by size.

    python benchmarks/clustering_scale.py DATA_FOLDER [--vectors FOLDER]

Vectors are those of 13,083 real queries. `× 384`: drawn with replacement, with Gaussian noise of 0.02 a coordinate.
`2,500 × 1,536`: drawn without, the further coordinates filled with Gaussian noise of 0.005. `cold` is from the start of
Python to the end of the first call, reading the vectors included; `warm` a second call in the same process. CPU seconds
are of all threads. At `2,500 × 1,536` figures are medians of three processes, and PostHog's recipe (with
`requirements-peers.txt`) gets the same vectors.
"""

import argparse
import json
import math
import os
import platform
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from clustering import installed
from fresh_process import in_fresh_process
from labelled_sets import all_banking, vectors_of
from methods import METHODS, OURS

from llma_assets.clustering.vectors import unit_vectors

RESULT = Path(__file__).parent / "results" / "clustering_scale.json"
RECIPE = "PostHog's recipe (UMAP-100, 2 % of n)"
SIZES = (2000, 5000, 10_000, 20_000, 100_000)
WIDE = (2500, 1536)


def drawn(unit: np.ndarray, size: int) -> np.ndarray:
    """`size` rows near those of `unit`."""
    random = np.random.default_rng(0)
    rows = unit[random.integers(0, len(unit), size)]
    return unit_vectors(rows + random.normal(scale=0.02, size=rows.shape).astype(np.float32))


def widened(unit: np.ndarray) -> np.ndarray:
    """Rows of `unit` in as many dimensions as a large embedder's."""
    random = np.random.default_rng(0)
    size, width = WIDE
    rows = unit[random.choice(len(unit), size, replace=False)]
    more = random.normal(scale=0.005, size=(size, width - unit.shape[1])).astype(np.float32)
    return unit_vectors(np.hstack([rows, more]))


def measured(name: str, unit: np.ndarray, calls: int, processes: int = 1) -> dict[str, float]:
    """Costs of a method, medians over processes, and what it found."""
    runs = [in_fresh_process("METHODS", name, unit, [], (42,) * calls) for _ in range(processes)]
    labels = runs[0][0]
    costs = {figure: float(np.median([run[figure] for _, run in runs])) for figure in runs[0][1]}
    final = labels[0].get("assigned", labels[0]["raw"])
    found = {"clusters": len(np.unique(final[final >= 0])), "noise_share": round(float((final < 0).mean()), 3)}
    print(unit.shape, name, json.dumps(found | costs), flush=True)
    return found | costs


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    arguments = parser.parse_args()
    unit = unit_vectors(vectors_of("banking77_all", all_banking(arguments.data)[0], arguments.vectors))
    results: dict[str, object] = {}
    wide = widened(unit)
    ours = measured(OURS, wide, 3, processes=3)
    results["2500 × 1536"] = {OURS: ours}
    if all(find_spec(module) for module in METHODS[RECIPE][1]):
        recipe = measured(RECIPE, wide, 2, processes=3)
        results["2500 × 1536"] = {
            OURS: ours,
            RECIPE: recipe,
            "cpu_ratio_cold": round(recipe["cold_cpu_s"] / ours["cold_cpu_s"], 1),
            "cpu_ratio_warm": round(recipe["warm_cpu_s"] / ours["warm_cpu_s"], 1),
        }
    cpu: dict[int, float] = {}
    for size in SIZES:
        results[f"{size} × {unit.shape[1]}"] = row = measured(OURS, drawn(unit, size), 1)
        cpu[size] = row["cold_cpu_s"]
    results["exponent of CPU seconds, 20,000 to 100,000"] = round(math.log(cpu[100_000] / cpu[20_000]) / math.log(5), 2)
    report = {"python": platform.python_version(), "cores": os.cpu_count(), "versions": installed(), "results": results}
    RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
