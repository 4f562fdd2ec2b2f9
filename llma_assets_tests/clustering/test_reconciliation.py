"""Clusters of an earlier run stay where items are grouped as well by them, and hide nothing that is new."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.grouping import Grouping, reconcile_grouping
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.reconciliation import EarlierLabels, Reconciled, reconcile
from llma_assets.clustering.result import NOISE, UNSEEN, Clustering, ClusteringParams
from llma_assets.errors import InputRejected
from llma_assets_tests.clustering.test_cluster import assert_sound

SMALLEST = 5


def blobs(*sizes: int, spread: float = 0.15, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows around axes of their own, and which."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(24)[group] + random.normal(size=(len(group), 24)) * spread
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), group.astype(np.int32)


def reconciled(unit: np.ndarray, labels: np.ndarray, earlier: np.ndarray) -> Reconciled:
    """`reconcile` over rows in any order; a neighbourhood has one of its own."""
    neighborhood = Neighborhood.of(unit, 15, 0)
    assert len(neighborhood.distinct.unit) == len(unit)
    place = neighborhood.distinct.of_row
    row = np.argsort(place)
    ones = np.ones(len(unit), np.int64)
    found = reconcile(
        neighborhood.distinct.unit,
        neighborhood.graph,
        labels[row].astype(np.int32),
        earlier[row].astype(np.int32),
        ones,
        SMALLEST,
    )
    return replace(found, labels=found.labels[place])


def same_groups(labels: np.ndarray, others: np.ndarray) -> bool:
    """Whether the two differ by the names of the groups at most."""
    pairs = set(zip(labels.tolist(), others.tolist(), strict=True))
    return (
        len(pairs) == len(set(labels.tolist())) == len(set(others.tolist()))
        and ((labels == NOISE) == (others == NOISE)).all()
    )


def test_a_part_that_came_off_by_chance_goes_back() -> None:
    unit, group = blobs(40, 40, 40)
    today = group.copy()
    today[:40:3] = 3
    found = reconciled(unit, today, group)
    assert same_groups(found.labels, group)
    assert (found.returned, found.rejoined) == (0, 1)


def test_a_lost_cluster_comes_back_where_it_still_stands_apart() -> None:
    unit, group = blobs(40, 40, 40)
    found = reconciled(unit, np.minimum(group, 1), group)
    assert same_groups(found.labels, group)
    assert (found.returned, found.rejoined) == (1, 0)


def test_a_cluster_that_is_two_today_is_split() -> None:
    unit, group = blobs(40, 40, 40)
    found = reconciled(unit, group, np.minimum(group, 1))
    assert (found.labels == group).all()
    assert (found.returned, found.rejoined) == (0, 0)


def test_a_small_topic_leaves_the_large_cluster_that_it_was_in() -> None:
    """Among hundreds of rows a few that lie apart hardly count; what they lose themselves does."""
    unit, group = blobs(400, 40, 20)
    found = reconciled(unit, group, np.where(group == 2, 0, group))
    assert (found.labels == group).all()


def test_nothing_collapses_for_the_sake_of_yesterday() -> None:
    """Of three groups, 70 % in one, a part by chance goes back unless that leaves two."""
    unit, group = blobs(60, 60, seed=3)
    today = group.copy()
    today[:60:3] = 2
    assert reconciled(unit, today, group).rejoined == 1
    neighborhood = Neighborhood.of(unit, 15, 0)
    rows = np.zeros(120, bool)
    found = Grouping(today, rows, np.ones(120), None, {}, {}, {"min_cluster_size": SMALLEST}, ("eom",))
    again = reconcile_grouping(found, neighborhood, group)
    assert (again.labels == today).all()
    assert again.path == ("eom",)


def test_a_part_goes_back_to_a_cluster_that_lost_what_it_had_taken_in() -> None:
    """Groups 1 and 2 are one today, and some rows of 2 a part: 1 comes back first."""
    unit, group = blobs(40, 40, 60)
    today = np.minimum(group, 1)
    today[80:140:7] = 2
    found = reconciled(unit, today, group)
    assert same_groups(found.labels, group)
    assert (found.returned, found.rejoined) == (1, 1)


def test_what_nobody_saw_goes_with_its_neighbours() -> None:
    unit, group = blobs(40, 40, 40)
    earlier = np.where(np.arange(120) % 6 == 0, UNSEEN, group)
    assert same_groups(reconciled(unit, np.minimum(group, 1), earlier).labels, group)


def test_rows_count_as_often_as_they_are() -> None:
    """Three rows are a cluster that comes back if each counts twice."""
    unit, group = blobs(40, 40, 3)
    neighborhood = Neighborhood.of(unit, 15, 0)
    row = np.argsort(neighborhood.distinct.of_row)
    today = np.minimum(group, 1)
    for times, returned in ((1, 0), (2, 1)):
        counts = np.full(len(unit), times, np.int64)
        assert (
            reconcile(neighborhood.distinct.unit, neighborhood.graph, today[row], group[row], counts, SMALLEST).returned
            == returned
        )


def test_two_clusters_that_are_one_today_are_merged() -> None:
    unit, group = blobs(40, 40, 40)
    earlier = group.copy()
    earlier[:40:2] = 3
    found = reconciled(unit, group, earlier)
    assert (found.labels == group).all()
    assert (found.returned, found.rejoined) == (0, 0)


def test_what_is_new_is_not_undone() -> None:
    """The same rows as a part by chance, but for those that nobody saw before."""
    unit, group = blobs(40, 40, 40)
    part = np.arange(0, 40, 3)
    today = group.copy()
    today[part] = 3
    mostly_seen = np.where(np.arange(120) % 5 == 0, UNSEEN, group)
    assert same_groups(reconciled(unit, today, mostly_seen).labels, group)
    mostly_unseen = mostly_seen.copy()
    mostly_unseen[part] = UNSEEN
    assert (reconciled(unit, today, mostly_unseen).labels == today).all()


def test_a_new_topic_stands_beside_a_cluster_that_stays() -> None:
    unit, group = blobs(40, 40, 20)
    earlier = np.where(group == 2, UNSEEN, group)
    today = group.copy()
    today[:40:3] = 3
    assert same_groups(reconciled(unit, today, earlier).labels, group)


def test_noise_of_today_stays_noise_and_clusters_of_before_do_not_grow_small() -> None:
    unit, group = blobs(40, 40, 40)
    noisy = group.copy()
    noisy[80:] = NOISE
    assert (reconciled(unit, noisy, group).labels == noisy).all()
    # Three of an earlier cluster are left, and lie apart; but three are too few.
    today, earlier = group.copy(), np.where(group == 2, UNSEEN, group)
    earlier[80:83] = 2
    today[80:] = 1
    found = reconciled(unit, today, earlier)
    assert min(np.bincount(found.labels)) >= SMALLEST


def test_a_single_cluster_is_compared_with_nothing() -> None:
    """Neither is a set without parts cut in two, nor are two parts joined to one."""
    unit, group = blobs(60)
    halves = np.arange(60) % 2
    assert (reconciled(unit, halves, group).labels == halves).all()
    assert (reconciled(unit, group, halves).labels == group).all()


@pytest.mark.parametrize("earlier", [UNSEEN, NOISE])
def test_without_earlier_clusters_nothing_changes(earlier: int) -> None:
    unit, group = blobs(20, 20)
    assert (reconciled(unit, group, np.full(40, earlier)).labels == group).all()
    nothing = np.full(40, NOISE)
    assert (reconciled(unit, nothing, group).labels == NOISE).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_neither_order_nor_ids_matter_and_nothing_gets_too_small(seed: int) -> None:
    random = np.random.default_rng(seed)
    unit, group = blobs(30, 30, 20, 20, 12, spread=0.3, seed=seed)
    size = len(unit)
    # Groups that are cut and joined at random, some of them unseen or noise.
    today = np.where(random.random(size) < 0.3, group // 2, group + 10 * (random.random(size) < 0.4))
    today = np.where(random.random(size) < 0.05, NOISE, today)
    today = np.where(np.bincount(today + 1)[today + 1] < SMALLEST, NOISE, today)
    earlier = np.where(random.random(size) < 0.5, group, group + 20 * (random.random(size) < 0.5))
    earlier = np.where(random.random(size) < 0.2, random.choice([NOISE, UNSEEN], size), earlier)
    found = reconciled(unit, today, earlier)
    assert ((found.labels == NOISE) == (today == NOISE)).all()
    clustered = found.labels[found.labels != NOISE]
    assert not len(clustered) or np.bincount(clustered)[np.unique(clustered)].min() >= SMALLEST
    turn = random.permutation(size)
    names = random.permutation(60).astype(np.int32)
    again = reconciled(unit[turn], np.where(today < 0, today, names[today])[turn], earlier[turn])
    assert same_groups(again.labels, found.labels[turn])
    assert (again.returned, again.rejoined) == (found.returned, found.rejoined)


def whole(queries: np.ndarray, earlier: np.ndarray | None, method: str = "hdbscan") -> Clustering:
    before = None if earlier is None else EarlierLabels(earlier, len(queries))
    found = cluster(queries, ClusteringParams(method=method), earlier=before)  # type: ignore[arg-type]
    assert_sound(found, len(queries))
    return found


def test_clusters_of_the_same_items_stay_as_they_are(queries: np.ndarray) -> None:
    anew = whole(queries, None)
    again = whole(queries, anew.labels)
    assert again.labels.tobytes() == anew.labels.tobytes()
    assert again.probabilities.tobytes() == anew.probabilities.tobytes()
    assert [made.persistence for made in again.clusters] == [made.persistence for made in anew.clusters]
    assert again.guard_path == anew.guard_path == ("eom",)


def test_what_stays_is_told(queries: np.ndarray, intents: np.ndarray) -> None:
    anew = whole(queries, None)
    earlier = np.unique(intents, return_inverse=True)[1].astype(np.int32)
    found = whole(queries, earlier)
    assert found.guard_path == ("eom", "held")
    assert found.params["returned_clusters"] + found.params["rejoined_clusters"] > 0
    assert (found.labels[anew.labels == NOISE] == NOISE).all()
    # HDBSCAN has no persistence for a cluster that it did not find.
    unchanged = [made.persistence for made in found.clusters if made.persistence is not None]
    assert 0 < len(unchanged) < len(found.clusters)
    assert set(unchanged) <= {made.persistence for made in anew.clusters}
    assert found.quality["silhouette"] is not None and anew.quality["silhouette"] is not None
    assert float(found.quality["silhouette"]) > float(anew.quality["silhouette"]) - 0.05


def test_copies_have_the_cluster_that_most_of_them_had(queries: np.ndarray, intents: np.ndarray) -> None:
    ids = np.unique(intents, return_inverse=True)[1].astype(np.int32)
    size = len(queries)
    other = np.roll(ids, 40)
    rows = np.concatenate([queries] * 4)
    earlier = np.concatenate([other, np.full(size, UNSEEN, np.int32), ids, ids])
    found = whole(rows, earlier).labels.reshape(4, size)
    assert (found == found[0]).all()
    assert same_groups(found[0], whole(queries, ids).labels)
    turn = np.random.default_rng(1).permutation(4 * size)
    assert same_groups(whole(rows[turn], earlier[turn]).labels, found.ravel()[turn])


def test_other_methods_start_anew(queries: np.ndarray, intents: np.ndarray) -> None:
    earlier = np.unique(intents, return_inverse=True)[1].astype(np.int32)
    found, anew = whole(queries, earlier, "kmeans"), whole(queries, None, "kmeans")
    assert found.labels.tobytes() == anew.labels.tobytes()
    assert found.params == anew.params


def test_a_run_that_learned_from_much_less_is_not_compared_with(queries: np.ndarray, intents: np.ndarray) -> None:
    ids = np.unique(intents, return_inverse=True)[1].astype(np.int32)
    anew = cluster(queries, ClusteringParams())
    little, enough = (cluster(queries, ClusteringParams(), earlier=EarlierLabels(ids, count)) for count in (254, 255))
    assert little.labels.tobytes() == anew.labels.tobytes()
    assert little.params == anew.params
    assert enough.labels.tobytes() != anew.labels.tobytes()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 19])
def test_hardly_any_items(queries: np.ndarray, size: int) -> None:
    whole(queries[:size], np.zeros(size, np.int32))


def test_ids_for_other_rows_are_refused(queries: np.ndarray) -> None:
    with pytest.raises(InputRejected, match=r"earlier has shape \(7,\); .* each of 300 rows"):
        cluster(queries, ClusteringParams(), earlier=EarlierLabels(np.zeros(7, np.int32), 300))
