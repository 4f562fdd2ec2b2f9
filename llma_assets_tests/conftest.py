"""Fixtures: a lake and a Dagster instance of its own for each test, and a way to put events into it."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from llma_assets.ingest import ingest_file
from llma_assets.lake import Lake
from llma_assets_tests.real_traces import NOW


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them; each has its own home."""
    prefixes = ("LLMA_", "DAGSTER_", "OPENAI_", "POSTHOG_", "OPT_OUT_")
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LLMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LLMA_EMBEDDER", "lsa")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "home"))


@pytest.fixture
def ingest(lake: Lake, tmp_path: Path) -> Callable[..., Any]:
    """Write events to a file and ingest it: `ingest(events, team)`."""
    count = iter(range(1_000_000))

    def _ingest(events: list[dict[str, Any]], team: str = "acme", at: datetime = NOW) -> Any:
        path = tmp_path / f"events{next(count)}.jsonl"
        path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        return ingest_file(lake, path, team, at)

    return _ingest


@pytest.fixture
def snapshot(lake: Lake) -> Callable[[], dict[str, bytes]]:
    """Every Parquet file of the lake's tables, by path, as bytes."""

    def _snapshot() -> dict[str, bytes]:
        root = Path(lake.root)
        paths = [p for p in root.rglob("*.parquet") if not p.relative_to(root).parts[0].startswith(".")]
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(paths)}

    return _snapshot


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Any]:
    """A Dagster instance of its own, in memory: on disk, where `llma run` has it, a run takes twice as long."""
    import dagster as dg

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as one:
        yield one


@pytest.fixture
def instance_on_disk(tmp_path: Path) -> Iterator[Any]:
    """A Dagster instance of its own, on disk as schedules need it."""
    import dagster as dg

    folder = tmp_path / "dagster"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(folder)) as one:
        yield one
