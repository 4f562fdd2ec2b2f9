"""Our own choices, one changed at a time; data without groups; and strangers among real items.

Run by `clustering.py`, which also holds the results.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
from methods import NOISE
from scoring import figures, means, nearest_centroid, scores
from sklearn.metrics import roc_auc_score

from llma_assets.clustering import grouping, layout, neighborhood
from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.density import Selection, WeightedPoints, by_density
from llma_assets.clustering.graph import neighbor_count
from llma_assets.clustering.guards import min_silhouette
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.outliers import core_distances, far_beyond
from llma_assets.clustering.result import ClusteringParams
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import DistinctRows

Sets = dict[str, tuple[np.ndarray, list[str], list[str]]]
PARAMS = ClusteringParams()
SPHERE_DIMENSIONS = (50, 384, 1536)
# By size: how often. What few points do by chance shows in many draws only.
SPHERE_DRAWS = {20: 40, 50: 40, 100: 20, 200: 20, 1000: 3, 2000: 3}
STRANGERS, STRANGER_DRAWS = (20, 60), 5
# How often the texts of some groups are sent.
REPEATED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "once": lambda groups: np.ones(len(groups), np.int64),
    "twice": lambda groups: np.full(len(groups), 2),
    "five times": lambda groups: np.full(len(groups), 5),
    "those of every fifth group five times": lambda groups: np.where(groups % 5 == 0, 5, 1),
    "every other one three times": lambda groups: np.where(np.arange(len(groups)) % 2 == 0, 3, 1),
    # Zipf's law: half of them once, a few very often.
    "once to 200 times": lambda groups: np.minimum(np.random.default_rng(3).zipf(1.7, len(groups)), 200),
}
# How much of a place's own cluster is denser, for scores within the cluster.
DENSEST = 0.1


def _not_deduplicated(unit: np.ndarray) -> DistinctRows:
    return DistinctRows(unit, np.ones(len(unit), np.int64), np.arange(len(unit)))


class _EqualWeights(WeightedPoints):
    @classmethod
    def of(cls, places: np.ndarray, copies: np.ndarray, *others: Any) -> WeightedPoints:
        return WeightedPoints.of(places, np.ones_like(copies), *others)


def _schedule(**changes: Any) -> list[Any]:
    return [patch.object(layout, "FULL", replace(layout.FULL, **changes))]


def _fixed(count: int) -> list[Any]:
    return [patch.object(neighborhood, "neighbor_count", lambda size, wanted: min(count, size - 1))]


CHOICES: dict[str, Callable[[], list[Any]]] = {
    "ours": list,
    "pull 1": lambda: _schedule(pull=1.0),
    "pull 1.5": lambda: _schedule(pull=1.5),
    "pull 3": lambda: _schedule(pull=3.0),
    "pull 4": lambda: _schedule(pull=4.0),
    "300 late steps": lambda: _schedule(late=300),
    "start 0.1 wide": lambda: [patch.object(layout, "_START_WIDTH", 0.1)],
    "start 10 wide": lambda: [patch.object(layout, "_START_WIDTH", 10.0)],
    "copies and near-duplicates counted once": lambda: [patch.object(grouping, "WeightedPoints", _EqualWeights)],
    "only exact copies folded": lambda: [
        patch.object(neighborhood, "merge_near_duplicates", lambda distinct, *others: distinct)
    ],
    "nothing folded": lambda: [
        patch.object(neighborhood, "deduplicate", _not_deduplicated),
        patch.object(neighborhood, "merge_near_duplicates", lambda distinct, *others: distinct),
    ],
    "10 neighbours": lambda: _fixed(10),
    "12 neighbours": lambda: _fixed(12),
    "15 neighbours": lambda: _fixed(15),
}


def choices(sets: Sets) -> dict[str, object]:
    """Scores of each variant on each set: the noise as HDBSCAN gave it (`raw`), then assigned."""
    results: dict[str, object] = {}
    for name, (unit, _, truth) in sets.items():
        rows: dict[str, object] = {}
        for choice, patches in CHOICES.items():
            with ExitStack() as stack, single_thread():
                for patch_ in patches():
                    stack.enter_context(patch_)
                neighborhood = Neighborhood.of(unit, PARAMS.n_neighbors, PARAMS.seed)
                found = grouping.group_by_density(neighborhood, PARAMS)
            raw = np.where(found.raw_noise, NOISE, found.labels)
            rows[choice] = figures(unit, truth, raw, found.labels) | {"neighbors": neighborhood.indices.shape[1]}
        results[name] = rows
    return results | {"fewer items": _few(sets)}


def repeated(sets: Sets) -> dict[str, object]:
    """The same texts, sent often: clusters, and AMI over the texts, each counted once."""
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "ours": grouping.relative_copies,
        "as often as they were sent": lambda copies: copies,
        "over the mean": lambda copies: np.maximum(np.round(copies / copies.mean()), 1).astype(np.int64),
        "over the median of texts": lambda copies: np.maximum(np.round(copies / np.median(copies)), 1).astype(np.int64),
        "once": np.ones_like,
    }
    results: dict[str, object] = {}
    for name in ("banking77, 2,000 queries", "tau2 airline, 517 traces", "gorilla torchhub, 1,488 requests"):
        unit, _, truth = sets[name]
        groups = np.unique(truth, return_inverse=True)[1]
        for often, times in REPEATED.items():
            rows = np.repeat(np.arange(len(unit)), times(groups))
            first = np.unique(rows, return_index=True)[1]
            with single_thread():
                neighborhood = Neighborhood.of(unit[rows], PARAMS.n_neighbors, PARAMS.seed)
            found: dict[str, object] = {}
            for way, counted in ways.items():
                with patch.object(grouping, "relative_copies", counted), single_thread():
                    labels = grouping.group_by_density(neighborhood, PARAMS).labels[first]
                found[way] = {"clusters": len(np.unique(labels[labels != NOISE]))} | scores(truth, labels)
            results[f"{name}, {often}"] = found
    return results


def _few(sets: Sets) -> dict[str, object]:
    """Neighbours in small draws, all from groups that the draw knows: mean AMI by size over all sets."""
    results: dict[str, object] = {}
    for size in (30, 60, 120, 250, 500):
        rows: dict[str, list[float]] = {"log₂ n + 1 neighbours": [], "15 neighbours": []}
        for unit, _, truth in sets.values():
            for draw in range(4):
                random = np.random.default_rng(draw)
                groups = random.choice(np.unique(truth), min(max(2, size // 12), len(np.unique(truth))), replace=False)
                chosen = random.permutation(np.flatnonzero(np.isin(truth, groups)))[:size]
                for name, count in (("log₂ n + 1 neighbours", neighbor_count(len(chosen), 15)), ("15 neighbours", 15)):
                    with ExitStack() as stack, single_thread():
                        for one in _fixed(count):
                            stack.enter_context(one)
                        neighborhood = Neighborhood.of(unit[chosen], count, PARAMS.seed)
                        labels = grouping.group_by_density(neighborhood, PARAMS).labels
                    rows[name].append(figures(unit[chosen], [truth[row] for row in chosen], labels)["ami_raw"])
        results[f"{size} items"] = {name: round(float(np.mean(values)), 3) for name, values in rows.items()}
    return results


def structureless() -> dict[str, object]:
    """What is made of points drawn uniformly from a sphere; of all draws together."""
    results: dict[str, object] = {}
    for size, draws in SPHERE_DRAWS.items():
        for dimensions in SPHERE_DIMENSIONS:
            found = []
            for draw in range(draws):
                random = np.random.default_rng([size, dimensions, draw])
                found.append(cluster(random.normal(size=(size, dimensions)).astype(np.float32), PARAMS))
            results[f"{size} × {dimensions}"] = {
                "draws": len(found),
                "draws_with_clusters": sum(bool(one.clusters) for one in found),
                "most_clusters": max(len(one.clusters) for one in found),
                "paths": sorted({" > ".join(one.guard_path) for one in found}),
                # Of the rungs by density: k-means needs more.
                "highest_silhouette": max(
                    step.silhouette or 0.0 for one in found for step in one.steps if step.name != "kmeans"
                ),
                "silhouette_needed": round(min_silhouette(size, dimensions), 3),
            }
    return results


def structured(sets: Sets) -> dict[str, object]:
    """How far real sets are above what chance needs."""
    results: dict[str, object] = {}
    for name, (unit, _, _) in sets.items():
        found = cluster(unit, PARAMS)
        results[name] = {
            "path": " > ".join(found.guard_path),
            "silhouette": found.steps[0].silhouette,
            "silhouette_needed": round(
                min_silhouette(found.params["distinct_beyond_near_duplicates"], found.params["dimensions"]), 3
            ),
        }
    return results


def strangers(sets: Sets) -> dict[str, object]:
    """Prompts of distinct topics among real items of another kind: do they stay noise, are they scored highest?"""
    arena, _, topics = sets["arena hard, 1,500 traces"]
    results: dict[str, object] = {}
    for name in ("banking77, 2,000 queries", "tau2 airline, 517 traces", "gorilla torchhub, 1,488 requests"):
        unit = sets[name][0]
        for count in STRANGERS:
            rows = []
            for draw in range(STRANGER_DRAWS):
                random = np.random.default_rng(draw)
                chosen = random.choice(np.unique(topics), count, replace=False)
                of_topics = [random.choice(np.flatnonzero(np.array(topics) == topic)) for topic in chosen]
                rows.append(_planted(np.concatenate([unit, arena[of_topics]]), count))
            results[f"{name}, {count} strangers"] = {
                "draws": len(rows),
                **means(rows),
                "auc_worst": min(row["auc"] for row in rows),
                "auc_glosh_over_layout_worst": min(row["auc_glosh_over_layout"] for row in rows),
                "auc_within_own_cluster_worst": min(row["auc_within_own_cluster"] for row in rows),
            }
    return results


def _planted(unit: np.ndarray, count: int) -> dict[str, float]:
    """Figures of one set whose last `count` rows are strangers."""
    is_planted = np.arange(len(unit)) >= len(unit) - count
    found = cluster(unit, PARAMS)
    with single_thread():
        neighborhood = Neighborhood.of(unit, PARAMS.n_neighbors, PARAMS.seed)
        smallest = grouping.smallest_cluster(len(neighborhood.distinct.unit), None)
        points = WeightedPoints.of(
            neighborhood.places, neighborhood.distinct.copies, neighborhood.reach, smallest, PARAMS.min_samples
        )
        glosh = by_density(points, Selection()).outlier_scores[neighborhood.distinct.of_row]
    core = core_distances(neighborhood.distances)
    beyond = far_beyond(core, core)[neighborhood.distinct.of_row]
    noise = found.labels == NOISE
    return {
        "planted_left_as_noise": round(float(noise[is_planted].mean()), 4),
        # The others make clusters of their own.
        "planted_among_real": round(_among_real(found.labels, is_planted), 4),
        "real_called_noise": round(float(noise[~is_planted].mean()), 4),
        "planted_beyond_fence": round(float(beyond[is_planted].mean()), 4),
        "real_beyond_fence": round(float(beyond[~is_planted].mean()), 4),
        "auc": round(float(roc_auc_score(is_planted, found.outlier_scores)), 4),
        "auc_glosh_over_layout": round(float(roc_auc_score(is_planted, glosh)), 4),
        "auc_within_own_cluster": round(
            float(roc_auc_score(is_planted, _within(core[neighborhood.distinct.of_row], unit, found.labels))), 4
        ),
    }


def _among_real(labels: np.ndarray, is_planted: np.ndarray) -> float:
    """Share of the planted that lie in clusters of mostly real items."""
    kept = labels != NOISE
    planted = np.bincount(labels[kept & is_planted], minlength=labels.max() + 1)
    return float(planted[planted * 2 <= np.bincount(labels[kept])].sum() / is_planted.sum())


def _within(core: np.ndarray, unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The same ratio, of each item to its own cluster, noise to the nearest one's."""
    whole = nearest_centroid(unit, labels)
    densest = np.ones(len(core))
    for label in np.unique(whole):
        densest[whole == label] = np.quantile(core[(whole == label) & (labels != NOISE)], DENSEST)
    return 1.0 - densest / np.maximum(core, 1e-12)
