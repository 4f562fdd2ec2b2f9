"""Clusters of an earlier run that stay where today's items are grouped as well by them.

Many cuts of real traffic are near ties: a few new items split a cluster today and join it again tomorrow. So what
today's items alone give is compared with the clusters of an earlier run. A cluster that was lost comes back, and a part
that came off goes back, if the items concerned lie about as close together for it (silhouette). What is new is not
undone: a cluster that holds more new items than chance explains. Measured in `benchmarks/results/replays.json`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from llma_assets.clustering.graph import spread_labels
from llma_assets.clustering.overlap import KEPT_JACCARD, jaccard, one_to_one
from llma_assets.clustering.quality import silhouettes_at
from llma_assets.clustering.result import NOISE, UNSEEN

# What the mean silhouette of all rows of the clusters concerned may lose: it is higher for finer clusters, so that with
# 0 parts would come off and never go back.
_MAX_LOSS = 0.05
# What that of the moved rows may lose: a few rows far from all others say little among hundreds.
_MAX_LOSS_OF_MOVED = 0.1
# Standard deviations of the binomial share of new items, beyond which a cluster is new: so new topics are found as
# soon as without earlier clusters (`benchmarks/results/holding.json`).
_NEW_DEVIATIONS = 1.5
# An earlier run that learned from a smaller share of today's number of items is not compared with: in a team's first
# days, the window still filling, its fewer clusters cost up to .01 AMI (`benchmarks/results/holding.json`).
_MIN_LEARNED_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class EarlierLabels:
    """Clusters of an earlier run, for the rows of today's.

    Attributes:
        labels: int32, shape (n,), the cluster of each row, `NOISE`, or `UNSEEN`.
        learned: how many items they were learned from.
    """

    labels: np.ndarray
    learned: int

    def is_comparable(self, learned: int) -> bool:
        """Whether it learned from about as many items as today's `learned`."""
        return self.learned >= _MIN_LEARNED_SHARE * learned


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Labels after the comparison.

    Attributes:
        labels: int32, shape (m,).
        returned: earlier clusters that came back.
        rejoined: parts that went back.
    """

    labels: np.ndarray
    returned: int = 0
    rejoined: int = 0


def reconcile(
    unit: np.ndarray, graph: Any, labels: np.ndarray, earlier: np.ndarray, times: np.ndarray, smallest: int
) -> Reconciled:
    """Compare today's clusters with earlier ones. Noise of today stays noise.

    Args:
        unit, graph: m distinct rows, shape (m, d), and their neighbours.
        labels: int32, shape (m,), today's clusters, any ids, or `NOISE`. A cluster that stays keeps its id.
        earlier: int32, shape (m,), clusters of the earlier run, `NOISE` or `UNSEEN`; lost ones are tried in the
            order of their ids.
        times: int, shape (m,), how often each row counts.
        smallest: what a cluster must have, counted by `times`.
    """
    if not ((earlier >= 0) & (labels >= 0)).any():
        return Reconciled(labels)
    earlier = consecutive_ids(earlier)
    shared = _shared(labels, earlier, times)
    order = _order(labels, times)
    was = _carried(graph, labels, earlier)
    is_new = _are_new(labels, earlier, times)
    pairs = _kept(labels, earlier, shared, times, order)
    now_of = np.full(shared.shape[1], NOISE, np.int32)
    for now, before in pairs:
        now_of[before] = now
    groups = _Groups(unit, labels, times, smallest, room=sum(shared.shape))
    returned = rejoined = 0
    unused = len(shared)
    for lost in np.flatnonzero(now_of == NOISE):
        rows = np.flatnonzero((was == lost) & ~is_new[labels])
        if groups.move(rows, np.full(len(rows), unused, np.int32)):
            now_of[lost], unused, returned = unused, unused + 1, returned + 1
    kept = {now for now, _ in pairs}
    for part in order:
        rows = np.flatnonzero(groups.labels == part)
        if part in kept or is_new[part] or not len(rows):
            continue
        if groups.move(rows, _return_targets(was[rows], now_of)):
            rejoined += 1
    return Reconciled(groups.labels, returned, rejoined)


def consecutive_ids(earlier: np.ndarray) -> np.ndarray:
    """The same groups with ids 0, 1, … in the order of the old ones, none of them empty."""
    ids = np.unique(earlier[earlier >= 0])
    return np.where(earlier >= 0, np.searchsorted(ids, earlier), earlier).astype(np.int32)


def _shared(labels: np.ndarray, earlier: np.ndarray, times: np.ndarray) -> np.ndarray:
    """What each of today's ids and each earlier one have in common: int64, shape (k, j)."""
    both = (labels >= 0) & (earlier >= 0)
    shared = np.zeros((int(labels.max()) + 1, int(earlier.max()) + 1), np.int64)
    np.add.at(shared, (labels[both], earlier[both]), times[both])
    return shared


