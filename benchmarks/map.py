"""The 2-D map: how well it keeps neighbourhoods, how it holds from day to day, how long it takes.

    python benchmarks/map.py DATA_FOLDER [--vectors FOLDER]

Needs `benchmarks/requirements-peers.txt`. Sets, vectors and labels are those of `clustering.py`. Accuracy is the share
of the items whose k nearest on the map, themselves left out, vote for their label (ties to the nearer one); k is 10,
or one less than the median group of the set where that is smaller. Times are CPU seconds on one thread, warm. Ours
with `neighbors_and_layout` is from vectors to map; a clustering has computed both before it draws its map.
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from clustering import banking, traces, vectors_of
from llma_assets.clustering.projection_anchors import Anchors, turned_onto
from llma_assets.clustering.projection_place import place
from scipy.spatial import cKDTree
from sklearn.manifold import TSNE

from llma_assets.clustering.density import neighbor_count
from llma_assets.clustering.neighbors import nearest
from llma_assets.clustering.projection import project
from llma_assets.clustering.reduction import component_count, pca, spectral
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import fold, unit_vectors

RESULT = Path(__file__).parent / "results" / "map.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "umap-learn", "numba")
SEED = 42
SIZES = (2000, 5000, 20_000)
WINDOW, NEW_A_DAY, DAYS = 2000, 300, 30

Neighbors = tuple[np.ndarray, np.ndarray]


def prepared(unit: np.ndarray) -> tuple[np.ndarray, Neighbors]:
    """Layout and neighbours, as a clustering has them."""
    neighbors = nearest(unit, neighbor_count(len(unit), 15))
    return spectral(*neighbors, component_count(len(unit)), SEED), neighbors


def accuracy(places: np.ndarray, labels: np.ndarray, k: int = 10) -> float:
    """Share of the items whose k nearest others vote for their own label."""
    _, found = cKDTree(places).query(places, k + 1)
    # Itself is one of them, except among more than k copies.
    others = np.argsort(found == np.arange(len(places))[:, None], axis=1, kind="stable")[:, :k]
    return voted(np.take_along_axis(found, others, axis=1), labels, labels)


def voted(found: np.ndarray, among: np.ndarray, truth: np.ndarray) -> float:
    """Share of the rows whose neighbours `found` (indices into `among`, nearest first) vote for `truth`."""
    names, codes = np.unique(among, return_inverse=True)
    votes = np.zeros((len(found), len(names)))
    for rank in range(found.shape[1]):
        votes[np.arange(len(found)), codes[found[:, rank]]] += 1.0 - rank * 1e-3
    return float((names[votes.argmax(axis=1)] == truth).mean())


def timed(make: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    start = time.process_time()
    with single_thread():
        made = make()
    return made, time.process_time() - start


def umap_map(unit: np.ndarray) -> np.ndarray:
    from umap import UMAP

    return UMAP(metric="cosine", random_state=SEED, n_jobs=1).fit_transform(unit)


def tsne_map(unit: np.ndarray) -> np.ndarray:
    return TSNE(init="pca", metric="cosine", random_state=SEED, n_jobs=1).fit_transform(unit)


def compare(unit: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    """Our map and those of the peers, on the same distinct vectors."""
    k = min(10, int(np.median(np.unique(labels, return_counts=True)[1])) - 1)
    start = time.process_time()
    with single_thread():
        layout, neighbors = prepared(unit)
    before = time.process_time() - start
    rows: dict[str, object] = {"items": len(unit), "groups": len(np.unique(labels)), "k": k}
    makers: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: project(layout, SEED, neighbors),
        "umap-learn (defaults, cosine)": lambda: umap_map(unit),
        "sklearn t-SNE (defaults, cosine)": lambda: tsne_map(unit),
        "PCA-2": lambda: pca(unit, 2),
    }
    for name, make in makers.items():
        places, cpu = timed(make)
        rows[name] = {"accuracy": round(accuracy(places, labels, k), 3), "cpu_s": round(cpu, 2)}
        if name == "ours":
            rows[name]["cpu_s_with_neighbors_and_layout"] = round(cpu + before, 2)  # type: ignore[index]
    return rows


def replay(unit: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    """A window in which 15 % of the items are new each day: how far the others move, in widths of the map."""
    random = np.random.default_rng(SEED)
    order = random.permutation(len(unit))
    window, waiting = np.sort(order[:WINDOW]), order[WINDOW:]
    layout, neighbors = prepared(unit[window])
    held = apart = project(layout, SEED, neighbors)
    figures: dict[str, list[float]] = {}
    for day in range(DAYS):
        kept = np.sort(random.permutation(window)[NEW_A_DAY:])
        today = np.sort(np.concatenate([kept, waiting[day * NEW_A_DAY : (day + 1) * NEW_A_DAY]]))
        old, new = np.searchsorted(window, kept), np.searchsorted(today, kept)
        layout, neighbors = prepared(unit[today])
        anchors = Anchors(new, held[old])
        (later, cpu), alone = timed(lambda: project(layout, SEED, neighbors, anchors)), project(layout, SEED, neighbors)  # noqa: B023
        turned = turned_onto(alone, Anchors(new, apart[old]))
        for name, value in {
            "accuracy with anchors": accuracy(later, labels[today]),
            "accuracy without": accuracy(alone, labels[today]),
            "moved with anchors": moved(later[new], held[old]),
            "moved without": moved(alone[new], apart[old]),
            "moved without, turned onto the day before": moved(turned[new], apart[old]),
            "cpu_s with anchors": cpu,
        }.items():
            figures.setdefault(name, []).append(value)
        window, held, apart = today, later, alone
    found: dict[str, object] = {
        name: {"mean": round(float(np.mean(values)), 4), "worst": round(worst(name, values), 4)}
        for name, values in figures.items()
    }
    losses = np.subtract(figures["accuracy without"], figures["accuracy with anchors"])
    return (
        {"days": DAYS, "window": WINDOW, "new_a_day": NEW_A_DAY}
        | found
        | {
            "accuracy lost by anchors": {
                "mean": round(float(losses.mean()), 4),
                "last 10 days": round(float(losses[-10:].mean()), 4),
            }
        }
    )


def moved(now: np.ndarray, then: np.ndarray) -> float:
    """Median displacement, in widths of the map (2)."""
    return float(np.median(np.linalg.norm(now - then, axis=1)) / 2.0)


def worst(name: str, values: list[float]) -> float:
    return min(values) if name.startswith("accuracy") else max(values)


def birth(unit: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Six intents that nobody asked about yesterday: do they get places of their own?"""
    random = np.random.default_rng(SEED)
    fresh = np.isin(labels, random.choice(np.unique(labels), 6, replace=False))
    old, new = (random.permutation(np.flatnonzero(of))[:count] for of, count in ((~fresh, WINDOW), (fresh, NEW_A_DAY)))
    layout, neighbors = prepared(unit[old])
    yesterday = project(layout, SEED, neighbors)
    both = np.concatenate([old, new])
    layout, neighbors = prepared(unit[both])
    maps = {
        "with anchors": project(layout, SEED, neighbors, Anchors(np.arange(WINDOW), yesterday)),
        "without": project(layout, SEED, neighbors),
    }
    found = {"moved with anchors": round(moved(maps["with anchors"][:WINDOW], yesterday), 4)}
    for name, places in maps.items():
        _, near = cKDTree(places).query(places[WINDOW:], 11)
        found[f"accuracy of the new {name}"] = round(voted(near[:, 1:], labels[both], labels[new]), 3)
    return found


