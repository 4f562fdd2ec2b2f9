"""The coarse level: which clusters belong together, from one tree over their centroids.

The tree is Ward's (1963) over the directions of the centroids. Where it is cut is not a fixed number:
of all cuts it is the one that comes back when the data are drawn anew (Ben-Hur et al. 2002; each draw sees
half of the items and three quarters of the clusters), stays over a wide range of heights, and whose themes
lie apart: the largest product of the three. Stability alone likes two themes and flat ends of the tree, the
range of heights alone splits off the one large theme, distance alone ends at the most that is allowed.
Where no cut is good enough, there are no themes, and each cluster stands for itself.
`benchmarks/results/themes.json` holds what was tried instead.
"""

from dataclasses import dataclass

import numpy as np

from llma_assets.clustering.quality import silhouettes
from llma_assets.clustering.result import NOISE
from llma_assets.clustering.threads import single_thread

# Coarse means few: more than this nobody reads at a glance.
MAX_THEMES = 25
# With three clusters any theme would be a pair and a rest.
MIN_CLUSTERS = 4
# A cut counts only if it comes back at least half as well as a perfect one, and if stability, persistence
# and silhouette together reach this strength. Clusters in random directions of 384 dimensions and more: up to
# .009 in 125 draws; real sets whose clusters have something in common: from .054; unrelated prompts: .022
# (`themes.json`: "no themes", "one source").
MIN_STABILITY = 0.5
MIN_STRENGTH = 0.03

# Of few clusters more pairs: they cost little, and with ten the figure of 16 clusters was .39 to .81 by the draw, with
# forty .71 to .79.
_PAIRS, _PAIRS_OF_FEW, _FEW_CLUSTERS = 10, 40, 40
_SHARE_OF_CLUSTERS = 0.75
# Items fall into this many blocks for each cluster; a half is any four of them. So the vectors are read once.
_BLOCKS = 8
# Rows whose keys are made at once: 8 bytes a value.
_ROWS_AT_ONCE = 4096
# A height below this share of the highest is rounding, and no ratio is taken to it; nor is a tree cut
# whose highest is below.
_LOWEST_HEIGHT = 1e-6


@dataclass(frozen=True, slots=True)
class Cut:
    """The tree cut into `themes` groups.

    Attributes:
        themes: how many.
        stability: mean adjusted Rand index between pairs of redrawn trees cut into as many, by items; 0..1.
        persistence: natural logarithm of the height where the cut ends over the height where it begins.
        silhouette: mean over items of the silhouette of their cluster among the themes (cosine of centroids).
    """

    themes: int
    stability: float
    persistence: float
    silhouette: float

    @property
    def strength(self) -> float:
        """What cuts are compared by: the product of the three."""
        return round(self.stability * self.persistence * max(self.silhouette, 0.0), 6)


@dataclass(frozen=True, slots=True)
class Themes:
    """Themes of k clusters; every number is rounded to 6 decimals.

    Attributes:
        of_cluster: int32, shape (k,); theme of each cluster. Ids 0, 1, … by falling number of items,
            ties by the smallest cluster id.
        found: False where no cut was good enough, or there are under `MIN_CLUSTERS` clusters: then each
            cluster is a theme of its own.
        quality: of the cut: themes, stability, persistence, silhouette, strength. Where none was good enough, the
            figures are those of the best that was tried, and themes is k; None where none was tried.
        cuts: all cuts that were tried, by number of themes.
        children: int32, shape (k - 1, 2); the two nodes that each merge joins. Nodes 0 … k - 1 are the
            clusters, k + i is what merge i made.
        heights: float64, shape (k - 1,), rising; what each merge adds to the sum of squares within.
    """

    of_cluster: np.ndarray
    found: bool
    quality: dict[str, float | int | None]
    cuts: tuple[Cut, ...]
    children: np.ndarray
    heights: np.ndarray


