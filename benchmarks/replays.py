"""Whether clusters hold from night to night: replays of a rolling window over real vectors.

    python benchmarks/replays.py DATA_FOLDER [--vectors FOLDER] [--nights 200] [--jobs 2] [--only PART_OF_A_NAME]

DATA_FOLDER holds banking77.parquet and the event files of `clustering.py`; their MiniLM vectors are made, or kept in
FOLDER. Two pools: all queries of banking77, and the traces of three sources mixed. Each night a day's items come and
the oldest day's go, and of the other days one item in a hundred gives way to a late one. What comes is drawn from
all that the window does not hold. As in the pipeline, clusters are learned from a sample, stratified by day, and all
items of the window get one. `fresh sample`: the sample is drawn anew each night. `rolling sample`: the hash that
draws is the same every night, as the pipeline has it, so an item that was sampled yesterday is sampled today. As in the
pipeline clusters of the night before stay where items are grouped as well by them; `anew`: each night by itself.

* `collapses`: nights with fewer than three clusters, or one that holds 70 % or more; `eom_alone`: the same before the
  ladder.
* `kept`: of the clusters of a night, the share that keeps its lineage in the next; `kept_items`, of the items in
  clusters; `known`, kept, split or merged; `kept_by_size`, by the items of the cluster; `names_kept`: clusters of a
  night whose name is an earlier one.
* `most_kept_possible`: a night with fewer clusters than the one before cannot keep all, as lineages are one to one.
* `ami`: with the night before, over the items of both; `ami_of_labels`: with the data's own labels, over all items.

The reference's recipe (UMAP to 100 dimensions, then HDBSCAN) is replayed over the same samples where umap-learn is
installed (`requirements-peers.txt`).
"""

import argparse
import json
import os
import platform
import statistics
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from labelled_sets import SETS, all_banking, vectors_of
from sklearn.metrics import adjusted_mutual_info_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.guards import is_degenerate
from llma_assets.clustering.reconciliation import EarlierLabels
from llma_assets.clustering.references.umap_hdbscan import group_by_reference
from llma_assets.clustering.result import ALGORITHM_VERSION, NOISE, UNSEEN, Clustering, ClusteringParams
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import unit_vectors
from llma_assets.emission.identity import seed_of
from llma_assets.labeling.naming import NAME_COSINE, NAME_JACCARD
from llma_assets.lineage.edge import Change, Edge
from llma_assets.lineage.match import ClusterMembership, match
from llma_assets.traces.sampling import sample_by_day

RESULT = Path(__file__).parent / "results" / "replays.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "hdbscan", "umap-learn")
POOLS = {
    "banking77": ("banking77_all",),
    "traces": ("tau2_airline", "gorilla_torchhub", "arena_hard_v01"),
}
FIRST_DAY = date(2026, 1, 1)
REFERENCE_NIGHTS = 40
# Least items of each class.
SIZES = {"below 15": 0, "15 to 29": 15, "30 to 59": 30, "60 or more": 60}


@dataclass(frozen=True)
class Plan:
    """One replay.

    Attributes:
        pool: whose vectors.
        days: in the window; all but one are there the next night, too.
        day_items: fewest and most items of a day.
        late_share: of the items of the other days, those that give way each night.
        max_samples: to learn from.
        nights: compared with the night before, so one more is clustered.
        is_held: whether clusters of the night before may stay.
    """

    pool: str
    days: int
    day_items: tuple[int, int]
    late_share: float
    max_samples: int
    is_fresh: bool
    nights: int
    is_held: bool = True
    is_reference: bool = False

    @property
    def name(self) -> str:
        changed = f"{round(100 * (1 / self.days + self.late_share))} % changed"
        drawn = "no sample" if self.max_samples >= self.days * self.day_items[1] else "fresh sample"
        parts = [changed, drawn if self.is_fresh or drawn == "no sample" else "rolling sample"]
        parts += ["reference's recipe"] if self.is_reference else [] if self.is_held else ["anew"]
        return f"{self.pool}, {', '.join(parts)}"


