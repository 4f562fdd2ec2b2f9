"""How a task with a provider ended is on record."""

from datetime import UTC, date, datetime

import pytest

from llma_assets.errors import FailFast, WaitingForBatch
from llma_assets.lake import Lake
from llma_assets.llm.task import LlmTask
from llma_assets.llm.work import opened
from llma_assets.settings import load_settings
from llma_assets.team_day import TeamDay

DAY = TeamDay("acme", date(2025, 6, 2))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (FailFast("the key is refused"), "failed: the key is refused"),
        (WaitingForBatch("3 items wait for 1 batch(es)"), "waiting: 3 items wait for 1 batch(es)"),
        (ValueError("cannot convert 'my card is 4111 1111 1111 1111'"), "failed: ValueError"),
    ],
    ids=["failed", "waiting", "foreign"],
)
def test_the_record_of_a_task_says_how_it_ended_and_quotes_nobody(lake: Lake, error: Exception, outcome: str) -> None:
    task = LlmTask("trace_summaries", DAY)
    with (
        pytest.raises(type(error)),
        opened(load_settings(), task, lake, lambda: datetime(2026, 1, 2, tzinfo=UTC), {}),
    ):
        raise error
    (path,) = lake.files("llm_calls", DAY)
    with lake.open_parquet(path) as file:
        (row,) = file.read().to_pylist()
    assert row["outcome"] == outcome
    assert row["is_error"] is outcome.startswith("failed")