@dataclass(frozen=True, slots=True)
class _Trees:
    """b trees over q leaves each: merges (b, q - 1, 2), heights (b, q - 1), groups[m] (b, q) for m groups."""

    children: np.ndarray
    heights: np.ndarray
    groups: dict[int, np.ndarray]


def themes(unit: np.ndarray, labels: np.ndarray, seed: int) -> Themes:
    """Group clusters into themes.

    The order of the rows does not matter: halves are drawn by what a row holds. Nor do thread settings:
    the work runs on one thread. Clusters of the same size whose first item (by content) is the same are
    the only tie; it goes to the smaller id.

    Args:
        unit: shape (n, d), float32, rows of length 1.
        labels: int, shape (n,), cluster ids 0 … k - 1, none of them empty, or `NOISE`.
        seed: of the redrawn trees.
    """
    if int(labels.max(initial=NOISE)) < 1:
        return _each_its_own(labels, np.zeros((0, 2), np.int32), np.zeros(0), ())
    with single_thread():
        return _themes(unit, labels, seed)


def _themes(unit: np.ndarray, labels: np.ndarray, seed: int) -> Themes:
    count = int(labels.max()) + 1
    order, sums, counts = _block_sums(unit, labels, count)
    sizes = counts.sum(axis=1)
    centres = _directions(sums.sum(axis=1))
    most = min(MAX_THEMES, -(-count // 2))
    tree = _grow(centres[None], np.sqrt(sizes)[None], most)
    children, heights = _in_cluster_ids(tree.children[0], order), np.round(tree.heights[0], 6) + 0.0
    if count < MIN_CLUSTERS or tree.heights[0, -1] <= _LOWEST_HEIGHT:
        return _each_its_own(labels, children, heights, ())
    stability = _stability(sums, counts, most, np.random.default_rng(seed))
    cuts = tuple(_cut(m, stability[m], tree, centres, sizes) for m in range(2, most + 1))
    good = [cut for cut in cuts if cut.stability >= MIN_STABILITY and cut.strength >= MIN_STRENGTH]
    if not good:
        return _each_its_own(labels, children, heights, cuts)
    best = _best(good)
    of_cluster = np.empty(count, dtype=np.int64)
    of_cluster[order] = tree.groups[best.themes][0]
    return Themes(_renumber(of_cluster, labels), True, _figures(best, best.themes), cuts, children, heights)


def _each_its_own(labels: np.ndarray, children: np.ndarray, heights: np.ndarray, cuts: tuple[Cut, ...]) -> Themes:
    count = int(labels.max(initial=NOISE)) + 1
    quality = _figures(_best(list(cuts)) if cuts else None, count)
    return Themes(_renumber(np.arange(count), labels), False, quality, cuts, children, heights)


def _best(cuts: list[Cut]) -> Cut:
    return max(cuts, key=lambda cut: (cut.strength, -cut.themes))


def _figures(cut: Cut | None, count: int) -> dict[str, float | int | None]:
    return {
        "themes": count,
        "stability": None if cut is None else cut.stability,
        "persistence": None if cut is None else cut.persistence,
        "silhouette": None if cut is None else cut.silhouette,
        "strength": None if cut is None else cut.strength,
    }


def _renumber(of_cluster: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Theme ids by falling number of items, ties by the smallest cluster."""
    sizes = np.bincount(labels[labels != NOISE], minlength=len(of_cluster))
    ids, first, group = np.unique(of_cluster, return_index=True, return_inverse=True)
    items = np.bincount(group, weights=sizes, minlength=len(ids))
    new = np.empty(len(ids), dtype=np.int32)
    new[np.lexsort((first, -items))] = np.arange(len(ids))
    return new[group]


def _block_sums(unit: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add up the members of each cluster, block by block.

    Returns:
        The clusters in an order that does not depend on the order of rows, sums (k, 8, d) and counts (k, 8)
        in that order.
    """
    rows = np.flatnonzero(labels != NOISE)
    keys = _content_keys(unit[rows])
    by_content = np.lexsort((keys, labels[rows]))
    rows, keys = rows[by_content], keys[by_content]
    sizes = np.bincount(labels[rows], minlength=count)
    starts = np.cumsum(sizes) - sizes
    order = np.lexsort((keys[starts], -sizes))
    # A cluster of under eight leaves blocks empty; not always the same ones, so each starts elsewhere.
    offsets = (keys[starts] % _BLOCKS).astype(np.int64)
    sums, counts = np.zeros((count, _BLOCKS, unit.shape[1])), np.zeros((count, _BLOCKS), dtype=np.int64)
    for cluster, (start, size, offset) in enumerate(zip(starts, sizes, offsets, strict=True)):
        members = rows[start : start + size]
        for block in range(min(_BLOCKS, size)):
            place = (block + offset) % _BLOCKS
            sums[cluster, place] = unit[members[block::_BLOCKS]].sum(axis=0, dtype=np.float64)
            counts[cluster, place] = len(members[block::_BLOCKS])
    return order, sums[order], counts[order]


def _content_keys(rows: np.ndarray) -> np.ndarray:
    """A 64-bit number for each row, the same wherever the row stands: exact, so in any order of rows."""
    width = rows.shape[1]
    factors = 2 * np.random.default_rng(width).integers(0, 2**63, width, dtype=np.uint64) + np.uint64(1)
    keys = np.empty(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        words = np.ascontiguousarray(rows[part], dtype=np.float32).view(np.uint32)
        keys[part] = words.astype(np.uint64) @ factors
    # The low bits of a product know only the low bits of its factors.
    return keys ^ (keys >> np.uint64(32))


def _directions(sums: np.ndarray) -> np.ndarray:
    """Unit vectors; opposite members can cancel out, and what has no direction stays at the origin."""
    lengths = np.linalg.norm(sums, axis=-1, keepdims=True)
    return np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-9), 0.0)


def _grow(centres: np.ndarray, weights: np.ndarray, most: int) -> _Trees:
    """Ward's tree over q weighted points, for b sets of points at once.

    A cluster weighs the square root of its items: with its items themselves a large topic is split before
    a small one is told apart, with all alike five stray items count as much as five hundred.

    Args:
        centres: shape (b, q, d). weights: shape (b, q). most: the largest number of groups to keep.
    """
    trees, leaves = weights.shape
    squares = np.einsum("bqd,bqd->bq", centres, centres)
    apart = squares[:, :, None] + squares[:, None, :] - 2 * centres @ centres.transpose(0, 2, 1)
    factor = weights[:, :, None] * weights[:, None, :] / (weights[:, :, None] + weights[:, None, :])
    # Rounded, so that the last bits of a matrix product decide nothing.
    cost = np.round(np.maximum(apart, 0.0) * factor, 9)
    cost[:, np.arange(leaves), np.arange(leaves)] = np.inf
    mass, alive = weights.copy(), np.ones((trees, leaves), dtype=bool)
    group = np.tile(np.arange(leaves), (trees, 1))
    node, every = group.copy(), np.arange(trees)
    children, heights = np.empty((trees, leaves - 1, 2), np.int32), np.empty((trees, leaves - 1))
    groups = {leaves: group.copy()}
    for step in range(leaves - 1):
        one, other = np.divmod(cost.reshape(trees, -1).argmin(axis=1), leaves)
        height = cost[every, one, other]
        children[:, step] = np.sort(np.stack([node[every, one], node[every, other]], axis=1), axis=1)
        heights[:, step] = height
        # Lance and Williams (1967): the cost of merging with the pair, from the costs with its parts.
        first, second = mass[every, one][:, None], mass[every, other][:, None]
        merged = (first + mass) * cost[every, one] + (second + mass) * cost[every, other] - mass * height[:, None]
        merged /= first + second + mass
        alive[every, other] = False
        merged[~alive] = np.inf
        merged[every, one] = np.inf
        cost[every, one], cost[every, :, one] = merged, merged
        cost[every, other], cost[every, :, other] = np.inf, np.inf
        mass[every, one] += mass[every, other]
        node[every, one] = leaves + step
        group = np.where(group == other[:, None], one[:, None], group)
        if leaves - 1 - step <= most:
            dense = np.cumsum(alive, axis=1) - 1
            groups[leaves - 1 - step] = np.take_along_axis(dense, group, axis=1)
    return _Trees(children, np.maximum.accumulate(heights, axis=1), groups)


def _stability(sums: np.ndarray, counts: np.ndarray, most: int, random: np.random.Generator) -> dict[int, float]:
    """How well each cut of 2 … `most` groups comes back, over pairs of trees from disjoint halves of the items."""
    clusters = len(sums)
    pairs = _PAIRS_OF_FEW if clusters <= _FEW_CLUSTERS else _PAIRS
    kept = max(most, round(_SHARE_OF_CLUSTERS * clusters))
    halves = np.zeros((2 * pairs, _BLOCKS))
    for pair in range(pairs):
        blocks = random.permutation(_BLOCKS)
        halves[2 * pair, blocks[: _BLOCKS // 2]] = 1
        halves[2 * pair + 1, blocks[_BLOCKS // 2 :]] = 1
    chosen = np.stack([np.sort(random.permutation(clusters)[:kept]) for _ in halves])
    drawn = np.einsum("bs,ksd->bkd", halves, sums, optimize=True)
    # A cluster with no item in this half takes part with all of them.
    drawn = np.where((halves @ counts.T > 0)[:, :, None], drawn, sums.sum(axis=1))
    sizes = counts.sum(axis=1).astype(np.float64)
    trees = _grow(_directions(np.take_along_axis(drawn, chosen[:, :, None], axis=1)), np.sqrt(sizes)[chosen], most)
    result = {}
    for m in range(2, most + 1):
        groups = np.full((2 * pairs, clusters), -1)
        np.put_along_axis(groups, chosen, trees.groups[m], axis=1)
        result[m] = _agreement(groups[::2], groups[1::2], sizes, m)
    return result


def _agreement(left: np.ndarray, right: np.ndarray, sizes: np.ndarray, m: int) -> float:
    """Mean adjusted Rand index of pairs of groupings (p, k) of clusters that hold `sizes` items; -1 is left out.

    A pair of groupings of one group each says nothing and is not counted.
    """
    pair, cluster = np.nonzero((left >= 0) & (right >= 0))
    cell = (pair * m + left[pair, cluster]) * m + right[pair, cluster]
    table = np.bincount(cell, weights=sizes[cluster], minlength=len(left) * m * m).reshape(-1, m, m)

    def pairs(items: np.ndarray) -> np.ndarray:
        return (items * (items - 1)).reshape(len(left), -1).sum(axis=1)

    total = pairs(table.sum(axis=(1, 2)))
    rows, columns = pairs(table.sum(axis=2)), pairs(table.sum(axis=1))
    chance = rows * columns / np.maximum(total, 1)
    room = (rows + columns) / 2 - chance
    telling = room > 1e-9 * np.maximum(total, 1)
    if not telling.any():
        return 0.0
    index = (pairs(table) - chance)[telling] / room[telling]
    return float(np.clip(index.mean(), 0.0, 1.0))


def _cut(m: int, stability: float, tree: _Trees, centres: np.ndarray, sizes: np.ndarray) -> Cut:
    heights = np.maximum(tree.heights[0], _LOWEST_HEIGHT * tree.heights[0, -1])
    leaves = len(centres)
    persistence = np.log(heights[leaves - m] / heights[leaves - m - 1])
    apart = silhouettes(centres, tree.groups[m][0])
    silhouette = 0.0 if apart is None else float(apart @ sizes / sizes.sum())
    return Cut(m, *(round(float(value), 6) + 0.0 for value in (stability, persistence, silhouette)))


def _in_cluster_ids(children: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Name the leaves of a tree by cluster id instead of by place in `order`."""
    leaves = len(order)
    named = np.concatenate([order, np.arange(leaves, 2 * leaves)])
    return np.sort(named[children], axis=1).astype(np.int32)
