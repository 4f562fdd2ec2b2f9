"""A place in the plane for every row, next to what it resembles: where clusters are found, and what the map shows.

t-SNE's loss (van der Maaten and Hinton 2008) over the fuzzy neighbour graph, with attraction twice as strong as
in plain t-SNE: between t-SNE's even spread and UMAP's islands (Böhm, Berens and Kobak 2022). NumPy and SciPy alone, no
JIT: 2,000 rows take 0.3 CPU-s. Found against other reductions in `benchmarks/results/clustering.json`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from llma_assets.clustering.mesh import COARSE, FINE, PAIRS_LIMIT, RepulsionMesh, push_pairwise
from llma_assets.clustering.reduction import principal_plane

# Of fewer, everyone is nearly everyone's neighbour and the layout falls together: up to 12 points it was a line. The
# first two principal components show all there is.
MIN_POINTS = 16
# Standard deviation of the start, in units of the layout. 0.1 to 10 measured alike: AMI within .013 on five sets.
_START_WIDTH = 3.0
# Drawn at random, in the same units: points on a line have to leave it.
_JITTER = 3e-3
_MIN_GAIN = 0.01
_MOMENTUM = 0.8
# In units of the layout: no single step throws a point out of it.
_LONGEST_STEP = 5.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, and how strongly neighbours attract.

    Attributes:
        early, late: steps with attraction × `early_pull`, then steps with attraction × `pull`.
        fine: how many of the last steps use the fine mesh.
    """

    early: int
    late: int
    fine: int = 40
    early_pull: float = 12.0
    # AMI of the clusters on five sets: 1.5 and 2 within .01 of each other; 1 loses up to .015, 3 up to .025 and
    # 4 up to .076, each most on traces.
    pull: float = 2.0


# 50 + 150 and 50 + 300 steps measured alike (AMI within .007 on five sets of 517 to 5,000 rows).
FULL = Schedule(early=50, late=150)


@dataclass(frozen=True, slots=True)
class Springs:
    """Pulls points back to where they were.

    Attributes:
        rest: float32, shape (m, 2), where each is pulled to.
        strength: float32, shape (m,), 0 for a free point; 1 is as strong as a neighbourhood at distance 1.
    """

    rest: np.ndarray
    strength: np.ndarray


def lay_out(unit: np.ndarray, graph: Any, seed: int) -> np.ndarray:
    """Place m rows in the plane, starting from their principal components.

    The same rows in the same order give the same bytes, on one thread.

    Args:
        unit: shape (m, d), distinct rows.
        graph: their neighbours, symmetric CSR of shape (m, m), as `fuzzy_graph` makes it.
        seed: for the jitter that takes points off a line.

    Returns:
        float64, shape (m, 2), centred; neighbours are about 1 apart.
    """
    plane = principal_plane(unit)
    if len(unit) < MIN_POINTS:
        return plane
    spread = plane[:, 0].std()
    jitter = np.random.default_rng(seed).standard_normal(plane.shape)
    start = plane / spread * _START_WIDTH + jitter * _JITTER
    return descend(graph, start, FULL).astype(np.float64)


def descend(graph: Any, start: np.ndarray, schedule: Schedule, springs: Springs | None = None) -> np.ndarray:
    """Move points downhill from `start` (m, 2) with momentum and gains (Jacobs 1988): float32, shape (m, 2).

    Nothing is drawn at random. Without springs the points stay centred.
    """
    size = len(start)
    pull = Pull(graph)
    coarse, fine = RepulsionMesh(COARSE), RepulsionMesh(FINE)
    steps = schedule.early + schedule.late
    places: np.ndarray = start.astype(np.float32)
    velocity: np.ndarray = np.zeros_like(places)
    gains: np.ndarray = np.ones_like(places)
    for step in range(steps):
        push = push_pairwise if size <= PAIRS_LIMIT else (coarse if step < steps - schedule.fine else fine).push
        strength = schedule.early_pull if step < schedule.early else schedule.pull
        pushed, total = push(places)
        pulled, near = pull(places)
        # All pairs are no less than those of the graph, whatever the mesh's error.
        slope = strength * pulled - pushed / np.float32(max(total, near))
        if springs is not None:
            slope += (springs.strength / np.float32(size))[:, None] * (places - springs.rest)
        overshot = (slope > 0) == (velocity > 0)
        gains = np.maximum(np.where(overshot, gains * 0.8, gains + 0.2), _MIN_GAIN).astype(np.float32)
        # The rule of Belkina et al. 2019 for the step: points over attraction.
        rate = np.float32(size / strength)
        velocity = np.clip(np.float32(_MOMENTUM) * velocity - rate * gains * slope, -_LONGEST_STEP, _LONGEST_STEP)
        places = places + velocity
        if springs is None:
            places -= places.mean(axis=0)
    return places


class Pull:
    """The attraction along the graph, in O(edges)."""

    def __init__(self, graph: Any) -> None:
        self._rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
        self._weighted = graph.astype(np.float32)
        # NumPy takes with indices of this type twice as fast as with those of the graph.
        self._columns = graph.indices.astype(np.intp)
        self._probabilities = (graph.data / graph.data.sum()).astype(np.float32)

    def __call__(self, places: np.ndarray) -> tuple[np.ndarray, float]:
        """Σⱼ pᵢⱼ Kᵢⱼ (yᵢ − yⱼ), float32 of shape (m, 2), and Σ Kᵢⱼ along the graph."""
        x, y = np.ascontiguousarray(places.T)
        apart_x, apart_y = (along.take(self._rows) - along.take(self._columns) for along in (x, y))
        kernel = 1.0 / (1.0 + apart_x * apart_x + apart_y * apart_y)
        np.multiply(self._probabilities, kernel, out=self._weighted.data)
        sums = self._weighted @ np.column_stack([places, np.ones(len(places), np.float32)])
        return places * sums[:, 2:] - sums[:, :2], float(kernel.sum(dtype=np.float64))
