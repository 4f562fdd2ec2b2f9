"""The 2-D map: how well it keeps neighbourhoods, how it holds from day to day, how long it takes.

    python benchmarks/map.py DATA_FOLDER [--vectors FOLDER]

Needs `benchmarks/requirements-peers.txt`. Sets, vectors and labels are those of `clustering.py`. Accuracy is the share
of the items whose k nearest on the map, themselves left out, vote for their label (ties to the nearer one); k is 10,
or one less than the median group of the set where that is smaller. Times are CPU seconds on one thread, warm, from
vectors to map; a clustering has computed most of ours before it draws its map (`cpu_s_after_clustering`).
`choices` are those of `map_choices.py`.
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import numpy as np
from labelled_sets import all_banking, banking, traces, vectors_of
from scipy.spatial import cKDTree
from sklearn.manifold import TSNE

from llma_assets.clustering import placing
from llma_assets.clustering.anchors import Anchors, turned_onto
from llma_assets.clustering.assignment import _MAP_NEIGHBORS as MAP_NEIGHBORS
from llma_assets.clustering.graph import fuzzy_graph, neighbor_count
from llma_assets.clustering.layout import lay_out
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.neighbors import nearest, nearest_in
from llma_assets.clustering.placing import place_among
from llma_assets.clustering.projection import project
from llma_assets.clustering.reduction import pca
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import deduplicate, unit_vectors

RESULT = Path(__file__).parent / "results" / "map.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "umap-learn", "numba")
SEED = 42
SIZES = (2000, 5000, 20_000)
WINDOW, NEW_A_DAY, DAYS = 2000, 300, 30


def our_map(unit: np.ndarray, anchors: Anchors | None = None) -> np.ndarray:
    """Places of all rows of `unit`, as a clustering draws them."""
    neighborhood = Neighborhood.of(unit, 15, SEED)
    return project(neighborhood, of_distinct(neighborhood, anchors))[neighborhood.distinct.of_row]


def of_distinct(neighborhood: Neighborhood, anchors: Anchors | None) -> Anchors | None:
    """Anchors of rows as those of the distinct rows that they became."""
    if anchors is None:
        return None
    distinct, first = np.unique(neighborhood.distinct.of_row[anchors.rows], return_index=True)
    return Anchors(distinct, anchors.xy[first])


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
    with single_thread():
        neighborhood = Neighborhood.of(unit, 15, SEED)
    rows: dict[str, object] = {"items": len(unit), "groups": len(np.unique(labels)), "k": k}
    makers: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: our_map(unit),
        "umap-learn (defaults, cosine)": lambda: umap_map(unit),
        "sklearn t-SNE (defaults, cosine)": lambda: tsne_map(unit),
        "PCA-2": lambda: pca(unit, 2),
    }
    for name, make in makers.items():
        places, cpu = timed(make)
        rows[name] = {"accuracy": round(accuracy(places, labels, k), 3), "cpu_s": round(cpu, 2)}
        if name == "ours":
            after = timed(lambda: project(neighborhood, None))[1]
            rows[name]["cpu_s_after_clustering"] = round(after, 3)  # type: ignore[index]
    return rows


def replay(unit: np.ndarray, labels: np.ndarray, days: int = DAYS) -> dict[str, object]:
    """A window in which 15 % of the items are new each day: how far the others move, in widths of the map."""
    random = np.random.default_rng(SEED)
    order = random.permutation(len(unit))
    window, waiting = np.sort(order[:WINDOW]), order[WINDOW:]
    held = apart = our_map(unit[window])
    figures: dict[str, list[float]] = {}
    for day in range(days):
        kept = np.sort(random.permutation(window)[NEW_A_DAY:])
        today = np.sort(np.concatenate([kept, waiting[day * NEW_A_DAY : (day + 1) * NEW_A_DAY]]))
        old, new = np.searchsorted(window, kept), np.searchsorted(today, kept)
        anchors = Anchors(new, held[old])
        (later, cpu), alone = timed(lambda: our_map(unit[today], anchors)), our_map(unit[today])  # noqa: B023
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
        {"days": days, "window": WINDOW, "new_a_day": NEW_A_DAY}
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
    """Six intents that nobody asked about yesterday: do they get places of their own? Means of three draws."""
    rows = []
    for draw in range(3):
        random = np.random.default_rng(SEED + draw)
        fresh = np.isin(labels, random.choice(np.unique(labels), 6, replace=False))
        old = random.permutation(np.flatnonzero(~fresh))[:WINDOW]
        new = random.permutation(np.flatnonzero(fresh))[:NEW_A_DAY]
        yesterday = our_map(unit[old])
        both = np.concatenate([old, new])
        maps = {
            "with anchors": our_map(unit[both], Anchors(np.arange(WINDOW), yesterday)),
            "without": our_map(unit[both]),
        }
        row = {"moved with anchors": moved(maps["with anchors"][:WINDOW], yesterday)}
        for name, places in maps.items():
            _, near = cKDTree(places).query(places[WINDOW:], 11)
            row[f"accuracy of the new {name}"] = voted(near[:, 1:], labels[both], labels[new])
        rows.append(row)
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def outside(unit: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Items that the map was not made from: by `place_among`, and by simpler rules."""
    order = np.random.default_rng(SEED).permutation(len(unit))
    learned, others = order[:WINDOW], order[WINDOW:]
    neighborhood = Neighborhood.of(unit[learned], 15, SEED)
    distinct = project(neighborhood, None)
    places = distinct[neighborhood.distinct.of_row]
    indices, distances = nearest_in(unit[others], neighborhood.distinct.unit, MAP_NEIGHBORS)
    placed, cpu = timed(lambda: place_among(indices, distances, distinct))
    with patch.object(placing, "_ROUNDS", 0):
        mean = place_among(indices, distances, distinct)
    ways = {
        "accuracy": placed,
        "accuracy, weighted mean": mean,
        "accuracy, plain mean": distinct[indices].mean(axis=1),
        "accuracy, place of the nearest": distinct[indices[:, 0]],
    }
    found = {"items": len(others), "accuracy of the learned": round(accuracy(places, labels[learned]), 3)}
    for name, where in ways.items():
        _, near = cKDTree(places).query(where, 10)
        found[name] = round(voted(near, labels[learned], labels[others]), 3)
    return found | {"cpu_s": round(cpu, 2)}


