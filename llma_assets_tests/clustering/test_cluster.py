"""What both methods promise, on real vectors and on the inputs that break clusterings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import adjusted_mutual_info_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.result import NOISE, Clustering, ClusteringParams
from llma_assets.errors import InputRejected
from llma_assets.vocabulary import ClusteringMethod
from llma_assets_tests.clustering.figures import figure

METHODS: list[ClusteringMethod] = ["hdbscan", "kmeans"]


def random_vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def assert_sound(result: Clustering, n: int) -> None:
    """What holds for every outcome, whatever the input."""
    arrays = [result.labels, result.probabilities, result.outlier_scores, result.distances, result.ranks, result.xy]
    assert [len(array) for array in arrays] == [n] * 6
    assert [str(array.dtype) for array in arrays] == ["int32", *["float64"] * 3, "int64", "float64"]
    assert all(np.isfinite(array).all() for array in arrays)
    assert result.xy.shape == (n, 2)
    assert ((result.probabilities >= 0) & (result.probabilities <= 1)).all()
    assert ((result.outlier_scores >= 0) & (result.outlier_scores <= 1)).all()
    assert ((result.distances >= 0) & (result.distances <= 2)).all()
    assert (result.probabilities[result.labels == NOISE] == 0).all()
    sizes = [made.size for made in result.clusters]
    assert [made.cluster_id for made in result.clusters] == list(range(len(sizes)))
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) + (result.labels == NOISE).sum() == n
    for made in result.clusters:
        rows = np.flatnonzero(result.labels == made.cluster_id)
        assert len(rows) == made.size > 0
        assert sorted(result.ranks[rows]) == list(range(made.size))
        assert (np.diff(result.distances[rows[np.argsort(result.ranks[rows])]]) >= 0).all()
        assert set(made.exemplars) <= set(rows)
        assert result.ranks[made.exemplars[0]] == 0
        assert made.centroid.dtype == np.float32
    noise = np.flatnonzero(result.labels == NOISE)
    assert (np.diff(result.outlier_scores[noise[np.argsort(result.ranks[noise])]]) <= 0).all()


def test_density_finds_the_intents_of_real_queries(queries: np.ndarray, intents: np.ndarray) -> None:
    result = cluster(queries, ClusteringParams())
    assert_sound(result, len(queries))
    assert adjusted_mutual_info_score(intents, result.labels) > 0.65
    assert 9 <= len(result.clusters) <= 24
    assert figure(result, "noise_share") < 0.2
    assert figure(result, "silhouette") > 0.2
    assert result.guard_path == ("eom",)
    assert all(made.persistence is not None for made in result.clusters)


def test_means_chooses_by_silhouette_on_real_queries(queries: np.ndarray, intents: np.ndarray) -> None:
    result = cluster(queries, ClusteringParams(method="kmeans", k_min=2, k_max=14))
    assert_sound(result, len(queries))
    assert result.quality["optimal_k"] == len(result.clusters)
    assert adjusted_mutual_info_score(intents, result.labels) > 0.6
    assert figure(result, "inertia") > 0
    assert result.quality["noise_share"] == 0
    assert result.guard_path == ("kmeans",)
    fewer = cluster(queries, ClusteringParams(method="kmeans", k_min=3, k_max=3))
    assert figure(fewer, "silhouette") < figure(result, "silhouette")


@pytest.mark.parametrize("count", [20, 40, 80])
def test_small_teams_get_their_groups(queries: np.ndarray, intents: np.ndarray, count: int) -> None:
    # Twenty items are the least that is clustered at all; four intents, as a small team might have.
    rows = np.flatnonzero(intents < 4)[:count]
    result = cluster(queries[rows], ClusteringParams())
    assert_sound(result, len(rows))
    assert adjusted_mutual_info_score(intents[rows], result.labels) > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_the_same_rows_give_the_same_bytes(queries: np.ndarray, method: ClusteringMethod) -> None:
    first, second = (cluster(queries[:120], ClusteringParams(method=method)) for _ in range(2))
    for name in ("labels", "probabilities", "outlier_scores", "distances", "ranks", "xy"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name
    assert first.params == second.params
    assert [made.centroid.tobytes() for made in first.clusters] == [made.centroid.tobytes() for made in second.clusters]


@pytest.mark.parametrize("method", METHODS)
def test_row_order_does_not_change_who_is_with_whom(queries: np.ndarray, method: ClusteringMethod) -> None:
    params = ClusteringParams(method=method)
    order = np.random.default_rng(3).permutation(150)
    straight, shuffled = cluster(queries[:150], params), cluster(queries[:150][order], params)
    assert adjusted_mutual_info_score(straight.labels[order], shuffled.labels) == pytest.approx(1.0)
    assert [made.size for made in straight.clusters] == [made.size for made in shuffled.clusters]
    assert straight.xy[order].tobytes() == shuffled.xy.tobytes()
    assert straight.distances[order].tobytes() == shuffled.distances.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_only_the_direction_counts(queries: np.ndarray, method: ClusteringMethod) -> None:
    lengths = 2.0 ** np.random.default_rng(0).integers(-30, 30, size=(100, 1))
    plain = cluster(queries[:100], ClusteringParams(method=method))
    scaled = cluster(queries[:100].astype(np.float64) * lengths, ClusteringParams(method=method))
    assert plain.labels.tobytes() == scaled.labels.tobytes()
    assert plain.distances.tobytes() == scaled.distances.tobytes()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 19, 20, 21])
def test_every_small_number_of_rows(method: ClusteringMethod, n: int) -> None:
    assert_sound(cluster(random_vectors(n, 16), ClusteringParams(method=method)), n)


@pytest.mark.parametrize("method", METHODS)
def test_no_rows(method: ClusteringMethod) -> None:
    result = cluster(np.zeros((0, 8), dtype=np.float32), ClusteringParams(method=method))
    assert_sound(result, 0)
    assert result.clusters == ()
    assert result.quality["noise_share"] is None


@pytest.mark.parametrize("method", METHODS)
def test_identical_vectors_are_one_cluster(method: ClusteringMethod) -> None:
    result = cluster(np.tile(random_vectors(1, 384), (50, 1)), ClusteringParams(method=method))
    assert_sound(result, 50)
    assert [made.size for made in result.clusters] == [50]
    assert result.params["distinct_vectors"] == 1
    assert result.distances.max() == 0
    assert result.quality["silhouette"] is None
    assert len(result.clusters[0].exemplars) == 1


@pytest.mark.parametrize("method", METHODS)
def test_two_exact_groups_are_two_clusters(method: ClusteringMethod) -> None:
    result = cluster(np.repeat(random_vectors(2, 384), [30, 20], axis=0), ClusteringParams(method=method))
    assert [made.size for made in result.clusters] == [30, 20]
    assert result.quality["silhouette"] == pytest.approx(1.0)


def test_too_few_copies_are_noise() -> None:
    # One below and one at the smallest cluster size of five.
    result = cluster(np.repeat(random_vectors(2, 8), [4, 5], axis=0), ClusteringParams())
    assert result.labels.tolist() == [NOISE] * 4 + [0] * 5


@pytest.mark.parametrize("seed", [17, 20, 24])
@pytest.mark.filterwarnings("error")
def test_a_cluster_of_copies_alone_leaves_no_empty_number(seed: int) -> None:
    """HDBSCAN can put the copies of a text into a cluster and the text itself beside it."""
    random = np.random.default_rng(seed)
    texts = int(random.integers(5, 60))
    vectors = random.normal(size=(texts, 64))
    made = cluster(np.repeat(vectors, random.integers(1, 40, texts), axis=0), ClusteringParams())
    assert all(made.silhouette is not None and np.isfinite(made.silhouette) for made in made.clusters)


def test_copies_do_not_bend_the_clusters(queries: np.ndarray) -> None:
    plain = cluster(queries, ClusteringParams())
    copied = cluster(np.concatenate([queries, np.tile(queries[7], (400, 1))]), ClusteringParams())
    assert copied.params["distinct_vectors"] == len(queries)
    # 400 copies count as a group of the smallest size, not as more than all the others together.
    assert adjusted_mutual_info_score(np.delete(plain.labels, 7), np.delete(copied.labels[:300], 7)) > 0.95
    assert len(set(copied.labels[300:].tolist())) == 1
    assert copied.labels[7] == copied.labels[300] == 0


def test_a_text_sent_often_is_a_cluster_even_far_from_all_others(queries: np.ndarray) -> None:
    alone = np.zeros((1, 64), dtype=np.float32)
    alone[0, -1] = -1.0
    result = cluster(np.concatenate([queries, np.repeat(alone, 40, axis=0)]), ClusteringParams())
    assert set(result.labels[300:].tolist()) == {result.labels[300]}
    assert result.labels[300] != NOISE


@pytest.mark.parametrize("d", [384, 1536])
@pytest.mark.parametrize("n", [20, 100, 200, pytest.param(600, marks=pytest.mark.slow)])
def test_no_structure_is_stated_rather_than_invented(n: int, d: int) -> None:
    result = cluster(random_vectors(n, d, seed=n + d), ClusteringParams())
    assert_sound(result, n)
    assert result.clusters == ()
    assert result.guard_path == ("eom", "eom_capped", "leaf", "kmeans", "no_structure")
    assert result.quality["noise_share"] == 1.0
    assert result.quality["silhouette"] is None
    assert result.distances.max() > 0  # to the mean of all


def test_separate_pieces_of_the_graph_stay_separate() -> None:
    # 2 × 40 points around opposite axes: no neighbour of one piece lies in the other.
    centres = np.zeros((2, 32))
    centres[0, 0], centres[1, 1] = 50.0, -50.0
    result = cluster(np.repeat(centres, 40, axis=0) + random_vectors(80, 32), ClusteringParams())
    assert result.clusters
    for made in result.clusters:
        assert len({row // 40 for row in np.flatnonzero(result.labels == made.cluster_id)}) == 1


@pytest.mark.parametrize("method", METHODS)
def test_one_dimension(method: ClusteringMethod) -> None:
    values = np.array([[1.0], [2.0], [-3.0]] * 10, dtype=np.float32)
    result = cluster(values, ClusteringParams(method=method))
    assert [made.size for made in result.clusters] == [20, 10]


def test_opposite_vectors_cancel_without_harm() -> None:
    result = cluster(np.array([[1.0, 0.0], [-1.0, 0.0]] * 3), ClusteringParams())
    assert_sound(result, 6)
    assert result.distances.tolist() == [1.0] * 6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_number_is_refused_with_its_row(bad: float) -> None:
    vectors = random_vectors(30, 8)
    vectors[17, 3] = bad
    with pytest.raises(InputRejected, match="row 17"):
        cluster(vectors, ClusteringParams())


def test_a_zero_vector_is_refused_with_its_row() -> None:
    vectors = random_vectors(30, 8)
    vectors[4] = 0
    with pytest.raises(InputRejected, match="row 4 is zero"):
        cluster(vectors, ClusteringParams())


@pytest.mark.parametrize("vectors", [np.zeros(5), np.zeros((2, 2, 2)), np.zeros((3, 0)), np.array([["a", "b"]])])
def test_another_shape_is_refused(vectors: np.ndarray) -> None:
    with pytest.raises(InputRejected, match="vectors must"):
        cluster(vectors, ClusteringParams())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"min_cluster_size": 1}, "min_cluster_size is 1; it must be at least 2"),
        ({"min_samples": 0}, "min_samples is 0"),
        ({"n_neighbors": 1}, "n_neighbors is 1"),
        ({"k_min": 1}, "k_min is 1"),
        ({"k_min": 7, "k_max": 6}, "k_max is 6; it must be at least 7"),
        ({"seed": -1}, "seed is -1"),
        ({"method": "louvain"}, "method is 'louvain'"),
    ],
)
def test_a_parameter_out_of_range_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputRejected, match=message):
        cluster(random_vectors(30, 8), ClusteringParams(**changed))  # type: ignore[arg-type]


def test_parameters_reach_the_method_and_the_record(queries: np.ndarray) -> None:
    result = cluster(queries, ClusteringParams(min_cluster_size=20, min_samples=3, n_neighbors=8))
    assert min(made.size for made in result.clusters) >= 20
    recorded = {name: result.params[name] for name in ("min_cluster_size", "min_samples", "n_neighbors", "method")}
    assert recorded == {"min_cluster_size": 20, "min_samples": 3, "n_neighbors": 8, "method": "hdbscan"}


def test_a_minimum_size_above_the_number_of_rows_leaves_noise() -> None:
    result = cluster(random_vectors(30, 8), ClusteringParams(min_cluster_size=500))
    assert result.clusters == ()


@settings(max_examples=40, deadline=None)
@given(
    base=hnp.arrays(np.int8, st.tuples(st.integers(1, 25), st.integers(1, 6)), elements=st.integers(-3, 3)),
    method=st.sampled_from(METHODS),
    copies=st.integers(1, 3),
)
def test_any_small_grid_of_points(base: np.ndarray, method: ClusteringMethod, copies: int) -> None:
    # Small integers give copies, ties, opposite and collinear points all the time.
    vectors = np.repeat(base[np.any(base != 0, axis=1)].astype(np.float32), copies, axis=0)
    result = cluster(vectors, ClusteringParams(method=method))
    assert_sound(result, len(vectors))
    for place in range(0, len(vectors), copies):
        assert len(set(result.labels[place : place + copies].tolist())) == 1
        assert len({tuple(xy) for xy in result.xy[place : place + copies].tolist()}) == 1
