"""A small lake of real traces, made by the API once, for tests that only read it."""

import json
import shutil
from pathlib import Path

import pytest

import llma_assets as llma
from llma_assets_tests.real_traces import demo_events

DAYS = ("2026-03-08", "2026-03-09")


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake `.llma` that holds events of the airline's last two days, and nothing made of them."""
    folder = tmp_path_factory.mktemp("api")
    for day in DAYS:
        events = demo_events("airline", 30, day)
        (folder / f"{day}.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMA_EMBEDDER", "lsa")
        llma.open_lake(folder / ".llma", create=True).ingest(folder, team="airline")
    return folder


@pytest.fixture(scope="session")
def folder(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the clusters of the last day."""
    copy = tmp_path_factory.mktemp("run")
    shutil.copytree(ingested / ".llma", copy / ".llma")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMA_EMBEDDER", "lsa")
        llma.open_lake(copy / ".llma").run("airline", DAYS[-1])
    return copy


@pytest.fixture
def opened(folder: Path) -> llma.OpenLake:
    """The lake with clusters, opened."""
    return llma.open_lake(folder / ".llma")
