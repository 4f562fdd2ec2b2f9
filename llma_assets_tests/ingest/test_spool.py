"""Rows come back whole and in order however little memory there is."""

from collections.abc import Hashable
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.ingest.limits import Limits
from llma_assets.ingest.spool import Row, Spool

TIGHT = Limits(buffer_bytes=20_000, row_group_bytes=8_000)


def to_table(key: Hashable, rows: list[Row]) -> pa.Table:
    return pa.table({"number": [row[0] for row in rows], "text": [row[1] for row in rows]})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3_000)), max_size=200))
def test_every_row_comes_back_in_order_under_its_key(rows: list[tuple[int, int]]) -> None:
    with Spool(to_table, TIGHT, None) as spool:
        for number, (key, size) in enumerate(rows):
            spool.add(key, (number, b"x" * size), size)
        for key in range(6):
            groups = list(spool.row_groups(key))
            found = [number for group in groups for number in group.column("number").to_pylist()]
            assert found == [number for number, (k, _) in enumerate(rows) if k == key]
            assert all(group.num_rows <= 1 + 8_000 // 1_500 for group in groups)
            assert list(spool.row_groups(key)) == []


def test_memory_holds_no_more_than_the_budget(tmp_path: Path) -> None:
    with Spool(to_table, TIGHT, str(tmp_path)) as spool:
        for number in range(3_000):
            spool.add(number % 500, (number, b"y" * 100), 100)
            held = sum(len(rows) for rows in spool._rows.values())
            assert held * 1_600 <= TIGHT.buffer_bytes
        assert sum(group.num_rows for key in range(500) for group in spool.row_groups(key)) == 3_000
    assert list(tmp_path.iterdir()) == []


def test_rows_that_fit_need_no_file(tmp_path: Path) -> None:
    with Spool(to_table, Limits(), str(tmp_path / "absent")) as spool:
        spool.add("k", (1, b"z"), 1)
        assert [group.num_rows for group in spool.row_groups("k")] == [1]
