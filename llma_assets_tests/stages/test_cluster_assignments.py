"""The stage cluster_assignments: what it learns from where a window holds more than that."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from llma_assets.clustering.result import ClusteringParams
from llma_assets.clustering_jobs import DEFAULT_JOBS
from llma_assets.lake import Lake
from llma_assets.stages.cluster_assignments import ClusterWindow
from llma_assets.tables.embeddings import EMBEDDINGS
from llma_assets.team_day import TeamDay
from llma_assets_tests import FIXTURES
from llma_assets_tests.stages.pipeline import LOG

VECTORS = np.load(FIXTURES / "banking77_vectors.npz")["vectors"]
DAYS = [date(2026, 1, n) for n in range(1, 9)]
A_DAY, LEARNED = 30, 70


@pytest.fixture
def embedded(lake: Lake) -> Lake:
    """Eight days of 30 real queries each, for two teams alike."""
    for team in ("acme", "other"):
        for n, day in enumerate(DAYS):
            team_day = TeamDay(team, day)
            rows = [_row(team_day, row) for row in range(n * A_DAY, (n + 1) * A_DAY)]
            lake.write("embeddings", team_day, pa.Table.from_pylist(rows, EMBEDDINGS.schema), "v")
    return lake


def _row(team_day: TeamDay, row: int) -> dict[str, object]:
    return dict.fromkeys(EMBEDDINGS.names) | {
        "team_id": team_day.team, "date": team_day.day, "level": "trace", "item_id": f"t{row:03d}",
        "trace_id": f"t{row:03d}", "trace_timestamp": team_day.start + timedelta(minutes=row), "status": "embedded",
        "model": "m", "dim": VECTORS.shape[1], "content_hash": "h", "embedding": VECTORS[row].tolist(),
    }  # fmt: skip


def learned(lake: Lake, team: str, day: date, run_label: str = "") -> set[str]:
    """The items that the day's clusters were learned from."""
    team_day = TeamDay(team, day)
    stage = ClusterWindow(lake, DEFAULT_JOBS[:1], ClusteringParams(), 7, 7, LEARNED, 20, LOG, run_label)
    stage.run(team_day)
    (run,) = lake.read("cluster_assignments", team_day).to_pylist()
    assert len(run["items"]) == 7 * A_DAY and run["items_learned"] == LEARNED
    return {item["item_id"] for item in run["items"] if item["is_learned"]}


def test_the_sample_moves_on_with_the_window(embedded: Lake) -> None:
    yesterday, today = (learned(embedded, "acme", day) for day in DAYS[-2:])
    assert {item for item in yesterday if item >= f"t{A_DAY:03d}"} == {
        item for item in today if item < f"t{7 * A_DAY:03d}"
    }
    assert len(today - yesterday) == LEARNED // 7


def test_each_team_has_a_sample_of_its_own_and_a_trial_run_has_the_teams(embedded: Lake) -> None:
    assert learned(embedded, "acme", DAYS[-1]) != learned(embedded, "other", DAYS[-1])
    assert learned(embedded, "acme", DAYS[-1]) == learned(embedded, "acme", DAYS[-1], run_label="trial")
