"""The boundary between an embedder and the data (F17)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.embedding.embedder import EmbeddingRejected, check_vectors, unit_rows
from llma_assets.errors import InputRejected
from llma_assets.vocabulary import Reason

ITEMS = ["trace-a", "trace-b", "trace-c"]


def test_good_vectors_pass() -> None:
    assert check_vectors(np.eye(3, 4, dtype=np.float32), 3, 4, ITEMS, indexes=[0, 1, 2]) == [None, None, None]
    assert check_vectors([[1, 0], [0.5, 0.5], [0, -1.0]], 3, 2, ITEMS) == [None, None, None]
    assert check_vectors(np.empty((0, 4)), 0, 4, []) == []


@pytest.mark.parametrize(
    "bad",
    [
        [float("nan"), 1.0],
        [float("inf"), 1.0],
        [1.0, float("-inf")],
        [0.0, -0.0],
        [1e-30, 0.0],  # no direction once it is scaled to length 1 in float32
        [1e300, 0.0],  # finite as JSON says it, infinite in the float32 that is stored
    ],
)
def test_a_bad_vector_costs_only_its_own_item(bad: list[float]) -> None:
    assert check_vectors([[1.0, 0.0], bad, [0.0, 1.0]], 3, 2, ITEMS) == [None, Reason.INVALID_EMBEDDING, None]


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ([[1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0]], "'trace-b' has shape (3,), not (2,)"),
        (np.ones((3, 5)), "'trace-a' has shape (5,), not (2,)"),
        ([[1.0, 0.0], [1.0], [0.0, 1.0]], "'trace-b' has shape (1,)"),
        ([[1.0, 0.0], [], [0.0, 1.0]], "'trace-b'"),
        ([[1.0, 0.0], None, [0.0, 1.0]], "'trace-b'"),
        ([[1.0, 0.0], [None, 1.0], [0.0, 1.0]], "'trace-b' is no list of 2 numbers"),
        ([[1.0, 0.0], ["1.0", "2.0"], [0.0, 1.0]], "'trace-b' is no list of 2 numbers"),
        ([[1.0, 0.0], [[1.0], [2.0, 3.0]], [0.0, 1.0]], "'trace-b' is no list of 2 numbers"),
        (
            [[1.0, 0.0], [0.0, 1.0]],
            "but 2 vectors came back; the first item without one is 'trace-c'",
        ),
        ([[1.0, 0.0]] * 4, "3 texts were embedded but 4 vectors came back"),
    ],
)
def test_rows_that_cannot_be_matched_are_refused_by_name(vectors: list[list[float]], said: str) -> None:
    with pytest.raises(EmbeddingRejected) as refused:
        check_vectors(vectors, 3, 2, ITEMS)
    assert said in str(refused.value)
    assert isinstance(refused.value, InputRejected)


@pytest.mark.parametrize(
    ("indexes", "said"), [([0, 2, 1], "item 'trace-b'"), ([1, 2, 3], "row 0"), ([0, 1], "2 indexes")]
)
def test_rows_out_of_order_are_refused(indexes: list[int], said: str) -> None:
    with pytest.raises(EmbeddingRejected, match=said):
        check_vectors(np.eye(3), 3, 3, ITEMS, indexes)


def test_item_ids_must_be_as_many_as_the_rows_asked_for() -> None:
    with pytest.raises(EmbeddingRejected, match="4 vectors are expected for 3 item ids"):
        check_vectors(np.eye(4), 4, 4, ITEMS)


@given(st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), max_size=8))
def test_a_row_passes_exactly_if_it_can_be_scaled_to_length_one(rows: list[list[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32).reshape(-1, 3)
    reasons = check_vectors(vectors, len(rows), 3, [str(number) for number in range(len(rows))])
    usable = [reason is None for reason in reasons]
    norms = np.linalg.norm(unit_rows(vectors[usable]).astype(np.float64), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)
    for vector, ok in zip(vectors, usable, strict=True):
        assert ok or not np.isfinite(vector).all() or np.linalg.norm(vector.astype(np.float64)) < 1e-12
