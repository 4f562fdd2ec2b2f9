"""Choices of the map, one changed at a time.

    python benchmarks/map_choices.py DATA_FOLDER [--vectors FOLDER]

The spacing of the mesh: error of the push against all pairs on a finished map, and 10-NN accuracy of the map. How hard
old places are held, over days of banking77 queries with 15 % new ones, and the exaggeration at the start of a day.
Writes `results/map_choices.json`.
"""

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from labelled_sets import SETS, all_banking, vectors_of
from map import accuracy, birth, our_map, replay

from llma_assets.clustering import anchors, layout
from llma_assets.clustering.mesh import RepulsionMesh, push_pairwise
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import unit_vectors

RESULT = Path(__file__).parent / "results" / "map_choices.json"
SPACINGS = (0.3, 0.4, 0.6, 0.8, 1.0)
DAYS = 25


def mesh_error(unit: np.ndarray) -> dict[str, float]:
    """Length of the push's error over length of the push, root mean square over points."""
    places = Neighborhood.of(unit, 15, 42).places.astype(np.float32)
    exact, _ = push_pairwise(places)
    errors = {}
    for spacing in SPACINGS:
        pushed, _ = RepulsionMesh(spacing).push(places)
        errors[str(spacing)] = round(float(np.linalg.norm(pushed - exact) / np.linalg.norm(exact)), 4)
    return errors


def by_spacing(unit: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy of the map when every step uses one spacing."""
    found = {}
    for spacing in SPACINGS:
        with patch.object(layout, "COARSE", spacing), patch.object(layout, "FINE", spacing):
            found[str(spacing)] = round(accuracy(our_map(unit), labels, neighbors_of(labels)), 3)
    return found | {"ours": round(accuracy(our_map(unit), labels, neighbors_of(labels)), 3)}


def neighbors_of(labels: np.ndarray) -> int:
    """k, as `map.py` has it."""
    return max(2, min(10, int(np.median(np.unique(labels, return_counts=True)[1])) - 1))


def held(unit: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Days and births with other springs and other schedules."""
    calm = replace(anchors._STEPS, early=0, late=anchors._STEPS.early + anchors._STEPS.late)
    variants: dict[str, list[Any]] = {
        "ours": [],
        "hold 0.005": [patch.object(anchors, "_ANCHOR_STRENGTH", 0.005)],
        "hold 0.02": [patch.object(anchors, "_ANCHOR_STRENGTH", 0.02)],
        "hold 0.1, no exaggeration": [
            patch.object(anchors, "_ANCHOR_STRENGTH", 0.1),
            patch.object(anchors, "_STEPS", calm),
        ],
        "no exaggeration": [patch.object(anchors, "_STEPS", calm)],
    }
    found: dict[str, Any] = {}
    for name, patches in variants.items():
        for patch_ in patches:
            patch_.start()
        try:
            days = replay(unit, labels, DAYS)
            found[name] = {
                "accuracy lost by anchors": days["accuracy lost by anchors"],
                "moved with anchors": days["moved with anchors"],
                "six new intents": birth(unit, labels),
            }
        finally:
            for patch_ in patches:
                patch_.stop()
        print(name, json.dumps(found[name]), flush=True)
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"accuracy by spacing": {}}
    with single_thread():
        for name, (file, load) in SETS.items():
            texts, truth = load(arguments.data)
            unit = unit_vectors(vectors_of(file, texts, arguments.vectors))
            if file == "banking77":
                results["error of the push by spacing"] = mesh_error(unit)
            if file != "banking77_5000":
                results["accuracy by spacing"][name] = by_spacing(unit, np.array(truth))
        print(json.dumps(results, indent=1), flush=True)
        texts, truth = all_banking(arguments.data)
        unit = unit_vectors(vectors_of("banking77_all", texts, arguments.vectors))
        results["days"] = held(unit, np.array(truth))
    report = {"python": platform.python_version(), "numpy": np.__version__, "results": results}
    RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
