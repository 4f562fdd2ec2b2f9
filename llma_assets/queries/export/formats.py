"""Rows as CSV, Parquet or JSON lines, written batch by batch."""

import io
import json
import math
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

FORMATS = ("csv", "parquet", "jsonl")

# What spreadsheets take for the start of a formula, also in full width; and the mark that says so, so that reading
# back is exact: whatever text begins with the mark loses it.
_MARK = "'"
_STARTS_FORMULA = r"\A[=+\-@\t\r\n＝＋－＠']"


def write_rows(batches: Iterable[pa.RecordBatch], schema: pa.Schema, form: str, sink: BinaryIO) -> int:
    """Write `batches` of `schema` to `sink` in one of `FORMATS`; the number of rows."""
    kinds: dict[str, type[_Csv | _Parquet | _JsonLines]] = {"csv": _Csv, "parquet": _Parquet, "jsonl": _JsonLines}
    writer = kinds[form](sink, schema)
    rows = 0
    for batch in batches:
        if batch.num_rows:
            writer.write(batch)
            rows += batch.num_rows
    writer.close()
    return rows


def defused(texts: pa.Array) -> pa.Array:
    """Texts that no spreadsheet takes for a formula: one that begins like a formula, or with ', gets a ' before it."""
    marked = pc.binary_join_element_wise(_MARK, texts, "")
    return pc.if_else(pc.match_substring_regex(texts, _STARTS_FORMULA), marked, texts)


class _Csv:
    """Texts are quoted, numbers are not, null is an empty field without quotes."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema):
        from pyarrow import csv

        self._schema = schema
        self._writer = csv.CSVWriter(sink, schema, write_options=csv.WriteOptions(quoting_style="needed"))

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [defused(column) if pa.types.is_string(column.type) else column for column in batch.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class _Parquet:
    def __init__(self, sink: BinaryIO, schema: pa.Schema):
        from pyarrow import parquet

        target: Any = _Unseekable(sink)
        self._writer = parquet.ParquetWriter(target, schema, compression="zstd", write_page_checksum=True)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class _JsonLines:
    """One object a line, in ASCII, so that no character of a trace steers a terminal."""

    def __init__(self, sink: BinaryIO, _schema: pa.Schema):
        self._sink = sink

    def write(self, batch: pa.RecordBatch) -> None:
        rows = ({name: _plain(value) for name, value in row.items()} for row in batch.to_pylist())
        lines = (json.dumps(row, allow_nan=False) for row in rows)
        self._sink.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Nothing is held back."""


def _plain(value: Any) -> Any:
    """A cell as JSON has it; NaN and infinities, for which it has no words, as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime | date) else value


class _Unseekable(io.RawIOBase):
    """A sink that counts what it got, as a pipe cannot say where it is."""

    def __init__(self, sink: BinaryIO):
        self._sink = sink
        self._bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        self._sink.write(content)
        self._bytes += size
        return size

    def tell(self) -> int:
        return self._bytes
