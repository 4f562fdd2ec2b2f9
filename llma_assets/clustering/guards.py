"""What keeps a clustering from collapsing, and from inventing: a ladder of methods, and a test for structure.

Excess of mass sometimes chooses the two halves of everything. So a result of fewer than three clusters, or with one
that holds most items, is compared with what the next steps find; the first that is better takes its place. Data that
really has two groups, or none, is better explained by no step, and stays what it is.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from llma_assets.clustering.density import Density, Selection, WeightedPoints, by_density
from llma_assets.clustering.quality import mean_silhouette
from llma_assets.clustering.result import NOISE

# As of the public remedies for this collapse.
MIN_CLUSTERS = 3
MAX_SHARE = 0.7
# What the first remedy allows one cluster to hold.
CAPPED_SHARE = 0.5
NO_STRUCTURE = "no_structure"
# What chance reaches: this over √d up to 70 points, and in proportion less for more of them.
_CHANCE = 1.1
_CHANCE_SIZE = 70
_FLOOR = 0.02
# k-means looks for the silhouette and so finds more of it by chance, however many points: this over √d at the most.
# Half as much again is asked for.
_MEANS_CHANCE = 0.35
_MEANS_FACTOR = 1.5


def is_degenerate(
    clusters: int, largest_share: float, min_clusters: int = MIN_CLUSTERS, most: float = MAX_SHARE
) -> bool:
    """Whether fewer than `min_clusters` were found, or one holds `most` of all items or more."""
    return clusters < min_clusters or largest_share >= most


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One method tried.

    Attributes:
        name: eom, eom_capped, leaf or kmeans.
        found: its outcome over the distinct vectors.
        clusters: how many.
        largest_share: of the items, in the largest cluster.
        silhouette: mean over the clustered distinct vectors (cosine, originals); None with fewer than two clusters.
    """

    name: str
    found: Density
    clusters: int
    largest_share: float
    silhouette: float | None

    @property
    def is_degenerate(self) -> bool:
        """Whether it looks like a collapse."""
        return is_degenerate(self.clusters, self.largest_share)

    def is_better_than(self, other: "LadderStep | None") -> bool:
        """Whether its clusters are farther apart."""
        return other is None or other.silhouette is None or (self.silhouette or 0.0) >= other.silhouette


@dataclass(frozen=True, slots=True)
class LadderResult:
    """The outcome of the ladder.

    Attributes:
        taken: the step that counts, or None where no structure was found.
        tried: every step tried, in order.
    """

    taken: LadderStep | None
    tried: tuple[LadderStep, ...]

    @property
    def path(self) -> tuple[str, ...]:
        """The steps tried; then the one that was gone back to, or `NO_STRUCTURE`."""
        names = tuple(step.name for step in self.tried)
        if self.taken is None:
            return (*names, NO_STRUCTURE)
        return names if self.taken is self.tried[-1] else (*names, f"back_to_{self.taken.name}")


def min_silhouette(size: int, dimensions: int) -> float:
    """Silhouette (cosine, original vectors) from which groups of `size` distinct vectors are more than chance.

    Few points are apart by chance, and the more so the fewer dimensions they have. Uniform points on spheres of 50 to
    1,536 dimensions stay below (`benchmarks/results/clustering.json`). In fewer, random points have clumps that nothing
    tells from groups; no embedder has so few.
    """
    return max(_FLOOR, _CHANCE * min(1.0, _CHANCE_SIZE / max(size, 1)) / math.sqrt(max(dimensions, 1)))


def run_ladder(
    points: WeightedPoints,
    unit: np.ndarray,
    copies: np.ndarray,
    spread: Callable[[np.ndarray], np.ndarray],
    by_means: Callable[[], np.ndarray],
) -> LadderResult:
    """Try one method after another until one gives clusters that are no collapse.

    Args:
        points: the places.
        unit, copies: the distinct vectors behind them and how often each counts, shapes (m, d) and (m,).
        spread: gives noise to the cluster that it leads to.
        by_means: labels by k-means, the last step.
    """
    tried: list[LadderStep] = []
    kept: LadderStep | None = None
    for name, density in _ladder_steps(points, by_means):
        step = _judged(name, density, unit, copies, spread)
        tried.append(step)
        needed = min_silhouette(*unit.shape)
        if name == "kmeans":
            needed = _MEANS_FACTOR * max(needed, _MEANS_CHANCE / math.sqrt(unit.shape[1]))
        stands_out = step.silhouette is not None and step.silhouette >= needed
        if stands_out and not step.is_degenerate and step.is_better_than(kept):
            return LadderResult(step, tuple(tried))
        if stands_out and kept is None:
            kept = step
    return LadderResult(kept, tuple(tried))


def _ladder_steps(points: WeightedPoints, by_means: Callable[[], np.ndarray]) -> Iterator[tuple[str, Density]]:
    yield "eom", by_density(points, Selection())
    yield "eom_capped", by_density(points, Selection(max_share=CAPPED_SHARE))
    yield "leaf", by_density(points, Selection("leaf"))
    labels = by_means()
    yield "kmeans", Density(labels, np.ones(len(labels)), np.zeros(len(labels)), {}, None)


def _judged(
    name: str, found: Density, unit: np.ndarray, copies: np.ndarray, spread: Callable[[np.ndarray], np.ndarray]
) -> LadderStep:
    whole = spread(found.labels)
    sizes = np.bincount(whole[whole != NOISE], weights=copies[whole != NOISE])
    return LadderStep(
        name=name,
        found=found,
        clusters=len(sizes),
        largest_share=float(sizes.max() / copies.sum()) if len(sizes) else 0.0,
        silhouette=mean_silhouette(unit, found.labels),
    )
