"""The estimate counts what the stage then summarizes, on real traces; it writes nothing and guesses no price."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from llma_assets.estimation import backfill_items
from llma_assets.estimation.estimate import Estimate, EstimateBackfill, StageEstimate, _all
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.prompts import load_prompt
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.llm.task import LlmTask
from llma_assets.llm.tokens import OPENAI_TOKENS_PER_PIECE, Range, pieces_of
from llma_assets.resources.providers import Providers
from llma_assets.settings import load_settings
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.summarization.outcome import ItemText, Keep, SummaryOutcome, forget
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import LOG, source, summarize

FIRST, SECOND, DAY = date(2026, 3, 3), date(2026, 3, 8), date(2026, 3, 9)
OPENAI: dict[str, Any] = {"summarizer": "openai", "embedder": "openai", "labeler": "openai"}


class PricedSummarizer(ExtractiveSummarizer):
    """Gives its summaries out as those of the default paid model, with the tokens that it would report."""

    model = OpenAISummarizer("gpt-4.1-mini", Access()).model
    prompt_version = OpenAISummarizer.prompt_version

    def summarize(self, items: Iterable[ItemText], keep: Keep = forget) -> Iterator[SummaryOutcome]:
        for outcome in super().summarize(items, keep):
            chars = outcome.text_repr_length or 0
            yield dataclasses.replace(outcome, input_tokens=1_000 + chars // 3, output_tokens=500)


def estimate(lake: Lake, first: date = DAY, last: date = DAY, now: Any = NOW, **settings: Any) -> Estimate:
    return EstimateBackfill(lake, source(lake), load_settings(**settings), now, LOG).run("acme", first, last)


def stages(found: Estimate) -> dict[str, StageEstimate]:
    return {stage.stage: stage for stage in found.stages}


@pytest.fixture
def filled(lake: Lake, ingest: Callable[..., Any]) -> Lake:
    """Three days of real traces."""
    for day in (FIRST, SECOND, DAY):
        ingest(demo_events("airline", 12, day.isoformat()))
    return lake


@pytest.mark.parametrize("per_hour", ["100", "2"])
@pytest.mark.parametrize("is_early", [False, True])
def test_items_are_those_that_the_stage_summarizes(
    filled: Lake, monkeypatch: pytest.MonkeyPatch, per_hour: str, is_early: bool
) -> None:
    monkeypatch.setenv("LLMA_MAX_TRACES_PER_HOUR", per_hour)
    monkeypatch.setenv("LLMA_MAX_GENERATIONS_PER_HOUR", per_hour)
    day = TeamDay("acme", DAY)
    now = day.start + timedelta(hours=14) if is_early else NOW
    found = stages(estimate(filled, now=now))["summaries"]
    summarize(filled, day, now=now)
    rows = filled.read("trace_summaries", day).to_pylist()
    asked = [row for row in rows if row["reason"] not in ("not_sampled", "not_finished")]
    assert 0 < found.items == len(asked)
    assert len(asked) < len(rows)
    assert found.kept == 0


def test_what_is_kept_is_not_counted_again(filled: Lake) -> None:
    days = [TeamDay("acme", day) for day in (FIRST, SECOND, DAY)]
    before = stages(estimate(filled, FIRST, DAY))["summaries"]
    for day in days[:2]:
        summarize(filled, day)
    made = sum(filled.read("trace_summaries", day)["model"].drop_null().length() for day in days[:2])
    half = stages(estimate(filled, FIRST, DAY))["summaries"]
    assert (half.items, half.kept) == (before.items - made, made)
    for day in days[2:]:
        summarize(filled, day)
    assert stages(estimate(filled, FIRST, DAY))["summaries"].items == 0
    other_mode = stages(estimate(filled, FIRST, DAY, summary_mode="minimal"))["summaries"]
    assert (other_mode.items, other_mode.kept) == (before.items, 0)
    by_model = stages(estimate(filled, FIRST, DAY, **OPENAI))["summaries"]
    assert (by_model.items, by_model.kept) == (before.items, 0)


def test_local_providers_cost_nothing_and_no_text_is_read(filled: Lake) -> None:
    found = estimate(filled)
    assert found.cost_usd() == found.cost_usd(is_batch=True) == Range()
    assert found.texts_read == 0
    assert not any(stage.is_paid for stage in found.stages)
    assert [stage.model for stage in found.stages] == ["extractive", "lsa", "keywords"]


def test_dollars_are_tokens_times_prices_and_half_of_it_by_batch(filled: Lake) -> None:
    found = estimate(filled, **OPENAI)
    summaries = stages(found)["summaries"]
    assert found.texts_read == found.texts == summaries.items
    price, cost, batch = summaries.price, summaries.cost_usd, summaries.batch_cost_usd
    assert price is not None
    assert cost is not None
    assert batch is not None
    for end in ("low", "point", "high"):
        read, written = getattr(summaries.input_tokens, end), getattr(summaries.output_tokens, end)
        expected = (read * price.input_usd + written * price.output_usd) / 1e6
        assert getattr(cost, end) == pytest.approx(expected, rel=1e-3)
        assert getattr(batch, end) == pytest.approx(expected / 2, rel=1e-3)
    direct, by_batch = found.cost_usd(), found.cost_usd(is_batch=True)
    assert direct is not None
    assert by_batch is not None
    assert direct.point - by_batch.point == pytest.approx(cost.point - batch.point)
    assert direct.low < direct.point < direct.high


def test_the_prompt_is_counted_for_each_item(filled: Lake) -> None:
    summaries = stages(estimate(filled, **OPENAI))["summaries"]
    prompt = load_prompt(OpenAISummarizer.prompt_version)
    least = pieces_of(prompt["system"]) * OPENAI_TOKENS_PER_PIECE.low
    assert summaries.input_tokens.low > least * summaries.items


def test_a_sample_tells_the_size_of_all(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = estimate(filled, FIRST, DAY, **OPENAI)
    monkeypatch.setattr(backfill_items, "MAX_TEXTS", 20)
    part = estimate(filled, FIRST, DAY, **OPENAI)
    assert (part.texts_read, part.texts) == (20, whole.texts)
    assert whole.texts_read == whole.texts > 40
    all_read, some_read = stages(whole)["summaries"].input_tokens, stages(part)["summaries"].input_tokens
    assert some_read.low < all_read.point < some_read.high
    assert some_read.high - some_read.low > all_read.high - all_read.low
    assert estimate(filled, FIRST, DAY, **OPENAI) == part, "the same texts are read each time"


def test_an_unknown_price_gives_tokens_and_no_dollars_until_it_is_set(
    filled: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = OPENAI | {"openai_summary_model": "my-model", "openai_label_model": "my-model"}
    found = estimate(filled, **chosen)
    summaries = stages(found)["summaries"]
    assert summaries.input_tokens.point > 1_000
    assert summaries.cost_usd is summaries.batch_cost_usd is summaries.price is None
    assert stages(found)["embeddings"].cost_usd is not None
    assert found.cost_usd() is found.cost_usd(is_batch=True) is None
    monkeypatch.setenv("LLMA_PRICES", json.dumps({"my-model": {"input_usd": 1.0}}))
    cost = stages(estimate(filled, **chosen))["summaries"].cost_usd
    assert cost is not None
    assert cost.point == pytest.approx(summaries.input_tokens.point / 1e6, rel=1e-3)
    monkeypatch.setenv("LLMA_PRICES", '{"my-model": {"input_usd": 0}}')
    assert stages(estimate(filled, **chosen))["summaries"].cost_usd == Range()


def test_list_prices_hold_for_openai_only(filled: Lake) -> None:
    found = estimate(filled, openai_base_url="http://localhost:8000/v1", **OPENAI)
    assert all(stage.price is None for stage in found.stages)


def test_what_the_model_took_before_is_used_once_there_is_enough_of_it(filled: Lake) -> None:
    assert "assumed" in stages(estimate(filled, **OPENAI))["summaries"].basis
    for day in (FIRST, SECOND):
        summarize(filled, TeamDay("acme", day), PricedSummarizer())
    summaries = stages(estimate(filled, **OPENAI))["summaries"]
    assert "lake" in summaries.basis
    assert summaries.output_tokens == Range.exactly(500 * summaries.items)
    summarize(filled, TeamDay("acme", DAY), PricedSummarizer())
    really = sum(filled.read("trace_summaries", TeamDay("acme", DAY))["input_tokens"].drop_null().to_pylist())
    assert summaries.input_tokens.low <= really <= summaries.input_tokens.high
    assert summaries.input_tokens.point == pytest.approx(really, rel=0.05)


def test_summaries_that_are_there_without_a_vector_are_to_be_embedded(filled: Lake) -> None:
    summarize(filled, TeamDay("acme", DAY), PricedSummarizer())
    found = stages(estimate(filled, **OPENAI))
    assert found["summaries"].items == 0
    assert found["summaries"].cost_usd == Range()
    embeddings = found["embeddings"]
    assert 0 < embeddings.items <= found["summaries"].kept
    assert embeddings.input_tokens.point > 20 * embeddings.items


def test_extractive_summaries_with_paid_vectors_are_measured_not_assumed(filled: Lake) -> None:
    found = stages(estimate(filled, embedder="openai"))
    assert found["summaries"].cost_usd == Range()
    tokens = found["embeddings"].input_tokens
    assert tokens.low / tokens.high == pytest.approx(OPENAI_TOKENS_PER_PIECE.low / OPENAI_TOKENS_PER_PIECE.high)


def test_clusters_are_named_on_days_whose_window_holds_enough(filled: Lake) -> None:
    few = stages(estimate(filled, FIRST, DAY, min_items=10_000, **OPENAI))["labels"]
    assert (few.items, few.cost_usd) == (0, Range())
    many = stages(estimate(filled, FIRST, DAY, min_items=2, **OPENAI))["labels"]
    assert many.items == 14, "both levels of each of seven days: the windows of days without items hold some"
    alone = stages(estimate(filled, DAY, DAY, min_items=2, **OPENAI))["labels"]
    for day in (FIRST, SECOND):
        summarize(filled, TeamDay("acme", day))
    with_window = stages(estimate(filled, DAY, DAY, min_items=2, **OPENAI))["labels"]
    assert alone.items == with_window.items == 2
    assert with_window.input_tokens.point > alone.input_tokens.point, "the days before are in the window"


def test_a_day_without_items_takes_nothing(filled: Lake) -> None:
    found = estimate(filled, date(2026, 6, 1), date(2026, 6, 3), **OPENAI)
    assert found.cost_usd() == Range()
    assert found.texts == found.texts_read == 0


def test_it_writes_nothing(filled: Lake) -> None:
    summarize(filled, TeamDay("acme", FIRST))

    def files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in Path(filled.root).rglob("*") if path.is_file()}

    before = files()
    estimate(filled, FIRST, DAY, **OPENAI)
    assert files() == before


def test_extrapolation_of_equal_values_is_exact_and_of_unknown_ones_none() -> None:
    assert _all({"trace": [Range(1, 2, 3)] * 4}, {"trace": 8, "generation": 0}, lambda one: one) == Range(8, 16, 24)
    assert _all({"trace": [1, 2]}, {"trace": 2}, lambda one: None if one == 2 else Range()) is None
    assert _all({}, {"trace": 0}, lambda one: one) == Range()
    spread = _all({"trace": [Range.exactly(n) for n in (0, 10)]}, {"trace": 100}, lambda one: one)
    assert spread is not None
    assert spread.low == 0 < spread.point == 500 < spread.high


def test_an_estimate_takes_redacted_local_summaries_as_made(
    ingest: Callable[..., Any], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(demo_events("assistant", 10, "2025-06-02"))
    monkeypatch.setenv("LLMA_EMBEDDER", "openai")
    day = TeamDay("acme", date(2025, 6, 2))
    task = LlmTask("trace_summaries", day)
    with Providers().open_summarizer(task, lake, lambda: NOW) as chosen:
        summarize(lake, day, chosen.provider)
    found = EstimateBackfill(lake, source(lake), load_settings(), NOW, LOG).run("acme", day.day, day.day)
    assert (found.stages[0].stage, found.stages[0].items, found.stages[0].kept) == ("summaries", 0, 20)