def outside(unit: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Items that the map was not made from."""
    order = np.random.default_rng(SEED).permutation(len(unit))
    learned, others = order[:WINDOW], order[WINDOW:]
    layout, neighbors = prepared(unit[learned])
    places = project(layout, SEED, neighbors)
    placed, cpu = timed(lambda: place(unit[others], unit[learned], places))
    _, near = cKDTree(places).query(placed, 10)
    return {
        "items": len(others),
        "accuracy": round(voted(near, labels[learned], labels[others]), 3),
        "accuracy of the learned": round(accuracy(places, labels[learned]), 3),
        "cpu_s": round(cpu, 2),
    }


def growth(unit: np.ndarray) -> dict[str, float]:
    """CPU seconds of the map alone by number of points; real vectors, then slightly changed copies of them."""
    random = np.random.default_rng(SEED)
    noise = random.normal(size=unit.shape).astype(np.float32) * 0.02
    many = np.concatenate([random.permutation(unit), unit_vectors(unit + noise)])
    found: dict[str, float] = {}
    for size in SIZES:
        points = many[:size]
        with single_thread():
            neighbors, start = nearest(points, 15), pca(points, 2)
        found[str(size)] = round(min(timed(lambda: project(start, SEED, neighbors))[1] for _ in range(3)), 3)  # noqa: B023
    ends = found[str(SIZES[0])], found[str(SIZES[-1])]
    return found | {"exponent": round(math.log(ends[1] / ends[0]) / math.log(SIZES[-1] / SIZES[0]), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    arguments = parser.parse_args()
    sets = {
        "banking77, 2,000 queries": ("banking77", banking(arguments.data)),
        "tau2 airline": ("tau2_airline", traces(arguments.data, "tau2_airline", "distinct_id")),
        "gorilla torchhub": ("gorilla_torchhub", traces(arguments.data, "gorilla_torchhub", "distinct_id")),
        "arena hard": ("arena_hard_v01", traces(arguments.data, "arena_hard_v01", "distinct_id")),
    }
    results: dict[str, object] = {}
    umap_map(np.random.default_rng(0).normal(size=(200, 8)))  # warm: compiling is not drawing
    for name, (file, (texts, truth)) in sets.items():
        folded = fold(unit_vectors(vectors_of(file, texts, arguments.vectors)))
        labels = np.empty(len(folded.unit), object)
        labels[folded.of_row] = truth
        results[name] = compare(folded.unit, labels.astype(str))
        print(name, json.dumps(results[name], indent=1), flush=True)
    rows = pd.read_parquet(arguments.data / "banking77.parquet")
    unit, labels = (
        unit_vectors(vectors_of("banking77_all", rows["text"].tolist(), arguments.vectors)),
        rows["label"].to_numpy(),
    )
    for name, found in {
        "day to day, banking77": replay(unit, labels),
        "six new intents, banking77": birth(unit, labels),
        "items outside the sample, banking77": outside(unit, labels),
        "cpu_s of the map by points": growth(unit),
    }.items():
        results[name] = found
        print(name, json.dumps(found, indent=1), flush=True)
    versions = {name: version(name) for name in LIBRARIES}
    report = {"python": platform.python_version(), "versions": versions, "results": results}
    RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
