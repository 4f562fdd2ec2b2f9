"""Themes: planted ones are found, none are invented, and neither rows' order nor copies matter."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage

from llma_assets.clustering.result import NOISE
from llma_assets.clustering.themes import MIN_CLUSTERS, Themes, _agreement, _block_sums, _grow, themes
from llma_assets.clustering.vectors import unit_vectors
from llma_assets_tests.clustering.figures import figure


def directions(shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    points = random.normal(size=shape)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def items(centres: np.ndarray, sizes: list[int], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(len(centres), dtype=np.int32), sizes)
    return unit_vectors(centres[labels] + directions((len(labels), centres.shape[1]), random)), labels


def planted(of_cluster: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of falling size in 384 dimensions; clusters of one theme point roughly the same way."""
    random = np.random.default_rng(seed)
    tops = directions((max(of_cluster) + 1, 384), random)
    centres = tops[of_cluster] + 1.2 * directions((len(of_cluster), 384), random)
    return items(centres, [40 - index for index in range(len(of_cluster))], random)


def same_groups(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


def assert_sound(found: Themes, labels: np.ndarray) -> None:
    """What holds for every outcome, whatever the input."""
    count = int(labels.max(initial=NOISE)) + 1
    assert found.of_cluster.shape == (count,)
    assert found.of_cluster.dtype == np.int32
    sizes = np.bincount(labels[labels != NOISE], minlength=count)
    made = int(found.of_cluster.max(initial=-1)) + 1
    weights = [int(sizes[found.of_cluster == theme].sum()) for theme in range(made)]
    assert all(weights)
    firsts = [int(np.flatnonzero(found.of_cluster == theme)[0]) for theme in range(made)]
    assert sorted(range(made), key=lambda theme: (-weights[theme], firsts[theme])) == list(range(made))
    assert found.quality["themes"] == made
    assert found.found == (made < count)
    assert found.children.shape == (max(count - 1, 0), 2)
    assert found.heights.shape == (max(count - 1, 0),)
    assert (np.diff(found.heights) >= 0).all()
    assert np.isfinite(found.heights).all()
    # Each node but the root is joined exactly once, after it was made.
    assert sorted(found.children.ravel()) == list(range(max(2 * count - 2, 0)))
    assert all((pair < count + step).all() for step, pair in enumerate(found.children))
    assert [cut.themes for cut in found.cuts] == list(range(2, 2 + len(found.cuts)))
    for cut in found.cuts:
        assert 0 <= cut.stability <= 1
        assert -1 <= cut.silhouette <= 1
        assert np.isfinite(cut.persistence)
        assert cut.persistence >= 0
        assert cut.strength == pytest.approx(cut.stability * cut.persistence * max(cut.silhouette, 0), abs=1e-6)
        assert all(value == round(value, 6) for value in (cut.stability, cut.persistence, cut.silhouette))


def assert_same(one: Themes, other: Themes) -> None:
    for name in (field.name for field in fields(Themes)):
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right


@pytest.mark.parametrize(
    "of_cluster",
    [
        [0, 0, 0, 0, 0, 1, 1, 1, 1],
        [0, 1, 2] * 5,
        [0] * 12 + [1] * 3 + [2] * 4 + [3] * 6 + [4] * 3,
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_planted_themes_are_found(of_cluster: list[int], seed: int) -> None:
    unit, labels = planted(of_cluster, seed)
    found = themes(unit, labels, seed)
    assert_sound(found, labels)
    assert found.found
    assert same_groups(found.of_cluster, np.array(of_cluster))
    assert figure(found, "stability") > 0.8


@pytest.mark.parametrize("count", [4, 6, 20, 60])
@pytest.mark.parametrize("seed", range(3))
def test_random_directions_have_no_themes(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    unit, labels = items(directions((count, 384), random), list(range(count + 10, 10, -1)), random)
    found = themes(unit, labels, seed)
    assert_sound(found, labels)
    assert not found.found
    assert found.of_cluster.tolist() == list(range(count))
    assert figure(found, "strength") < 0.02


def test_intents_of_one_bank_have_themes(queries: np.ndarray, intents: np.ndarray) -> None:
    unit = unit_vectors(queries)
    found = themes(unit, intents.astype(np.int32), 0)
    assert_sound(found, intents.astype(np.int32))
    assert [cut.themes for cut in found.cuts] == [2, 3, 4, 5, 6]
    assert found.found
    assert figure(found, "stability") > 0.8
    assert figure(found, "silhouette") > 0.25
    # Each the nearest of the other among the centroids.
    for one, other in [(2, 10), (3, 7), (4, 6), (8, 9)]:
        assert found.of_cluster[one] == found.of_cluster[other]


def test_neither_order_of_rows_nor_noise_matters() -> None:
    unit, labels = planted([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 1, 0])
    labels[::9] = NOISE
    found = themes(unit, labels, 3)
    assert found.found
    mixed = np.random.default_rng(0).permutation(len(unit))
    assert_same(themes(unit[mixed], labels[mixed], 3), found)
    assert_same(themes(unit[labels != NOISE], labels[labels != NOISE], 3), found)


def test_the_seed_is_the_only_chance() -> None:
    unit, labels = planted([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2], seed=5)
    assert_same(themes(unit, labels, 1), themes(unit, labels, 1))
    noisy = unit_vectors(unit + 0.3 * directions(unit.shape, np.random.default_rng(1)))
    one, other = (tuple(cut.stability for cut in themes(noisy, labels, seed).cuts) for seed in (1, 2))
    assert one != other


def test_names_of_clusters_do_not_matter() -> None:
    unit, labels = planted([0, 1, 2] * 4)
    renamed = np.random.default_rng(2).permutation(12).astype(np.int32)
    found, other = themes(unit, labels, 0), themes(unit, renamed[labels], 0)
    assert same_groups(found.of_cluster, other.of_cluster[renamed])
    assert found.cuts == other.cuts
    np.testing.assert_array_equal(found.heights, other.heights)


@pytest.mark.parametrize("count", range(MIN_CLUSTERS))
def test_few_clusters_stand_for_themselves(count: int) -> None:
    random = np.random.default_rng(count)
    unit, labels = items(directions((max(count, 1), 16), random), [5] * max(count, 1), random)
    found = themes(unit, labels if count else np.full_like(labels, NOISE), 0)
    assert_sound(found, labels if count else np.full_like(labels, NOISE))
    assert found.of_cluster.tolist() == list(range(count))
    assert found.cuts == ()
    assert found.quality == {
        "themes": count,
        "stability": None,
        "persistence": None,
        "silhouette": None,
        "strength": None,
    }


def test_no_rows() -> None:
    assert themes(np.zeros((0, 8), np.float32), np.zeros(0, np.int32), 0).of_cluster.shape == (0,)


def test_clusters_of_one_distinct_vector() -> None:
    random = np.random.default_rng(0)
    tops = directions((2, 384), random)
    centres = unit_vectors(np.repeat(tops, 4, axis=0) + 0.5 * directions((8, 384), random))
    labels = np.repeat(np.arange(8, dtype=np.int32), [9, 9, 9, 9, 3, 2, 1, 1])
    found = themes(centres[labels], labels, 0)
    assert_sound(found, labels)
    assert found.of_cluster.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("size", [1, 2, 5, 30])
def test_blocks_add_up_to_the_clusters(size: int) -> None:
    random = np.random.default_rng(size)
    unit, labels = items(directions((4, 16), random), [size, 1, 9, size], random)
    order, sums, counts = _block_sums(unit, labels, 4)
    assert sorted(order) == [0, 1, 2, 3]
    assert counts.sum(axis=1).tolist() == [[size, 1, 9, size][cluster] for cluster in order]
    assert counts.max(axis=1).tolist() == [-(-total // 8) for total in counts.sum(axis=1)]
    whole = np.stack([unit[labels == cluster].sum(axis=0, dtype=np.float64) for cluster in order])
    np.testing.assert_allclose(sums.sum(axis=1), whole, atol=1e-9)
    assert (sums[counts == 0] == 0).all()


def test_opposite_members_leave_a_cluster_without_direction() -> None:
    random = np.random.default_rng(0)
    centres = directions((6, 32), random).astype(np.float32)
    labels = np.repeat(np.arange(6, dtype=np.int32), 10)
    signs = np.where(np.arange(60) % 2, -1, 1)[:, None]
    unit = centres[labels] * signs
    found = themes(unit, labels, 0)
    assert_sound(found, labels)
    assert not found.found
    axis = np.concatenate([np.tile(centres[:1], (30, 1)), np.tile(-centres[:1], (30, 1))])
    two_poles = themes(axis, labels, 0)
    assert_sound(two_poles, labels)
    assert two_poles.of_cluster.tolist() == [0, 0, 0, 1, 1, 1]


def test_equal_clusters_are_not_cut() -> None:
    unit = np.tile(directions((1, 16), np.random.default_rng(0)).astype(np.float32), (50, 1))
    labels = np.repeat(np.arange(5, dtype=np.int32), 10)
    found = themes(unit, labels, 0)
    assert_sound(found, labels)
    assert not found.found


def test_tree_is_wards() -> None:
    points = directions((30, 8), np.random.default_rng(0))
    ours = _grow(points[None], np.ones((1, 30)), 5)
    theirs = linkage(points, "ward")
    np.testing.assert_array_equal(ours.children[0], theirs[:, :2])
    # scipy gives the distance that equals twice the gain in squares, under a root.
    np.testing.assert_allclose(np.sqrt(2 * ours.heights[0]), theirs[:, 2], atol=1e-6)
    assert sorted(ours.groups) == [1, 2, 3, 4, 5, 30]
    for groups in (2, 3, 4, 5):
        assert len(np.unique(ours.groups[groups][0])) == groups


def test_trees_grown_together_are_those_grown_alone() -> None:
    random = np.random.default_rng(0)
    points = np.stack([directions((12, 8), random) for _ in range(3)])
    weights = random.uniform(1, 5, (3, 12))
    together = _grow(points, weights, 4)
    for tree in range(3):
        alone = _grow(points[tree][None], weights[tree][None], 4)
        np.testing.assert_array_equal(together.children[tree], alone.children[0])
        np.testing.assert_array_equal(together.groups[3][tree], alone.groups[3][0])


def test_weights_stand_for_copies() -> None:
    points = directions((9, 8), np.random.default_rng(1))
    copies = np.array([3, 1, 2, 1, 4, 1, 1, 2, 5])
    weighted = _grow(points[None], copies[None].astype(float), 4).groups[4][0]
    rows = np.repeat(np.arange(9), copies)
    spread = _grow(points[rows][None], np.ones((1, len(rows))), 4).groups[4][0]
    assert same_groups(weighted[rows], spread)


def test_agreement_is_the_adjusted_rand_index_of_items() -> None:
    from sklearn.metrics import adjusted_rand_score

    random = np.random.default_rng(0)
    left, right = random.integers(0, 4, (2, 1, 15))
    sizes = random.integers(1, 9, 15)
    expected = adjusted_rand_score(np.repeat(left[0], sizes), np.repeat(right[0] // 2, sizes))
    better = adjusted_rand_score(np.repeat(left[0], sizes), np.repeat(left[0] // 2, sizes))
    assert _agreement(left, left // 2, sizes.astype(float), 4) == pytest.approx(better, abs=1e-9)
    assert better > max(expected, 0)
    half_out = np.where(np.arange(15) < 8, left, -1)
    assert _agreement(half_out, left, sizes.astype(float), 4) == pytest.approx(1.0)
    assert _agreement(np.zeros((1, 15), int), np.zeros((1, 15), int), sizes.astype(float), 4) == 0.0
