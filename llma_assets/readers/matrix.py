"""Vectors between Arrow and NumPy without a Python object for each number."""

import numpy as np
import pyarrow as pa


def to_matrix(column: pa.ChunkedArray) -> np.ndarray:
    """A list<float32> column without nulls, all lists of one length, as float32 of shape (n, dim)."""
    lists = column.combine_chunks()
    if len(lists) == 0:
        return np.empty((0, 0), np.float32)
    values = lists.flatten().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values.reshape(len(lists), -1), np.float32)
