"""The code location loads anywhere, writes nothing, and says what a person in the UI wants to know."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from llma_assets.checks.zero_items import zero_item_checks
from llma_assets.definitions import defs
from llma_assets.lake import Lake
from llma_assets.partitions import lineage_mapping, partition_key, team_day_of, team_days_partitions, window_mapping
from llma_assets.stages.declaration import in_order
from llma_assets.team_day import TeamDay
from llma_assets_tests import ROOT
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.pipeline import embed, summarize

CHAIN = [stage.table.name for stage in in_order()]

LOAD = """
import socket, sys
def refuse(*_, **__):
    raise OSError("no network at import")
socket.socket.connect = refuse
from llma_assets.definitions import defs
dg_jobs = sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__"))
heavy = sorted({"sklearn", "hdbscan", "onnxruntime", "openai", "matplotlib"} & set(sys.modules))
print(dg_jobs, heavy)
"""


def test_the_definitions_load_in_a_fresh_process_with_an_empty_environment(tmp_path: Path) -> None:
    """F35: no setting, no HOME, no network, nothing written, nothing costly loaded, no warning."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", LOAD],
        env={"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['cluster_traces', 'summarize_traces'] []"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CHAIN)
def test_every_asset_says_what_it_is(name: str) -> None:
    spec = defs.resolve_asset_graph().get(dg.AssetKey(name))
    assert spec.description
    assert "Grain:" in spec.description
    assert "Guarantee:" in spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.group_name == "llm_analytics"
    assert spec.code_version
    assert spec.partitions_def == team_days_partitions


def test_the_graph_is_the_declared_chain_from_the_external_events() -> None:
    graph = defs.resolve_asset_graph()
    assert not graph.get(dg.AssetKey("trace_events")).is_executable
    parents = {
        "trace_summaries": {"trace_events"},
        "embeddings": {"trace_summaries"},
        "cluster_assignments": {"embeddings"},
        "cluster_lineage": {"cluster_assignments"},
        "cluster_labels": {"cluster_assignments", "cluster_lineage"},
        "cluster_metrics": {"cluster_assignments", "trace_summaries"},
        "cluster_events": {"cluster_labels", "cluster_metrics"},
        "cluster_report": {"cluster_events"},
        "cluster_alerts": {"cluster_labels", "cluster_metrics"},
    }
    for name in parents:
        assert graph.get(dg.AssetKey(name)).parent_keys == {dg.AssetKey(one) for one in parents[name]}


def test_every_asset_but_the_alerts_has_a_blocking_check() -> None:
    checked = {spec.asset_key.path[-1]: spec.blocking for checks in zero_item_checks for spec in checks.check_specs}
    assert checked == {name: True for name in CHAIN if name != "cluster_alerts"}


@pytest.mark.parametrize(("mapping", "days"), [(window_mapping, 7), (lineage_mapping, 8)], ids=["window", "lineage"])
def test_the_declared_days_are_the_computed_ones(mapping: dg.MultiPartitionMapping, days: int) -> None:
    """A window is seven days; clusters are compared with those of up to seven days before."""
    day = TeamDay("42", date(2026, 1, 8))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("team", ["42", "43"])
        upstream = mapping.get_upstream_mapped_partitions_result_for_partitions(
            team_days_partitions.empty_subset().with_partition_keys([partition_key(day)]),
            team_days_partitions,
            team_days_partitions,
            dynamic_partitions_store=instance,
        )
    found = sorted(team_day_of(key) for key in upstream.partitions_subset.get_partition_keys())
    assert found == day.window(days)


def test_a_run_over_several_days_matches_each_with_the_one_before(
    instance: dg.DagsterInstance, lake: Lake, ingest: Callable[..., Any]
) -> None:
    """One run over a range: every asset for all days, upstream first, with its look back."""
    for day in (date(2025, 6, 2), date(2025, 6, 3)):
        ingest(demo_events("assistant", 25, day.isoformat()))
        summarize(lake, TeamDay("acme", day))
        embed(lake, TeamDay("acme", day))
    instance.add_dynamic_partitions("team", ["acme"])
    job = defs.resolve_job_def("cluster_traces")
    ends = {"start": "2025-06-02|acme", "end": "2025-06-03|acme"}
    tags = {f"dagster/asset_partition_range_{end}": key for end, key in ends.items()}
    assert job.execute_in_process(instance=instance, tags=tags).success
    edges = lake.read("cluster_lineage", TeamDay("acme", date(2025, 6, 3))).to_pylist()
    assert {edge["earlier_date"] for edge in edges if edge["level"] == "trace"} == {date(2025, 6, 2)}
    events = instance.fetch_materializations(dg.AssetKey("cluster_lineage"), limit=5).records
    shown = {event.partition_key: event.asset_materialization.metadata for event in events}  # type: ignore[union-attr]
    assert set(shown) == {"2025-06-02|acme", "2025-06-03|acme"}
    for key, metadata in shown.items():
        assert key is not None
        rows = lake.read("cluster_lineage", team_day_of(key)).to_pylist()
        for change in ("kept", "split", "merged", "born", "died"):
            assert metadata[change].value == sum(row["change"] == change for row in rows)
    for event in instance.fetch_materializations(dg.AssetKey("cluster_report"), limit=5).records:
        metadata = event.asset_materialization.metadata  # type: ignore[union-attr]
        night, team = str(event.partition_key).split("|")
        assert metadata["page"].value == f"http://127.0.0.1:3001/{team}/{night}"
        assert Path(str(metadata["page_file"].value)).name == "report.html"
        assert Path(str(metadata["page_file"].value)).exists()


@pytest.mark.slow  # `make test` has it as a step of its own
def test_dagster_validate_finds_the_workspace() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LLMA_", "DAGSTER_"))}
    for name in ("workspace.yaml", "dagster.yaml", "pyproject.toml", "README.md", "Makefile"):
        assert (ROOT / name).exists(), name
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(ROOT / "workspace.yaml")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
