"""B7: numbers and booleans of unknown senders."""

import pytest

from llma_assets.ingest.fields import Fields


@pytest.mark.parametrize(
    ("value", "kept", "nulled"),
    [
        (1.5, 1.5, 0),
        (0, 0.0, 0),
        ("1.5", 1.5, 0),
        (" 2e-3 ", 0.002, 0),
        (None, None, 0),
        (-0.1, None, 1),
        (float("nan"), None, 1),
        (float("inf"), None, 1),
        (1e300, None, 1),
        ("NaN", None, 1),
        ("1_000", None, 1),
        ("", None, 1),
        ("1e999", None, 1),
        (True, None, 1),
        ([1], None, 1),
        ({}, None, 1),
    ],
)
def test_numbers(value: object, kept: float | None, nulled: int) -> None:
    fields = Fields({"$ai_total_cost_usd": value})
    assert (fields.cost_usd(), fields.nulled) == (kept, nulled)


@pytest.mark.parametrize(("value", "kept"), [(7, 7), (7.0, 7), ("7", 7), (7.5, None), (-1, None), (2**63, None)])
def test_tokens_are_whole(value: object, kept: int | None) -> None:
    fields = Fields({"$ai_output_tokens": value})
    assert fields.tokens("$ai_output_tokens") == kept
    assert fields.nulled == (kept is None)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("True", True),
        ("false", False),
        (1, True),
        (0, False),
        ("1", True),
        (None, None),
        ("maybe", None),
        ([], None),
        (2, None),
    ],
)
def test_booleans(value: object, kept: bool | None) -> None:
    assert Fields({"$ai_is_error": value}).boolean("$ai_is_error") is kept


@pytest.mark.parametrize(
    ("cached", "exclusive", "provider", "total"),
    [
        (40, True, None, 140),
        (40, "true", None, 140),
        (40, False, "anthropic", 100),
        (40, None, "anthropic", 140),
        (40, None, "openai", 100),
        (40, None, None, 100),
        # More cached than input tokens cannot lie inside.
        (400, None, "openai", 500),
        (None, True, None, 100),
        (-5, True, None, 100),
    ],
)
def test_cached_tokens_are_counted_once(cached: object, exclusive: object, provider: str | None, total: int) -> None:
    properties = {"$ai_input_tokens": 100, "$ai_cache_read_input_tokens": cached}
    fields = Fields(properties | {"$ai_cache_reporting_exclusive": exclusive})
    assert fields.input_tokens(provider) == total


def test_cost_is_the_total_or_else_the_sum_of_its_parts() -> None:
    parts = {"$ai_input_cost_usd": 0.25, "$ai_output_cost_usd": "0.5"}
    assert Fields(parts).cost_usd() == 0.75
    assert Fields(parts | {"$ai_total_cost_usd": 2.0}).cost_usd() == 2.0
    assert Fields({"$ai_output_cost_usd": 0.5}).cost_usd() == 0.5
    assert Fields({}).cost_usd() is None


@pytest.mark.parametrize(
    ("value", "kept", "nulled"),
    [
        ("gpt-4", "gpt-4", 0),
        (" ", None, 0),
        (12, "12", 0),
        ("x" * 1_000, "x" * 1_000, 0),
        ("x" * 1_001, None, 1),
        ({}, None, 1),
    ],
)
def test_texts(value: object, kept: str | None, nulled: int) -> None:
    fields = Fields({"$ai_model": value})
    assert (fields.text("$ai_model"), fields.nulled) == (kept, nulled)
