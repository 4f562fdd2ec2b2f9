"""The map: neighbours stay together, whatever comes in, and stay where they were the day before."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from llma_assets.clustering.anchors import Anchors, turned_onto
from llma_assets.clustering.graph import fuzzy_graph
from llma_assets.clustering.layout import Schedule, descend
from llma_assets.clustering.mesh import RepulsionMesh, push_pairwise
from llma_assets.clustering.neighborhood import Neighborhood
from llma_assets.clustering.neighbors import nearest, nearest_in
from llma_assets.clustering.placing import place_among
from llma_assets.clustering.projection import project
from llma_assets.clustering.threads import single_thread
from llma_assets.clustering.vectors import unit_vectors
from llma_assets_tests import FIXTURES, ROOT

FIXTURE = FIXTURES / "banking77_vectors.npz"


def map_of(vectors: np.ndarray, anchors: Anchors | None = None) -> np.ndarray:
    """Places of `vectors`; `anchors` name their rows."""
    with single_thread():
        neighborhood = Neighborhood.of(unit_vectors(vectors), 10, seed=0)
        of_row = neighborhood.distinct.of_row
        return project(neighborhood, of_distinct(anchors, of_row))[of_row]


def of_distinct(anchors: Anchors | None, of_row: np.ndarray) -> Anchors | None:
    """One pair of the fixture's queries are near-duplicates, with one place; wrong anchors are left as they are."""
    if anchors is None or not set(anchors.rows.tolist()) <= set(range(len(of_row))):
        return anchors
    if len(set(anchors.rows.tolist())) < len(anchors.rows) or len(anchors.xy) < len(anchors.rows):
        return anchors
    rows, first = np.unique(of_row[anchors.rows], return_index=True)
    return Anchors(rows, anchors.xy[first])


def places_of(learned_xy: np.ndarray, rows: np.ndarray, learned: np.ndarray) -> np.ndarray:
    return place_among(*nearest_in(rows, learned, min(5, len(learned))), learned_xy)


@pytest.fixture(scope="module")
def whole_map(queries: np.ndarray) -> np.ndarray:
    return map_of(queries)


