"""Clusterings that look wrong are warned of, with the figures; others pass."""

from datetime import date
from typing import Any, cast

import dagster as dg
import pytest

from llma_assets.checks.structure import quality_result
from llma_assets.definitions import defs
from llma_assets.findings.structure import structure_findings
from llma_assets.lake import Lake
from llma_assets.settings import Settings
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.team_day import TeamDay

GOOD: dict[str, Any] = {
    "clustering_run_id": "acme_trace_20260110_000000",
    "items_analyzed": 200,
    "clusters": [{}] * 12,
    "noise_share": 0.02,
    "largest_share": 0.2,
    "diversity": 0.6,
    "silhouette": 0.2,
    "stability": 0.6,
    "guard_path": ["eom"],
    "ladder": [],
}


def found(**changes: Any) -> list[str]:
    return list(structure_findings(cast("ClusteringRunRow", GOOD | changes), Settings()))


def test_a_good_clustering_has_no_findings() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"clusters": [{}] * 2}, "2 clusters, at least 3 are expected"),
        ({"largest_share": 0.7}, "one cluster holds 70%, less than 70% is expected"),
        ({"noise_share": 0.31}, "31% are noise, at most 30% are expected"),
        ({"stability": 0.09}, "stability is 0.09, at least 0.10 is expected"),
    ],
)
def test_each_limit_is_told_with_figure_and_limit(changes: dict[str, Any], expected: str) -> None:
    assert found(**changes) == [expected]


@pytest.mark.parametrize(
    "changes",
    [
        {"clusters": [{}], "largest_share": 1.0, "diversity": 0.02},  # the same text over and over
        {"stability": None},
        {"largest_share": None, "noise_share": None, "diversity": None},  # written before these were figures
        {"largest_share": 0.699},
        {"noise_share": 0.3},
    ],
)
def test_what_is_no_fault(changes: dict[str, Any]) -> None:
    assert found(**changes) == []


def test_limits_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_MIN_CLUSTERS", "20")
    assert found() == ["12 clusters, at least 20 are expected"]


def test_days_without_a_clustering_pass(lake: Lake) -> None:
    from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS

    day = TeamDay("acme", date(2026, 1, 10))
    lake.write("cluster_assignments", day, CLUSTER_ASSIGNMENTS.schema.empty_table())
    result = quality_result(lake, [day], Settings())
    assert result.passed
    assert result.metadata["clustering_runs"].value == 0


def test_the_check_warns_and_does_not_block() -> None:
    key = dg.AssetCheckKey(dg.AssetKey("cluster_assignments"), "has_structure")
    (check,) = [asset_check for asset_check in defs.asset_checks if key in asset_check.check_keys]  # type: ignore[union-attr]
    (spec,) = [spec for spec in check.check_specs if spec.key == key]
    assert not spec.blocking