def growth(unit: np.ndarray) -> dict[str, float]:
    """CPU seconds of the layout alone by number of points; real vectors, then slightly changed copies of them."""
    random = np.random.default_rng(SEED)
    noise = random.normal(size=unit.shape).astype(np.float32) * 0.02
    many = np.concatenate([random.permutation(unit), unit_vectors(unit + noise)])
    found: dict[str, float] = {}
    for size in SIZES:
        points = many[:size]
        with single_thread():
            graph = fuzzy_graph(*nearest(points, neighbor_count(size, 15)))
        found[str(size)] = round(min(timed(lambda: lay_out(points, graph, SEED))[1] for _ in range(3)), 3)  # noqa: B023
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
        distinct = deduplicate(unit_vectors(vectors_of(file, texts, arguments.vectors)))
        labels = np.empty(len(distinct.unit), object)
        labels[distinct.of_row] = truth
        results[name] = compare(distinct.unit, labels.astype(str))
        print(name, json.dumps(results[name], indent=1), flush=True)
    texts, truth = all_banking(arguments.data)
    unit, labels = unit_vectors(vectors_of("banking77_all", texts, arguments.vectors)), np.array(truth)
    for name, found in {
        "day to day, banking77": replay(unit, labels),
        "six new intents, banking77": birth(unit, labels),
        "items outside the sample, banking77": outside(unit, labels),
        "cpu_s of the layout by points": growth(unit),
    }.items():
        results[name] = found
        print(name, json.dumps(found, indent=1), flush=True)
    versions = {name: version(name) for name in LIBRARIES}
    report = {"python": platform.python_version(), "versions": versions, "results": results}
    RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