def _order(labels: np.ndarray, times: np.ndarray) -> list[int]:
    """Today's ids by falling size, then by their first row: distinct rows have an order of their own."""
    ids, first = np.unique(labels, return_index=True)
    sizes = [times[labels == label].sum() for label in ids]
    return [int(label) for _, _, label in sorted(zip(np.negative(sizes), first, ids, strict=True)) if label != NOISE]


def _kept(
    labels: np.ndarray, earlier: np.ndarray, shared: np.ndarray, times: np.ndarray, order: list[int]
) -> list[tuple[int, int]]:
    """Pairs of today's and earlier ids, by the rule of the lineage."""
    seen = (labels >= 0) & (earlier != UNSEEN)
    members = np.bincount(labels[seen], weights=times[seen], minlength=len(shared))
    earlier_members = np.bincount(earlier[earlier >= 0], weights=times[earlier >= 0])
    pairs = one_to_one(jaccard(shared, members, earlier_members)[order], KEPT_JACCARD)
    return [(order[place], before) for place, before in pairs]


def _carried(graph: Any, labels: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """The earlier cluster of every row that has one today; what had none takes that of its neighbours."""
    carried, _ = spread_labels(graph, np.maximum(earlier, NOISE))
    return np.where(labels == NOISE, NOISE, carried)


def _are_new(labels: np.ndarray, earlier: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Whether each of today's clusters holds more items that the earlier run did not see than chance explains."""
    clustered = labels >= 0
    unseen = np.bincount(labels[clustered], weights=(times * (earlier == UNSEEN))[clustered])
    sizes = np.bincount(labels[clustered], weights=times[clustered])
    share = float(times[earlier == UNSEEN].sum() / times.sum())
    return np.asarray(unseen > share * sizes + _NEW_DEVIATIONS * np.sqrt(share * (1.0 - share) * sizes))


def _return_targets(was: np.ndarray, now_of: np.ndarray) -> np.ndarray:
    """Where the rows of a part go back to: int32; nowhere, `NOISE`, if most of them have no cluster to go to."""
    homes = np.where(was >= 0, now_of[was], NOISE)
    lost = homes == NOISE
    if np.mean(lost) > 0.5:
        return np.full(len(was), NOISE, np.int32)
    homes[lost] = now_of[np.bincount(was[~lost]).argmax()]
    return homes.astype(np.int32)


class _Groups:
    """Clusters that rows move between.

    Attributes:
        labels: int32, shape (m,).
    """

    def __init__(self, unit: np.ndarray, labels: np.ndarray, times: np.ndarray, smallest: int, room: int) -> None:
        self.labels = labels
        self._unit, self._times, self._smallest = unit, times, smallest
        self._sizes = np.bincount(labels[labels >= 0], minlength=room)
        self._sums = np.zeros((room, unit.shape[1]))
        for label in range(room):
            self._sums[label] = unit[labels == label].sum(axis=0, dtype=np.float64)
        # Of every row with every sum: a move changes a few columns.
        self._products = (unit @ self._sums.T.astype(np.float32)).astype(np.float64)

    def move(self, rows: np.ndarray, targets: np.ndarray) -> bool:
        """Give `rows` the labels `targets` if nothing gets too small or much less close; whether it was done."""
        if self._times[rows].sum() < self._smallest or (targets == NOISE).any():
            return False
        changed = np.union1d(self.labels[rows], targets)
        labels = self.labels.copy()
        labels[rows] = targets
        concerned = np.flatnonzero(np.isin(self.labels, changed))
        left = np.bincount(labels[concerned], weights=self._times[concerned])
        sizes = self._sizes.copy()
        sizes[changed] = [np.count_nonzero(labels[concerned] == label) for label in changed]
        # Beside a single cluster there is nothing to be close to: what is one today, or would be, is not compared.
        if ((left > 0) & (left < self._smallest)).any() or min(map(np.count_nonzero, (self._sizes, sizes))) < 2:
            return False
        sums = self._sums[changed]
        for place, label in enumerate(changed):
            sums[place] += self._unit[rows[targets == label]].sum(axis=0, dtype=np.float64)
            sums[place] -= self._unit[rows[self.labels[rows] == label]].sum(axis=0, dtype=np.float64)
        products = self._products[concerned]
        before = _silhouettes(products, self.labels[concerned], self._sizes)
        columns = self._unit @ sums.T.astype(np.float32)
        products[:, changed] = columns[concerned]
        lost = before - _silhouettes(products, labels[concerned], sizes)
        if lost.mean() > _MAX_LOSS or lost[np.isin(concerned, rows)].mean() > _MAX_LOSS_OF_MOVED:
            return False
        self.labels, self._sizes = labels, sizes
        self._sums[changed] = sums
        self._products[:, changed] = columns
        return True


def _silhouettes(products: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Silhouettes, from the products of rows with the sums of clusters."""
    return silhouettes_at(1.0 - products / np.maximum(sizes, 1), labels, sizes)
