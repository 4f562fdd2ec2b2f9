"""The rule that nothing empty goes on: with input that passes, and with input that does not."""

from datetime import date
from typing import Any

import dagster as dg
import pytest

from llma_assets.checks.zero_items import zero_item_result
from llma_assets.errors import PartitionMissing
from llma_assets.lake import Lake
from llma_assets.tables import TABLES
from llma_assets.tables.embeddings import EMBEDDINGS
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import table_of

FULL, EMPTY, FAILED = (TeamDay("acme", date(2026, 1, n)) for n in (1, 2, 3))


def embeddings(day: TeamDay, *statuses: str) -> Any:
    n = len(statuses)
    return table_of(
        EMBEDDINGS.schema, team_id=["acme"] * n,
        date=[day.day] * n, level=["trace"] * n, item_id=[str(i) for i in range(n)],
        trace_id=["t"] * n, trace_timestamp=[day.start] * n, status=list(statuses), model=["m"] * n, dim=[1] * n,
        content_hash=["h"] * n,
    )  # fmt: skip


@pytest.fixture
def filled(lake: Lake) -> Lake:
    lake.write("embeddings", FULL, embeddings(FULL, "embedded", "failed"))
    lake.write("embeddings", EMPTY, EMBEDDINGS.schema.empty_table())
    lake.write("embeddings", FAILED, embeddings(FAILED, "failed", "failed"))
    return lake


def test_a_partition_with_items_passes(filled: Lake) -> None:
    result = zero_item_result(filled, "embeddings", [FULL])
    assert result.passed
    assert result.metadata["items"].value == 1


@pytest.mark.parametrize("day", [EMPTY, FAILED])
def test_a_partition_without_items_is_rejected_and_blocks(filled: Lake, day: TeamDay) -> None:
    result = zero_item_result(filled, "embeddings", [day])
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.metadata["rejected"].value == [str(day)]


def test_a_range_with_some_empty_days_warns_and_names_them(filled: Lake) -> None:
    result = zero_item_result(filled, "embeddings", [FULL, EMPTY])
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.metadata["rejected"].value == [str(EMPTY)]


def test_a_range_without_any_item_blocks(filled: Lake) -> None:
    assert zero_item_result(filled, "embeddings", [EMPTY, FAILED]).severity == dg.AssetCheckSeverity.ERROR


def test_a_partition_that_was_never_written_is_an_error_not_a_pass(filled: Lake) -> None:
    with pytest.raises(PartitionMissing):
        zero_item_result(filled, "embeddings", [TeamDay("acme", date(2026, 2, 1))])


@pytest.mark.parametrize(
    "table",
    [
        "trace_summaries",
        "embeddings",
        "cluster_assignments",
        "cluster_lineage",
        "cluster_labels",
        "cluster_metrics",
        "cluster_events",
    ],
)
def test_the_empty_form_of_every_table_is_rejected(lake: Lake, table: str) -> None:
    lake.write(table, EMPTY, TABLES[table].schema.empty_table())
    assert not zero_item_result(lake, table, [EMPTY]).passed