def voted(places: np.ndarray, among: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each place, the commonest label of the ten nearest others `among` the labelled places."""
    apart = cdist(places, among)
    if places is among:
        np.fill_diagonal(apart, np.inf)
    votes = labels[np.argsort(apart, axis=1, kind="stable")[:, :10]]
    return np.array([np.bincount(row).argmax() for row in votes])


def label_accuracy(places: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(voted(places, places, labels) == labels))


def no_anchors() -> Anchors:
    return Anchors(np.zeros(0, np.int64), np.zeros((0, 2)))


def test_neighbours_stay_together(whole_map: np.ndarray, intents: np.ndarray) -> None:
    assert np.abs(whole_map).max() == pytest.approx(1.0, abs=0.01)
    assert np.abs(whole_map.mean(axis=0)).max() < 0.01  # a near-duplicate counts once
    # sklearn's t-SNE reaches .967 on these (perplexity 15 and 30, cosine).
    assert label_accuracy(whole_map, intents) > 0.937


def exact_push(places: np.ndarray) -> tuple[np.ndarray, float]:
    apart = places[:, None] - places[None]
    kernel = 1.0 / (1.0 + (apart**2).sum(axis=-1))
    return ((kernel**2)[..., None] * apart).sum(axis=1), float(kernel.sum()) - len(places)


@pytest.mark.parametrize(("spacing", "allowed"), [(0.8, 0.25), (0.3, 0.02), (0.2, 0.005)])
def test_the_mesh_pushes_as_all_pairs_do(whole_map: np.ndarray, spacing: float, allowed: float) -> None:
    places = whole_map * 30.0  # about as wide as the optimiser makes it
    pushed, total = RepulsionMesh(spacing).push(places.astype(np.float32))
    exactly, exact_total = exact_push(places)
    assert np.linalg.norm(pushed - exactly) < allowed * np.linalg.norm(exactly)
    assert total == pytest.approx(exact_total, rel=allowed / 4)


def test_few_pairs_are_taken_one_by_one(whole_map: np.ndarray) -> None:
    places = whole_map[:40] * 30.0
    pushed, total = push_pairwise(places.astype(np.float32))
    exactly, exact_total = exact_push(places)
    assert np.allclose(pushed, exactly, atol=1e-4)
    assert total == pytest.approx(exact_total, rel=1e-4)


@pytest.mark.parametrize("n", [8, 20, 60, 201, 320])
def test_a_map_without_structure_does_not_fly_apart(n: int) -> None:
    # A mesh that takes the sum of all pushes too small throws the points ever farther.
    graph = fuzzy_graph(*nearest(unit_vectors(np.random.default_rng(n).normal(size=(n, 5))), 5))
    start = np.random.default_rng(0).normal(size=(n, 2)) * 3.0
    assert np.abs(descend(graph, start, Schedule(early=50, late=600))).max() < 150


def test_a_far_outlier_coarsens_the_mesh_rather_than_filling_the_memory() -> None:
    places = np.random.default_rng(0).normal(size=(200, 2)) * 5.0
    places[0] = [1e5, 0.0]
    mesh = RepulsionMesh(0.5, max_nodes=64)
    pushed, _ = mesh.push(places.astype(np.float32))
    assert np.isfinite(pushed).all()
    assert mesh._kernel.shape[0] <= 2 * (64 + 4) * 1.2


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 8, 15, 16, 17, 20, 40])
def test_few_points(n: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(n, 64))
    places = map_of(vectors)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert len({tuple(place) for place in places.tolist()}) == n
    if n >= 16:
        # No single point has run away and pressed the others together, nor are they in a line.
        spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
        assert spread[1] > 0.05 * spread[0]
        assert np.median(np.abs(places - np.median(places, axis=0)).max(axis=1)) > 0.2
    assert map_of(vectors, no_anchors()).tobytes() == places.tobytes()


def test_equal_points_share_one_place() -> None:
    assert not map_of(np.full((40, 3), 0.1)).any()


def test_points_on_an_arc_are_drawn_out_rather_than_folded() -> None:
    angles = np.linspace(0.0, 3.0, 60)
    places = map_of(np.stack([np.cos(angles), np.sin(angles), np.ones(60)], axis=1))
    apart = cdist(places, places)
    np.fill_diagonal(apart, np.inf)
    assert np.abs(apart.argmin(axis=1) - np.arange(60)).max() <= 3
    assert apart[0, 59] > 5 * np.median(apart.min(axis=1))


DIGEST = """
import hashlib, sys
import numpy as np
sys.path.append(sys.argv[2])
from llma_assets_tests.clustering.test_projection import map_of
from llma_assets.clustering.anchors import Anchors
vectors = np.load(sys.argv[1])["vectors"].astype(np.float32)
places = map_of(vectors)
later = map_of(vectors, Anchors(np.arange(200), places[:200]))
print(hashlib.sha256(places.tobytes() + later.tobytes()).hexdigest())
"""


def test_any_process_and_number_of_threads_gives_the_same_bytes() -> None:
    def digest(threads: str) -> str:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        command = [sys.executable, "-c", DIGEST, str(FIXTURE), str(ROOT)]
        environment = os.environ | dict.fromkeys(names, threads)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    first = digest("1")
    assert len(first.strip()) == hashlib.sha256().digest_size * 2
    assert digest("2") == first


def test_items_known_yesterday_stay_and_new_ones_join_their_kin(queries: np.ndarray, intents: np.ndarray) -> None:
    # A window in which 15 % of the items are replaced.
    order = np.random.default_rng(5).permutation(300)
    known, gone, new = order[:210], order[210:255], order[255:]
    yesterday = map_of(queries[np.concatenate([known, gone])])[:210]
    rows = np.concatenate([new, known])
    anchors = Anchors(np.arange(45, 255), yesterday)
    today = map_of(queries[rows], anchors)
    moved = np.linalg.norm(today[45:] - yesterday, axis=1) / 2.0
    assert np.median(moved) < 0.02
    assert np.abs(today).max() <= 1.0
    assert label_accuracy(today, intents[rows]) > label_accuracy(map_of(queries[rows]), intents[rows]) - 0.03
    assert np.mean(voted(today[:45], today[45:], intents[known]) == intents[new]) > 0.85


def test_a_new_intent_gets_a_place_of_its_own(queries: np.ndarray, intents: np.ndarray) -> None:
    born = intents == 3
    yesterday = map_of(queries[~born])
    today = map_of(queries, Anchors(np.flatnonzero(~born), yesterday))
    assert np.median(np.linalg.norm(today[~born] - yesterday, axis=1)) / 2.0 < 0.02
    assert np.mean(voted(today, today, intents)[born] == 3) > 0.85


def test_with_every_row_anchored_nothing_moves_far(queries: np.ndarray, whole_map: np.ndarray) -> None:
    again = map_of(queries, Anchors(np.arange(300), whole_map))
    assert np.median(np.linalg.norm(again - whole_map, axis=1)) / 2.0 < 0.02


def test_a_small_frame_is_kept_and_nothing_leaves_the_map(queries: np.ndarray, whole_map: np.ndarray) -> None:
    # Yesterday's map was half as large and in a corner, turned over: so is today's.
    corner = whole_map[:, ::-1] * [0.3, -0.3] + 0.7
    again = map_of(queries, Anchors(np.arange(300), corner))
    assert np.median(np.linalg.norm(again - corner, axis=1)) / 0.6 < 0.02
    assert np.abs(again).max() <= 1.0


def test_a_map_is_turned_mirrored_and_scaled_back_exactly(whole_map: np.ndarray) -> None:
    angle = 2.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1.0, -1.0])
    back = turned_onto(whole_map @ turn * 30.0 + [5.0, -2.0], Anchors(np.arange(0, 300, 7), whole_map[::7]))
    assert np.allclose(back, whole_map)


def test_anchors_that_say_nothing_are_ignored(queries: np.ndarray, whole_map: np.ndarray) -> None:
    one_place = Anchors(np.arange(50), np.full((50, 2), 0.25))
    two_rows = Anchors(np.array([4, 9]), np.array([[0.5, 0.5], [-0.5, 0.1]]))
    for anchors in (no_anchors(), one_place, two_rows):
        assert map_of(queries, anchors).tobytes() == whole_map.tobytes()


@pytest.mark.parametrize(
    ("rows", "xy", "message"),
    [
        ([0, 1, 2], np.zeros((2, 2)), "xy"),
        ([0, 1, 2], np.array([[0, 0], [0, np.nan], [1, 1]]), "finite"),
        ([0, 1, 1], np.zeros((3, 2)), "twice"),
        ([0, 1, 300], np.zeros((3, 2)), "rows 0 to 300 of 299"),
        ([-1, 1, 2], np.zeros((3, 2)), "rows -1 to 2 of 299"),
    ],
)
def test_anchors_that_do_not_fit_are_refused(
    queries: np.ndarray, rows: list[int], xy: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        map_of(queries, Anchors(np.array(rows), xy))


@settings(max_examples=60, deadline=None)
@given(
    grid=hnp.arrays(np.int8, st.tuples(st.integers(0, 30), st.integers(1, 4)), elements=st.integers(-3, 3)),
    anchored_share=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 3),
)
def test_any_small_grid_of_points(grid: np.ndarray, anchored_share: float, seed: int) -> None:
    # Small integers give copies, ties and collinear points all the time.
    neighborhood = Neighborhood.of(unit_vectors(grid[np.any(grid != 0, axis=1)].astype(np.float64)), 15, seed)
    size = len(neighborhood.places)
    random = np.random.default_rng(seed)
    rows = np.flatnonzero(random.random(size) < anchored_share)
    anchors = Anchors(rows, random.uniform(-1, 1, (len(rows), 2)))
    places = project(neighborhood, anchors)
    assert places.shape == (size, 2)
    assert np.isfinite(places).all()
    assert (np.abs(places) <= 1.0).all()
    assert places.tobytes() == project(neighborhood, anchors).tobytes()


def test_items_outside_the_sample_go_to_their_kin(queries: np.ndarray, intents: np.ndarray) -> None:
    unit = unit_vectors(queries)
    learned = map_of(queries[:220])
    places = places_of(learned, unit[220:], unit[:220])
    assert np.mean(voted(places, learned, intents[:220]) == intents[220:]) > 0.85
    assert (places.min(axis=0) >= learned.min(axis=0)).all()
    assert (places.max(axis=0) <= learned.max(axis=0)).all()


def test_a_learned_item_gets_its_own_place(queries: np.ndarray, whole_map: np.ndarray) -> None:
    unit = unit_vectors(queries)
    assert np.allclose(places_of(whole_map, unit, unit), whole_map, atol=1e-3)


def test_an_item_between_two_groups_goes_to_the_nearer_one_not_between() -> None:
    learned = np.array([[-1.0, 0.0], [-0.9, 0.0], [-1.0, 0.1], [1.0, 0.0], [0.9, 0.0]])
    placed = place_among(np.arange(5)[None], np.array([[0.2, 0.21, 0.22, 0.21, 0.22]]), learned)
    assert placed[0, 0] < -0.85
