"""The stage embeddings, where no budget is left for its vectors."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from llma_assets.lake import Lake
from llma_assets.llm.budget import Budget
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.providers import embedder_of
from llma_assets.queries.views import open_views, query
from llma_assets.settings import load_settings
from llma_assets.stages.embeddings import EmbedDay
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.llm_items import access_of
from llma_assets_tests.llm.server import EMBEDDING_MODEL
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import LOG, summarize

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

DAY = TeamDay("acme", date(2025, 6, 2))


def test_a_day_whose_vectors_no_budget_was_left_for_says_so(
    endpoint: Endpoint, ingest: Callable[..., Any], lake: Lake, tmp_path: Path
) -> None:
    ingest(demo_events("assistant", 10, "2025-06-02"))
    summarize(lake, DAY)
    budget = Budget(tmp_path, DAY, 0.0, None, lambda: NOW)
    access, _ = access_of(endpoint, {}, budget=budget, price_overrides={EMBEDDING_MODEL: {"input_usd": 1.0}})
    settings = load_settings()
    EmbedDay(lake, OpenAIEmbedder(EMBEDDING_MODEL, access), embedder_of(settings).recipe, LOG).run(DAY)
    with open_views(lake, settings) as connection:
        (row,) = query(connection, "SELECT is_partial, reason FROM team_day_status").to_pylist()
    assert row == {"is_partial": True, "reason": "budget_exhausted (20 of 20 vectors)"}
