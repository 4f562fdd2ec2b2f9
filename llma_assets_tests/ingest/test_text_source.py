"""B11 and S18: lines, arrays and gzip, whole, cut and hostile."""

import gzip
import io
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.errors import InputRejected
from llma_assets.ingest import text_source
from llma_assets.ingest.limits import DEFAULT_LIMITS, Limits
from llma_assets.ingest.text_source import RawRow, text_rows


def rows_of(content: bytes, limits: Limits = DEFAULT_LIMITS) -> list[RawRow]:
    return list(text_rows(io.BytesIO(content), len(content), limits, lambda done: None))


def found(content: bytes) -> list[tuple[int, bytes]]:
    return [(row.number, row.raw) for row in rows_of(content)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", []),
        (b"\n\n", []),
        (b'{"a":1}\n{"b":2}\n', [(1, b'{"a":1}'), (2, b'{"b":2}')]),
        (b'{"a":1}\r\n\r\n{"b":2}', [(1, b'{"a":1}'), (3, b'{"b":2}')]),
        (b'\xef\xbb\xbf{"a":1}\n', [(1, b'{"a":1}')]),
        (b'{"a":1}\n{"b":', [(1, b'{"a":1}'), (2, b'{"b":')]),
        (b'[{"a":1},{"b":"],["}]', [(1, b'{"a":1}'), (2, b'{"b":"],["}')]),
        (b'\xef\xbb\xbf \n[\n {"a": [1, {}]},\n {"b": "\\"},"}\n]\n', [(1, b'{"a": [1, {}]}'), (2, b'{"b": "\\"},"}')]),
        (b"[]", []),
        (b'[{"a":1},{"b":', [(1, b'{"a":1}'), (2, b'{"b":')]),
        (b"[1,2]\n[3]\n", [(1, b"[1,2]"), (2, b"[3]")]),
    ],
)
def test_rows_and_their_numbers(content: bytes, rows: list[tuple[int, bytes]], packed: bool) -> None:
    assert found(gzip.compress(content) if packed else content) == rows


def test_gzip_may_have_several_members() -> None:
    assert len(rows_of(gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"b":2}\n'))) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_may_be_cut_anywhere_between_reads(
    monkeypatch: pytest.MonkeyPatch, size: int, indent: int | None
) -> None:
    monkeypatch.setattr(text_source, "_BUFFER_BYTES", size)
    monkeypatch.setattr(text_source, "_ARRAY_START", text_source.re.compile(rb"\["))
    values = [{"a": 'x"\\,]'}, {"b": [[], {"c": "\\\\"}]}, {}, {"d": "é\n"}]
    raws = [row.raw for row in rows_of(json.dumps(values, indent=indent).encode())]
    assert [json.loads(raw) for raw in raws] == values


JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=5))
def test_an_array_and_lines_hold_the_same_rows(values: list[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(value) for value in values).encode()
    for text in (json.dumps(values, ensure_ascii=False), json.dumps(values, indent=2)):
        assert [json.loads(row.raw) for row in rows_of(text.encode())] == [
            json.loads(row.raw) for row in rows_of(lines)
        ]


@pytest.mark.parametrize("array", [False, True])
def test_a_row_that_is_too_long_is_read_past_and_not_held(monkeypatch: pytest.MonkeyPatch, array: bool) -> None:
    monkeypatch.setattr(text_source, "_BUFFER_BYTES", 64)
    monkeypatch.setattr(text_source, "RAW_CAP_BYTES", 50)
    long = b'{"a":"' + b"x" * 5_000 + b'"}'
    parts = [b'{"a":1}', long, b'{"b":2}']
    content = b"[" + b",".join(parts) + b"]" if array else b"\n".join(parts)
    first, second, third = rows_of(content, Limits(max_row_bytes=100))
    assert (first.raw, third.raw, third.number) == (b'{"a":1}', b'{"b":2}', 3)
    assert second.length >= len(long) and second.raw == long[:50]


def test_a_row_of_exactly_the_limit_is_kept() -> None:
    row = b'{"a":"' + b"x" * 92 + b'"}'
    limits = Limits(max_row_bytes=100)
    assert [r.length for r in rows_of(row + b"\r\n" + row + b"\n" + row, limits)] == [100, 100, 100]


NOT_SUCH_FILES = {
    "zip": (b"PK\x03\x04....", "zip"),
    "zstandard": (b"\x28\xb5\x2f\xfd....", "zstandard"),
    "UTF-16 with its mark": ('{"a":1}'.encode("utf-16"), "UTF-16"),
    "UTF-16 without": ('{"a":1}'.encode("utf-16-le"), "UTF-16"),
    "packed twice": (gzip.compress(gzip.compress(b"{}")), "gzip inside gzip"),
    "packed Parquet": (gzip.compress(b"PAR1...."), "Parquet inside gzip"),
    "cut off": (gzip.compress(b'{"a":1}\n' * 1_000)[:-12], "ends early"),
    "wrong checksum": (gzip.compress(b'{"a":1}\n')[:-8] + b"\0" * 8, "damaged"),
    "rubbish at the end": (gzip.compress(b'{"a":1}\n') + b"rubbish", "damaged"),
    "two documents": (b'[{"a":1}] {"b":2}', "after the closing"),
}


# Names of their own: gzip writes the time of day into the bytes, and each worker of pytest must see the same tests.
@pytest.mark.parametrize(("content", "words"), NOT_SUCH_FILES.values(), ids=NOT_SUCH_FILES)
def test_what_is_no_such_file_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(InputRejected, match=words):
        rows_of(content)


def test_a_gzip_bomb_is_refused_long_before_its_end() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"x" * 2**20) for _ in range(64)) + packer.flush()
    assert len(bomb) < 2**17

    with pytest.raises(InputRejected, match="bomb"):
        rows_of(bomb, Limits(ratio_free_bytes=2**20))
    with pytest.raises(InputRejected, match="unpacks to more than 1000000 bytes"):
        rows_of(gzip.compress(b'{"a":1}\n' * 200_000), Limits(max_decompressed_bytes=10**6))
