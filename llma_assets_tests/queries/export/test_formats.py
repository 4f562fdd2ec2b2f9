"""The formats: CSV that no spreadsheet takes for formulas and that is read back exactly, and the others."""

import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv, parquet

from llma_assets.queries.export.formats import write_rows

SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("count", pa.int64()),
        ("figure", pa.float64()),
        ("flag", pa.bool_()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("day", pa.date32()),
    ]
)
AT = datetime(2026, 3, 9, 1, 2, 3, 456789, tzinfo=UTC)
ROW: dict[str, Any] = {"text": "plain", "count": -1, "figure": -0.5, "flag": False, "at": AT, "day": date(2026, 3, 9)}
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x", "'=1", "'", "''x"]
PLAIN = ["", " =1", "a=b", '"', 'a"b', "a,b", "a\nb\r\nc", "é 😀", "\u202e", "-".rjust(3)]


def written(rows: list[dict[str, Any]], form: str) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows, SCHEMA)
    assert write_rows(table.to_batches(max_chunksize=2), SCHEMA, form, sink) == len(rows)
    return sink.getvalue()


def read_back(content: bytes) -> list[dict[str, Any]]:
    """As docs/search-and-export.md says it is done."""
    table = csv.read_csv(
        io.BytesIO(content),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=SCHEMA, strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
    return [row | {"text": row["text"] and row["text"].removeprefix("'")} for row in table.to_pylist()]


@pytest.mark.parametrize("text", FORMULAS, ids=range(len(FORMULAS)))
def test_no_cell_is_a_formula(text: str) -> None:
    content = written([ROW | {"text": text}], "csv")
    assert content.split(b"\n", 1)[1].startswith(b"\"'" + text[:1].encode())
    assert read_back(content)[0]["text"] == text


def test_numbers_stay_numbers_and_null_is_not_an_empty_text() -> None:
    content = written([ROW | {"text": ""}, ROW | {"text": None, "count": None, "flag": None, "at": None}], "csv")
    lines = content.decode().splitlines()
    assert lines[1] == '"",-1,-0.5,false,2026-03-09 01:02:03.456789Z,2026-03-09'
    assert lines[2] == ",,-0.5,,,2026-03-09"
    assert read_back(content) == [
        ROW | {"text": ""},
        ROW | {"text": None, "count": None, "flag": None, "at": None},
    ]


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(st.one_of(st.none(), st.sampled_from(FORMULAS + PLAIN), TEXTS), min_size=1, max_size=5))
def test_csv_is_read_back_exactly(texts: list[str | None]) -> None:
    rows = [ROW | {"text": text} for text in texts]
    assert read_back(written(rows, "csv")) == rows


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), max_size=5))
def test_json_lines_are_ascii_and_exact(texts: list[str | None]) -> None:
    content = written([ROW | {"text": text} for text in texts], "jsonl")
    lines = content.decode("ascii").splitlines()
    assert [json.loads(line)["text"] for line in lines] == texts
    assert all(json.loads(line)["at"] == "2026-03-09T01:02:03.456789+00:00" for line in lines)


def test_json_has_no_word_for_infinity() -> None:
    content = written([ROW | {"figure": float("nan")}, ROW | {"figure": float("inf")}], "jsonl")
    assert [json.loads(line)["figure"] for line in content.splitlines()] == [None, None]


def test_parquet_is_read_back_exactly() -> None:
    rows = [ROW | {"text": text} for text in (*FORMULAS, *PLAIN, None)]
    table = parquet.read_table(io.BytesIO(written(rows, "parquet")), page_checksum_verification=True)
    assert table.to_pylist() == rows
    assert table.schema == SCHEMA


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_nothing_is_a_valid_file_too(form: str) -> None:
    content = written([], form)
    if form == "parquet":
        assert parquet.read_table(io.BytesIO(content)).num_rows == 0
    elif form == "csv":
        assert content == b'"text","count","figure","flag","at","day"\n'
    else:
        assert content == b""