@dataclass(frozen=True)
class Window:
    """What a night looks at: rows of the pool, sorted by item id."""

    night: int
    item_ids: list[str]
    rows: np.ndarray
    days: list[date]


def plans(nights: int) -> list[Plan]:
    """The longest first."""
    banking = Plan("banking77", 7, (300, 600), 0.01, 2_000, is_fresh=True, nights=nights)
    traces = Plan("traces", 7, (200, 400), 0.01, 1_000, is_fresh=True, nights=nights)
    found = [banking, traces]
    reference = [replace(plan, nights=min(nights, REFERENCE_NIGHTS), is_reference=True) for plan in found]
    found += [replace(plan, is_fresh=False) for plan in found]
    for plan in (banking, traces):
        # The same window in twenty parts, of which one goes.
        low, high = (size * 7 // 20 for size in plan.day_items)
        slow = replace(plan, days=20, day_items=(low, high), late_share=0.0)
        found += [slow, replace(slow, is_fresh=False), replace(slow, max_samples=20 * high)]
    found += [replace(plan, is_held=False) for plan in found]
    if find_spec("umap"):
        found += reference
    return found


def windows(plan: Plan, size: int, there: Callable[[int], np.ndarray] | None = None, seed: int = 7) -> Iterator[Window]:
    """The nights of a plan, over a pool of `size` rows; `there` has those that can come on a night, a mask."""
    random = np.random.default_rng(seed)
    held: dict[date, dict[str, int]] = {}

    def drawn(count: int, night: int) -> dict[str, int]:
        taken = [row for items in held.values() for row in items.values()]
        pool = np.arange(size) if there is None else np.flatnonzero(there(night))
        rows = random.choice(np.setdiff1d(pool, taken), count, replace=False)
        return {f"{row}-{night}": int(row) for row in rows}

    for night in range(1 - plan.days, plan.nights + 1):
        held = {day: items for n, (day, items) in enumerate(held.items()) if n > len(held) - plan.days}
        for day, items in held.items():
            gone = random.choice(list(items), round(len(items) * plan.late_share), replace=False)
            held[day] = {key: row for key, row in items.items() if key not in gone}
            held[day] |= drawn(len(gone), night)
        held[FIRST_DAY + timedelta(days=night)] = drawn(int(random.integers(*plan.day_items, endpoint=True)), night)
        if night >= 0:
            found = sorted((key, row, day) for day, items in held.items() for key, row in items.items())
            ids, rows, days = zip(*found, strict=True)
            yield Window(night, list(ids), np.array(rows), list(days))


def learned(plan: Plan, window: Window) -> np.ndarray:
    """The sample of a night, as a mask."""
    seed_text = f"night {window.night}" if plan.is_fresh else "every night"
    return np.array(sample_by_day(window.item_ids, window.days, plan.max_samples, seed_text))


def snapshot(window: Window, found: Clustering) -> ClusterMembership:
    """As the stage hands it to the matching."""
    labels = dict(zip(window.item_ids, found.labels.tolist(), strict=True))
    return ClusterMembership(
        labels, {one.cluster_id: one.centroid / np.linalg.norm(one.centroid) for one in found.clusters}
    )


def clustered(plan: Plan, window: Window, vectors: np.ndarray, before: ClusterMembership | None) -> Clustering:
    """A night, as the stage does it."""
    seed = seed_of("acme", window.days[-1].isoformat(), "", "trace", ALGORITHM_VERSION, str(window.night))
    rows, earlier = learned(plan, window), None
    if before is not None and plan.is_held:
        labels = np.array([before.cluster_of.get(item_id, UNSEEN) for item_id in window.item_ids], np.int32)
        earlier = EarlierLabels(labels, min(len(before.cluster_of), plan.max_samples))
    return cluster(vectors[window.rows], ClusteringParams(seed=seed), rows, earlier=earlier)


def replay(plan: Plan, vectors: np.ndarray, truth: Sequence[str]) -> dict[str, object]:
    """The figures of one plan."""
    warnings.filterwarnings("ignore", message="The number of unique classes")
    runs: list[Clustering] = []
    nights: list[Window] = []
    snapshots: list[ClusterMembership] = []
    right: list[float] = []
    for window in windows(plan, len(vectors)):
        found = clustered(plan, window, vectors, snapshots[-1] if snapshots else None)
        runs.append(found)
        nights.append(window)
        snapshots.append(snapshot(window, found))
        right.append(adjusted_mutual_info_score([truth[row] for row in window.rows], found.labels))
    return shape(plan, nights) | held(runs) | {"ami_of_labels": spread(right)} | followed(snapshots)


def shape(plan: Plan, nights: Sequence[Window]) -> dict[str, object]:
    """What was replayed."""
    sizes = [len(night.item_ids) for night in nights]
    new = [len(set(now.item_ids) - set(before.item_ids)) / len(now.item_ids) for before, now in pairwise(nights)]
    return {
        "nights": plan.nights, "window": f"{min(sizes)}-{max(sizes)}", "learned": min(plan.max_samples, max(sizes)),
        "new_share_mean": rounded(statistics.fmean(new)),
    }  # fmt: skip


def held(runs: Sequence[Clustering]) -> dict[str, object]:
    """Collapses, and the spread of each run's own figures."""
    largest = [float(run.quality["largest_share"] or 0) for run in runs]
    first = [run.steps[0] for run in runs if run.steps]
    return {
        "collapses": sum(is_degenerate(len(run.clusters), share) for run, share in zip(runs, largest, strict=True)),
        "collapses_of_eom_alone": sum(is_degenerate(step.clusters, step.largest_share) for step in first),
        "paths": dict(Counter(" > ".join(run.guard_path) for run in runs)),
        "clusters": spread([len(run.clusters) for run in runs]),
        "largest_share": spread(largest),
        **{
            name: spread([float(run.quality[name] or 0) for run in runs])
            for name in ("noise_share", "raw_noise_share", "silhouette", "stability")
        },
        "changes_undone": rounded(
            statistics.fmean(
                run.params.get("returned_clusters", 0) + run.params.get("rejoined_clusters", 0) for run in runs
            )
        ),
    }


def followed(snapshots: Sequence[ClusterMembership]) -> dict[str, object]:
    """What the lineage makes of the nights."""
    figures: dict[str, list[float]] = {name: [] for name in ("kept", "kept_items", "known", "names_kept", "ami")}
    most, changes = [], Counter[str]()
    met, stayed = Counter[str](), Counter[str]()
    first = dict(snapshots[0].centroids)
    for before, today in pairwise(snapshots):
        edges = match(today, before)
        changes.update(edge.change for edge in edges)
        kept = {edge.cluster_id: edge for edge in edges if edge.change == Change.KEPT}
        at_least_known = {edge.earlier_cluster_id for edge in edges if edge.change not in (Change.DIED, Change.BORN)}
        sizes = Counter(label for label in before.cluster_of.values() if label != NOISE)
        stays = [edge.earlier_cluster_id for edge in kept.values() if edge.earlier_cluster_id is not None]
        met.update(size_class(sizes[one]) for one in before.centroids)
        stayed.update(size_class(sizes[one]) for one in stays)
        first = first_namings(today, kept, first)
        earlier = len(before.centroids)
        figures["kept"].append(len(kept) / earlier)
        figures["kept_items"].append(sum(sizes[one] for one in stays) / sizes.total())
        figures["known"].append(len(at_least_known) / earlier)
        figures["names_kept"].append(sum(one is not today.centroids[c] for c, one in first.items()) / len(first))
        shared = [key for key in today.cluster_of if key in before.cluster_of]
        labels = [[run.cluster_of[key] for key in shared] for run in (before, today)]
        figures["ami"].append(adjusted_mutual_info_score(*labels))
        most.append(min(1.0, len(today.centroids) / earlier))
    return {
        **{name: mean_and_lowest(values) for name, values in figures.items()},
        "most_kept_possible": rounded(statistics.fmean(most)),
        "kept_by_size": {
            name: {"clusters": met[name], "kept": rounded(stayed[name] / met[name])} for name in SIZES if met[name]
        },
        "edges": {str(change): changes[change] for change in Change if changes[change]},
    }


def first_namings(
    today: ClusterMembership, kept: dict[int | None, Edge], first: dict[int, np.ndarray]
) -> dict[int, np.ndarray]:
    """The centroid that each cluster's name was made for: that of the first naming while the name stands."""
    found: dict[int, np.ndarray] = {}
    for cluster_id, centroid in today.centroids.items():
        edge = kept.get(cluster_id)
        named = first.get(edge.earlier_cluster_id) if edge and edge.earlier_cluster_id is not None else None
        stands = edge is not None and (edge.jaccard is None or edge.jaccard >= NAME_JACCARD)
        is_kept = named is not None and stands and float(named @ centroid) >= NAME_COSINE
        found[cluster_id] = named if named is not None and is_kept else centroid
    return found


def size_class(items: int) -> str:
    """The entry of `SIZES` that a cluster of so many items is in."""
    return next(name for name, least in reversed(SIZES.items()) if items >= least)


def replay_reference(plan: Plan, vectors: np.ndarray) -> dict[str, object]:
    """How often the reference's recipe collapses: over the samples, as it assigns nothing else."""
    counts, largest, noise = [], [], []
    nights = list(windows(plan, len(vectors)))
    for window in nights:
        unit = unit_vectors(vectors[window.rows[learned(plan, window)]])
        with single_thread():
            labels = group_by_reference(unit, ClusteringParams(method="umap", seed=42)).labels
        sizes = np.bincount(labels[labels != NOISE], minlength=1)
        counts.append(int(np.count_nonzero(sizes)))
        largest.append(float(sizes.max() / len(labels)))
        noise.append(float(np.mean(labels == NOISE)))
    collapsed = [is_degenerate(count, share) for count, share in zip(counts, largest, strict=True)]
    return shape(plan, nights) | {
        "collapses": sum(collapsed), "clusters": spread(counts), "largest_share": spread(largest),
        "noise_share": spread(noise),
    }  # fmt: skip


def rounded(value: float) -> float:
    return round(float(value), 3)


def mean_and_lowest(values: Sequence[float]) -> dict[str, float]:
    return {"mean": rounded(statistics.fmean(values)), "lowest": rounded(min(values))}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Lowest, quartiles and highest."""
    names = ("lowest", "quarter", "median", "three_quarters", "highest")
    return {
        name: rounded(value) for name, value in zip(names, np.quantile(values, (0, 0.25, 0.5, 0.75, 1)), strict=True)
    }


def read_pool(data: Path, folder: Path | None, sets: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The vectors and labels of some sets, one under another."""
    texts = {name: read_texts(data, name) for name in sets}
    vectors = np.concatenate([vectors_of(name, found, folder) for name, (found, _) in texts.items()])
    return vectors, [label for _, labels in texts.values() for label in labels]


def read_texts(data: Path, name: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a set."""
    loaders = {"banking77_all": all_banking} | dict(SETS.values())
    return loaders[name](data)


def versions() -> dict[str, str]:
    """Of what is installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--only", default="", help="plans whose name holds this; the others are left as they were")
    parser.add_argument("--jobs", type=int, default=2, help="replays at a time")
    arguments = parser.parse_args()
    pools = {name: read_pool(arguments.data, arguments.vectors, sets) for name, sets in POOLS.items()}
    every = plans(arguments.nights)
    wanted = [plan for plan in every if arguments.only in plan.name]
    results = json.loads(RESULT.read_text())["results"] if arguments.only and RESULT.exists() else {}
    with ProcessPoolExecutor(arguments.jobs) as workers:
        running = {
            workers.submit(replay_reference, plan, pools[plan.pool][0])
            if plan.is_reference
            else workers.submit(replay, plan, *pools[plan.pool]): plan
            for plan in wanted
        }
        for done in as_completed(running):
            results[running[done].name] = done.result()
            print(running[done].name, json.dumps(done.result(), indent=1), flush=True)
    report = {
        "python": platform.python_version(),
        "versions": versions(),
        "cores": os.cpu_count(),
        "algorithm_version": ALGORITHM_VERSION,
        "pools": {name: len(vectors) for name, (vectors, _) in pools.items()},
        "results": {plan.name: results[plan.name] for plan in every if plan.name in results},
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
