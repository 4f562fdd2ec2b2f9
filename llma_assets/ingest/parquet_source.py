"""Rows of a Parquet export (uuid, event, distinct_id, timestamp, properties) in bounded memory."""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from llma_assets.errors import InputRejected
from llma_assets.ingest.limits import Limits
from llma_assets.ingest.text_source import OnBytes, check_unpacked

COLUMNS = ("uuid", "event", "distinct_id", "timestamp", "properties")
_NEEDED = ("event", "properties")
_READ_BYTES = 1 << 20
_MOST_BATCH_ROWS = 1_024
_DICTIONARY_PAGE = 2
_NEXT_I32_FIELD = b"\x15"
# Bytes that the rows read at once may take.
_BATCH_BYTES = 32 << 20


class ParquetRow(NamedTuple):
    """One row: its number from 1, its event, and the length of its properties in bytes if they are text."""

    number: int
    item: dict[str, Any]
    length: int


def parquet_rows(handle: BinaryIO, limits: Limits, on_bytes: OnBytes) -> Iterator[ParquetRow]:
    """Rows of a Parquet file; columns other than `COLUMNS` are not read.

    Raises:
        InputRejected: damaged, without the needed columns, or one that unpacks beyond its limits.
    """
    try:
        with pq.ParquetFile(handle, buffer_size=_READ_BYTES) as file:
            schema = file.schema_arrow
            missing = [name for name in _NEEDED if name not in schema.names]
            if missing:
                raise InputRejected(f"Parquet columns missing: {', '.join(missing)} (wanted: {', '.join(COLUMNS)})")
            _check_properties(schema.field("properties").type)
            chunks = list(_chunks(file.metadata))
            _check_declared_size(chunks, limits)
            batch_rows = _batch_rows(chunks, handle)
            yield from _rows(file, batch_rows, limits, on_bytes)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputRejected(f"the Parquet file is damaged: {error}") from error


def _rows(file: pq.ParquetFile, batch_rows: int, limits: Limits, on_bytes: OnBytes) -> Iterator[ParquetRow]:
    columns = [name for name in COLUMNS if name in file.schema_arrow.names]
    number, unpacked, total_rows = 0, 0, max(1, file.metadata.num_rows)
    packed = sum(chunk.total_compressed_size for chunk in _chunks(file.metadata))
    for batch in file.iter_batches(batch_rows, columns=columns):
        for item in _timestamps_as_text(batch).to_pylist(maps_as_pydicts="lossy"):
            number += 1
            length = 0
            properties = item["properties"]
            if isinstance(properties, str):
                length = len(properties) if properties.isascii() else len(properties.encode())
            elif properties is not None:
                # A struct has every key in every row: null is its way to say absent.
                item["properties"] = {key: value for key, value in properties.items() if value is not None}
            yield ParquetRow(number, item, length)
        unpacked += batch.nbytes
        check_unpacked(unpacked, packed, limits)
        on_bytes(packed * number // total_rows)


def _check_properties(kind: pa.DataType) -> None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_struct, pa.types.is_map)
    if not any(is_kind(kind) for is_kind in known):
        raise InputRejected(f"Parquet column properties: {kind} is not JSON text, a struct or a map")


def _timestamps_as_text(rows: pa.RecordBatch) -> pa.RecordBatch:
    """A `timestamp` of Arrow's own type as ISO text, so that it takes the way of all others."""
    place = rows.schema.get_field_index("timestamp")
    if place < 0 or not pa.types.is_timestamp(rows.schema.field(place).type):
        return rows
    column = rows.column(place)
    zone = "+00:00" if column.type.tz else ""
    moments = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_pylist()
    texts = [None if moment is None else _iso(moment, zone) for moment in moments]
    return rows.set_column(place, "timestamp", pa.array(texts, pa.string()))


def _iso(moment_us: int, zone: str) -> str:
    from datetime import datetime, timedelta

    try:
        return (datetime(1970, 1, 1) + timedelta(microseconds=moment_us)).isoformat() + zone  # noqa: DTZ001
    except OverflowError:
        return f"{moment_us} us"


def _chunks(metadata: pq.FileMetaData) -> Iterator[Any]:
    """Column chunks that are read, of all row groups."""
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for column in range(row_group.num_columns):
            chunk = row_group.column(column)
            if chunk.num_values and chunk.path_in_schema.split(".")[0] in COLUMNS:
                yield chunk


def _check_declared_size(chunks: list[Any], limits: Limits) -> None:
    unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
    check_unpacked(unpacked, sum(chunk.total_compressed_size for chunk in chunks), limits)


def _batch_rows(chunks: list[Any], handle: BinaryIO) -> int:
    """Rows to read at once: no batch of them takes much more than `_BATCH_BYTES`.

    A row takes its share of the chunk, or, where every row points at one huge dictionary entry, as
    much as the whole dictionary.
    """
    row_bytes = 1
    for chunk in chunks:
        share = chunk.total_uncompressed_size // max(1, chunk.num_values)
        row_bytes = max(row_bytes, share, _dictionary_bytes(chunk, handle))
    return max(1, min(_MOST_BATCH_ROWS, _BATCH_BYTES // row_bytes))


def _dictionary_bytes(chunk: Any, handle: BinaryIO) -> int:
    """Unpacked size of a chunk's dictionary page, from the page's own header; 0 if it has none.

    The header is a Thrift compact struct whose first fields are the page's type and its unpacked
    size, both zigzag varints (parquet-format, PageHeader).
    """
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    handle.seek(start)
    header = handle.read(32)
    kind, place = _int_field(header, 0)
    size, _ = _int_field(header, place)
    return size if kind == _DICTIONARY_PAGE else 0


def _int_field(header: bytes, place: int) -> tuple[int, int]:
    """Value of the i32 field, next in number, that starts at `place`; and where it ends."""
    if header[place : place + 1] != _NEXT_I32_FIELD:
        raise ValueError("a page header does not start with its type and size")
    value = shift = 0
    for end in range(place + 1, min(place + 6, len(header))):
        value |= (header[end] & 0x7F) << shift
        shift += 7
        if not header[end] & 0x80:
            return (value >> 1) ^ -(value & 1), end + 1
    raise ValueError("a page header is cut off")
