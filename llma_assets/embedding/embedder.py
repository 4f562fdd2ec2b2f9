"""What an embedder is, and the check that stands between any embedder and the data.

Whatever makes the vectors (a model on this machine, a server), no row reaches a partition before
`check_vectors` has seen it: a vector of the wrong length, or one that belongs to another text,
would cluster as if it were right.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from llma_assets.errors import InputRejected
from llma_assets.vocabulary import Reason

# A unit vector in float32 is off by about 1e-7; a norm below this is no direction at all.
MIN_NORM = 1e-12

# Texts after which a long embedding is kept and its progress told: some seconds of work.
PART_TEXTS = 256

EmbeddedPart = tuple[Sequence[int], np.ndarray]


class EmbeddingRejected(InputRejected):
    """An embedder gave rows that cannot be matched to the items asked for."""


class Embedder(Protocol):
    """Turns texts into unit vectors.

    Attributes:
        model: id that is stored beside every vector. Vectors of two ids are never compared.
        dim: length of every vector.
    """

    @property
    def model(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of `texts` in their order: float32, shape (len(texts), dim), rows of length 1."""
        ...

    def parts(self, texts: Sequence[str], names: Sequence[str] = ()) -> Iterator[EmbeddedPart]:
        """The same vectors part by part as they are made: places in `texts`, and the rows for them.

        Args:
            names: what the texts are called in messages.

        Raises:
            BudgetExhausted: the texts that were in no part can be paid for another day.
        """
        ...


def parts_in_order(embed: Callable[[Sequence[str]], np.ndarray], texts: Sequence[str]) -> Iterator[EmbeddedPart]:
    """`Embedder.parts` for an embedder that makes vectors one after the other."""
    for start in range(0, len(texts), PART_TEXTS):
        chunk = texts[start : start + PART_TEXTS]
        yield range(start, start + len(chunk)), embed(chunk)


def check_vectors(
    vectors: np.ndarray | Sequence[Sequence[float]],
    expected_count: int,
    dim: int,
    item_ids: Sequence[str],
    indexes: Sequence[int] | None = None,
) -> list[Reason | None]:
    """Check what an embedder returned, row by row.

    Args:
        vectors: one row for each item; an array of shape (n, dim), or lists as a server sends them.
        expected_count: rows that were asked for.
        dim: length that each row must have.
        item_ids: who the rows belong to, in the order asked.
        indexes: the position that the embedder itself names for each row, where it names one.

    Returns:
        One entry for each item: None if its vector can be used, else `Reason.INVALID_EMBEDDING`
        (NaN, infinity, or a zero vector). One bad vector does not cost the others theirs.

    Raises:
        EmbeddingRejected: too few or too many rows, rows out of order, a row of another length or
            one that holds something other than numbers. Then no row can be trusted.
    """
    if len(item_ids) != expected_count:
        raise EmbeddingRejected(f"{expected_count} vectors are expected for {len(item_ids)} item ids")
    if len(vectors) != expected_count:
        first = f"; the first item without one is {item_ids[len(vectors)]!r}" if len(vectors) < expected_count else ""
        raise EmbeddingRejected(f"{expected_count} texts were embedded but {len(vectors)} vectors came back{first}")
    if indexes is not None:
        _check_order(indexes, item_ids)
    norms = np.array([_norm(row, dim, item_id) for row, item_id in zip(vectors, item_ids, strict=True)])
    usable = np.isfinite(norms) & (norms >= MIN_NORM)
    return [None if ok else Reason.INVALID_EMBEDDING for ok in usable]


def _check_order(indexes: Sequence[int], item_ids: Sequence[str]) -> None:
    if len(indexes) != len(item_ids):
        raise EmbeddingRejected(f"{len(item_ids)} texts were embedded but {len(indexes)} indexes came back")
    for position, (index, item_id) in enumerate(zip(indexes, item_ids, strict=True)):
        if index != position:
            raise EmbeddingRejected(
                f"vectors are out of order: row {position} should belong to item {item_id!r} "
                f"but the embedder says that it is row {index!r}"
            )


def _norm(row: np.ndarray | Sequence[float], dim: int, item_id: str) -> float:
    """Euclidean length of a row once stored as float32; NaN or infinite if the row holds such values."""
    try:
        # JSON null becomes NaN and "1.5" a number, were float64 simply asked for: look at the kind first.
        values = np.asarray(row)
        if values.dtype.kind not in "fiu":
            raise TypeError(f"it holds {values.dtype}")
    except (TypeError, ValueError) as error:
        raise EmbeddingRejected(f"the vector of item {item_id!r} is no list of {dim} numbers: {error}") from None
    if values.shape != (dim,):
        raise EmbeddingRejected(f"the vector of item {item_id!r} has shape {values.shape}, not ({dim},)")
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(values.astype(np.float32).astype(np.float64)))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, as float32 of the same shape (n, dim); rows without a direction become 0."""
    wide = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.where(norms >= MIN_NORM, wide / np.maximum(norms, MIN_NORM), 0.0).astype(np.float32)
