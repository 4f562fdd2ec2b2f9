"""Yesterday's map as the start of today's: what was known stays where it was."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from llma_assets.clustering.layout import Schedule, Springs, descend

# Steps from yesterday's places. A little exaggeration lets new groups gather and find room: with none, new intents
# had 10-NN label accuracy .86 (mean of three draws of six), with 30 steps of it .87, on a fresh map .86.
_STEPS = Schedule(early=30, late=60, early_pull=4.0)
# How hard an old place is held; 1 is as strong as a neighbourhood at distance 1. Over 25 days with 15 % new items each,
# 0.005 to 0.02 kept accuracy within .005 of fresh maps and moved places by 1.4 % to 0.9 % of the map's width a day.
# 0.1, without exaggeration, lost .009: items stayed among neighbours of long ago. All in
# `benchmarks/results/map_choices.json`.
_ANCHOR_STRENGTH = 0.01
# Rounds in which places spread from anchored rows to their free neighbours, and on to theirs.
_SPREADING_ROUNDS = 20
# Mean kernel along the graph, weighted by attraction, of a finished layout: .67 to .84 on five sets.
_CLOSENESS = 0.78
# Bounds of half the map's width, in units of the optimiser: 8 to 20,000 points have 2 to 100.
_SMALLEST, _LARGEST = 1.0, 1000.0
_BISECTIONS = 24
# Added where a free row starts, in units of the optimiser: copies have to leave each other.
_JITTER = 3e-3
# Less says nothing about where the rest is.
_MIN_ROWS = 3


@dataclass(frozen=True, slots=True)
class Anchors:
    """Earlier places of some rows.

    Attributes:
        rows: int64, shape (a,), which rows, each at most once.
        xy: float64, shape (a, 2), where each was on the earlier map.
    """

    rows: np.ndarray
    xy: np.ndarray

    def check(self, size: int) -> None:
        """Raise ValueError unless these are places of rows of a layout with `size` rows."""
        if self.xy.shape != (len(self.rows), 2) or not np.isfinite(self.xy).all():
            raise ValueError(f"anchors have {len(self.rows)} rows and xy of shape {self.xy.shape}; xy must be finite")
        if len(np.unique(self.rows)) != len(self.rows):
            raise ValueError("anchors name a row twice")
        if len(self.rows) and (self.rows.min() < 0 or self.rows.max() >= size):
            raise ValueError(f"anchors name rows {self.rows.min()} to {self.rows.max()} of {size}")

    def usable(self) -> bool:
        """Whether they say anything about the rest: three rows at more than one place."""
        return len(self.rows) >= _MIN_ROWS and float(np.ptp(self.xy, axis=0).max()) > 1e-6


def anchored(graph: Any, plane: np.ndarray, anchors: Anchors) -> np.ndarray:
    """Lay out the rows of `graph` from the places of `anchors`, and in their frame.

    Args:
        graph: the fuzzy graph of m rows.
        plane: shape (m, 2), another sight of the rows, for those that no path leads to.
        anchors: usable ones.

    Returns:
        float64, shape (m, 2).
    """
    start = spread(graph, plane, anchors)
    middle = anchors.xy.mean(axis=0)
    scale = map_scale(graph, start - middle)
    free = np.ones(len(start), bool)
    free[anchors.rows] = False
    jitter = np.random.default_rng(0).standard_normal(start.shape) * _JITTER
    begin = ((start - middle) * scale + np.where(free[:, None], jitter, 0.0)).astype(np.float32)
    springs = Springs(begin, np.where(free, 0.0, _ANCHOR_STRENGTH).astype(np.float32))
    places = descend(graph, begin, _STEPS, springs).astype(np.float64)
    # What all points do together is no news. Without this the map grew by half in 25 days.
    return turned_onto(places, anchors)


def spread(graph: Any, plane: np.ndarray, anchors: Anchors) -> np.ndarray:
    """A first place for every row: anchored ones their own, others the mean of their placed neighbours.

    Rows that no path leads to take the place of the anchored row nearest on `plane` (m, 2).
    """
    size = graph.shape[0]
    fixed = np.zeros(size, bool)
    fixed[anchors.rows] = True
    places, known = np.zeros((size, 2)), fixed.astype(np.float64)
    places[anchors.rows] = anchors.xy
    for _ in range(_SPREADING_ROUNDS):
        reached = graph @ known
        near = (graph @ (places * known[:, None])) / np.maximum(reached, 1e-30)[:, None]
        move = ~fixed & (reached > 0.0)
        places = np.where(move[:, None], near, places)
        known = np.maximum(known, move.astype(np.float64))
    lost = np.flatnonzero(known == 0.0)
    if len(lost):
        from scipy.spatial import cKDTree

        _, nearest = cKDTree(plane[anchors.rows]).query(plane[lost])
        places[lost] = anchors.xy[nearest]
    return places


def turned_onto(places: np.ndarray, anchors: Anchors) -> np.ndarray:
    """`places` (m, 2) moved, turned or mirrored, and scaled so that the anchored rows lie best on their anchors.

    Orthogonal Procrustes analysis (Schönemann 1966), with the scale that leaves the least squares.
    """
    own, aim = places[anchors.rows], anchors.xy
    centre, there = own.mean(axis=0), aim.mean(axis=0)
    left, strength, right = np.linalg.svd((own - centre).T @ (aim - there))
    scale = strength.sum() / max(float(((own - centre) ** 2).sum()), 1e-12)
    return (places - centre) @ (left @ right) * scale + there


def map_scale(graph: Any, places: np.ndarray) -> float:
    """The factor that brings `places` (m, 2) from [−1, 1] to the size at which the optimiser works.

    The loss depends on absolute distances: neighbours of a finished map are about as far apart as the
    kernel is wide.
    """
    edges = graph.tocoo()
    total = edges.data.sum()
    squared = ((places[edges.row] - places[edges.col]) ** 2).sum(axis=1)
    low, high = np.log(_SMALLEST), np.log(_LARGEST)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        closeness = float((edges.data / total / (1.0 + squared * np.exp(2.0 * middle))).sum())
        low, high = (middle, high) if closeness > _CLOSENESS else (low, middle)
    return float(np.exp((low + high) / 2.0))
