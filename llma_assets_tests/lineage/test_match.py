"""Edges between two runs: a partial matching, whatever the order, and each kind of change where it was planted."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.lineage.edge import Basis, Change, Edge, Unmatched
from llma_assets.lineage.match import KEPT_JACCARD, ClusterMembership, all_born, match

AXES = np.eye(64)

# Few items and few ids, so that clusters of two runs meet.
GROUPS = st.dictionaries(st.integers(0, 25).map(str), st.integers(-1, 5), max_size=26)


def run(cluster_of: Mapping[str, int], centroids: Mapping[int, np.ndarray] | None = None) -> ClusterMembership:
    """A run; each cluster points along an axis of its own, unless said."""
    ids = sorted(set(cluster_of.values()) - {-1})
    return ClusterMembership(dict(cluster_of), {item_id: AXES[item_id] for item_id in ids} | dict(centroids or {}))


def group(cluster_id: int, first: int, last: int) -> dict[str, int]:
    """Items `first` to `last` − 1 in one cluster."""
    return {f"i{n}": cluster_id for n in range(first, last)}


def said(edges: list[Edge]) -> list[tuple[str, int | None, int | None]]:
    return [(str(edge.change), edge.cluster_id, edge.earlier_cluster_id) for edge in edges]


@settings(deadline=None)
@given(GROUPS, GROUPS)
def test_a_lineage_is_a_partial_matching_that_leaves_nobody_out(later: dict[str, int], earlier: dict[str, int]) -> None:
    edges = match(run(later), run(earlier))
    for end in ("cluster_id", "earlier_cluster_id"):
        kept = [getattr(edge, end) for edge in edges if edge.change == Change.KEPT]
        assert len(kept) == len(set(kept))
    assert {edge.cluster_id for edge in edges} - {None} == set(later.values()) - {-1}
    assert {edge.earlier_cluster_id for edge in edges} - {None} == set(earlier.values()) - {-1}
    pairs = [(edge.cluster_id, edge.earlier_cluster_id) for edge in edges]
    assert len(pairs) == len(set(pairs))
    alone = {Change.BORN: "cluster_id", Change.DIED: "earlier_cluster_id"}
    for edge in edges:
        if edge.change in alone:
            end = alone[edge.change]
            assert sum(getattr(one, end) == getattr(edge, end) for one in edges) == 1, "born of nothing, gone for good"


@settings(deadline=None)
@given(GROUPS)
def test_a_run_matches_itself(clusters: dict[str, int]) -> None:
    edges = match(run(clusters), run(clusters))
    assert said(edges) == [("kept", one, one) for one in sorted(set(clusters.values()) - {-1})]
    assert all(edge.jaccard == edge.share == edge.earlier_share == 1.0 for edge in edges)


@settings(deadline=None)
@given(GROUPS, GROUPS, st.randoms(use_true_random=False))
def test_no_order_changes_an_edge(later: dict[str, int], earlier: dict[str, int], random) -> None:  # type: ignore[no-untyped-def]
    def shuffled(membership: ClusterMembership) -> ClusterMembership:
        items, centroids = list(membership.cluster_of.items()), list(membership.centroids.items())
        random.shuffle(items)
        random.shuffle(centroids)
        return ClusterMembership(dict(items), dict(centroids))

    assert match(shuffled(run(later)), shuffled(run(earlier))) == match(run(later), run(earlier))


@settings(deadline=None)
@given(GROUPS, GROUPS, st.permutations(range(6)))
def test_other_numbers_for_the_same_clusters_are_the_same_edges(
    later: dict[str, int], earlier: dict[str, int], numbers: list[int]
) -> None:
    """As far as the best matching is the only one: its worth does not depend on the numbers."""
    again = {item: -1 if one == -1 else numbers[one] for item, one in later.items()}
    plain, renumbered = match(run(later), run(earlier)), match(run(again), run(earlier))
    worth = [sum(e.jaccard or 0.0 for e in edges if e.change == Change.KEPT) for edges in (plain, renumbered)]
    assert worth[0] == pytest.approx(worth[1])


def test_members_that_left_the_window_do_not_count() -> None:
    """Six of seven days are shared; what only one run looked at says nothing."""
    earlier = run(group(0, 0, 70) | group(1, 100, 170))
    later = run(group(1, 10, 80) | group(0, 110, 180))
    edges = match(later, earlier)
    assert said(edges) == [("kept", 0, 1), ("kept", 1, 0)]
    assert {(edge.shared_items, edge.jaccard, edge.basis) for edge in edges} == {(60, 1.0, Basis.MEMBERS)}


def test_noise_is_never_matched_but_counts_against_an_overlap() -> None:
    noise = dict.fromkeys((f"i{n}" for n in range(40)), -1)
    assert said(match(run(noise), run(noise))) == []
    (edge,) = match(run(noise | group(0, 0, 20)), run(noise | group(0, 0, 40)))
    assert (edge.change, edge.jaccard, edge.share, edge.earlier_share) == (Change.KEPT, 0.5, 1.0, 0.5)
    found = match(run(noise | group(0, 0, 2)), run(noise | group(0, 0, 40)))
    assert said(found) == [("born", 0, None), ("died", None, 0)], "below the least overlap"
    assert KEPT_JACCARD > 2 / 40


def test_the_best_pairs_together_win_not_the_first_best_one() -> None:
    """Greedy would give 0 to 0 by .5 and leave 1 and 1 alone."""
    earlier = run(group(0, 0, 20) | group(1, 20, 40))
    later = run(
        group(0, 0, 6) | group(1, 6, 20) | group(0, 20, 30) | dict.fromkeys([f"i{n}" for n in range(30, 40)], -1)
    )
    assert {one for one in said(match(later, earlier)) if one[0] == "kept"} == {("kept", 0, 1), ("kept", 1, 0)}


@pytest.mark.parametrize(("sizes", "kept"), [((60, 40), 0), ((40, 60), 1), ((50, 50), 0)])
def test_a_split_goes_on_in_its_larger_part(sizes: tuple[int, int], kept: int) -> None:
    later = run(group(0, 0, sizes[0]) | group(1, sizes[0], 100))
    edges = match(later, run(group(0, 0, 100)))
    assert {edge.change: edge.cluster_id for edge in edges} == {Change.KEPT: kept, Change.SPLIT: 1 - kept}
    (split,) = [edge for edge in edges if edge.change == Change.SPLIT]
    assert (split.share, split.earlier_share) == (1.0, sizes[1 - kept] / 100)


def test_of_a_split_into_fifths_the_first_goes_on() -> None:
    later = run({f"i{n}": n // 20 for n in range(100)})
    assert said(match(later, run(group(0, 0, 100)))) == [("kept", 0, 0), *(("split", n, 0) for n in range(1, 5))]


def test_a_cluster_that_falls_into_smaller_parts_is_gone() -> None:
    later = run({f"i{n}": n // 20 for n in range(120)})
    assert said(match(later, run(group(0, 0, 120)))) == [*(("born", n, None) for n in range(6)), ("died", None, 0)]


def test_the_threshold_is_a_fifth_of_the_members() -> None:
    earlier = run(group(0, 0, 50))
    at, below = (run(group(0, 0, n) | dict.fromkeys((f"i{m}" for m in range(n, 50)), -1)) for n in (10, 9))
    assert said(match(at, earlier)) == [("kept", 0, 0)]
    assert said(match(below, earlier)) == [("born", 0, None), ("died", None, 0)]


def test_a_merger_goes_on_from_its_larger_part() -> None:
    edges = match(run(group(0, 0, 100)), run(group(0, 0, 35) | group(1, 35, 100)))
    assert said(edges) == [("merged", 0, 0), ("kept", 0, 1)]


def test_a_few_members_that_change_sides_are_neither_a_split_nor_a_merger() -> None:
    earlier = run(group(0, 0, 100) | group(1, 100, 200))
    later = run(group(0, 0, 90) | group(1, 90, 200))
    assert said(match(later, earlier)) == [("kept", 0, 0), ("kept", 1, 1)]


def test_centroids_decide_where_no_member_was_looked_at_by_both() -> None:
    near = 0.9 * AXES[3] + np.sqrt(1 - 0.81) * AXES[4]
    earlier = run(group(0, 0, 10) | group(1, 10, 20), {0: 7.0 * AXES[3], 1: AXES[5]})
    later = run(group(0, 100, 110) | group(1, 110, 120), {0: AXES[6], 1: near})
    edges = match(later, earlier)
    assert said(edges) == [("born", 0, None), ("kept", 1, 0), ("died", None, 1)]
    (kept,) = [edge for edge in edges if edge.change == Change.KEPT]
    assert (kept.basis, kept.jaccard, kept.centroid_cosine) == (Basis.CENTROIDS, None, 0.9)
    far = 0.84 * AXES[3] + np.sqrt(1 - 0.84**2) * AXES[5]
    assert said(match(later, run({"x": 0}, {0: far}))) == [("born", 0, None), ("born", 1, None), ("died", None, 0)]


def test_centroids_never_contradict_members() -> None:
    """The same direction, but the members that both looked at are elsewhere now."""
    earlier = run(group(0, 0, 20))
    later = run({f"i{n}": -1 for n in range(18)} | group(0, 18, 40), {0: AXES[0]})
    assert said(match(later, earlier)) == [("born", 0, None), ("died", None, 0)]


def test_without_an_earlier_run_all_are_born_for_a_reason() -> None:
    edges = all_born(run(group(1, 0, 5) | group(0, 5, 9)), Unmatched.MODEL_CHANGED)
    assert said(edges) == [("born", 0, None), ("born", 1, None)]
    assert {edge.reason for edge in edges} == {Unmatched.MODEL_CHANGED}


def test_one_piece_that_goes_on_alone_is_no_split() -> None:
    """A fifth of a cluster in a new one, the rest noise: it died, another was born. With a second piece it split."""
    earlier = run(group(0, 0, 40) | group(-1, 40, 50))
    one_piece = group(1, 0, 8) | group(1, 40, 44) | group(-1, 8, 40)
    assert said(match(run(one_piece), earlier)) == [("born", 1, None), ("died", None, 0)]
    two_pieces = one_piece | group(2, 8, 16) | group(2, 44, 48)
    assert said(match(run(two_pieces), earlier)) == [("split", 1, 0), ("split", 2, 0)]
