"""The code location loads anywhere, writes nothing, and says what a person in the UI wants to know."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from llma_assets.checks import zero_item_checks
from llma_assets.definitions import defs
from llma_assets.partitions import partition_key, team_day_of, team_days_partitions, window_mapping
from llma_assets.team_day import TeamDay

CHAIN = ["trace_summaries", "embeddings", "cluster_assignments", "cluster_labels", "cluster_events"]

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
    package_root = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-B", "-c", LOAD],
        env={"PYTHONPATH": package_root},
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
    for upstream, name in zip(["trace_events", *CHAIN], CHAIN, strict=False):
        assert graph.get(dg.AssetKey(name)).parent_keys == {dg.AssetKey(upstream)}


def test_every_asset_has_a_blocking_check() -> None:
    checked = {spec.asset_key.path[-1]: spec.blocking for checks in zero_item_checks for spec in checks.check_specs}
    assert checked == dict.fromkeys(CHAIN, True)


def test_the_declared_window_is_the_computed_one() -> None:
    day = TeamDay("42", date(2026, 1, 8))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("team", ["42", "43"])
        upstream = window_mapping.get_upstream_mapped_partitions_result_for_partitions(
            team_days_partitions.empty_subset().with_partition_keys([partition_key(day)]),
            team_days_partitions,
            team_days_partitions,
            dynamic_partitions_store=instance,
        )
    found = sorted(team_day_of(key) for key in upstream.partitions_subset.get_partition_keys())
    assert found == day.window(7)


def test_dagster_validate_finds_the_workspace() -> None:
    root = Path(__file__).parent.parent
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LLMA_", "DAGSTER_"))}
    for name in ("workspace.yaml", "dagster.yaml", "pyproject.toml", "README.md", "Makefile"):
        assert (root / name).exists(), name
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(root / "workspace.yaml")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
