"""Tokens by pieces: the numbers are those of the benchmark, and they hold for real calls that the demo ships."""

import json
from collections import defaultdict

import pytest

from llma_assets.llm.tokens import (
    OPENAI_TOKENS_PER_PIECE,
    OTHER_TOKENS_PER_PIECE,
    Range,
    pieces_of,
    tokens_per_piece,
)
from llma_assets_tests import ROOT
from llma_assets_tests.real_traces import demo_events

RESULT = ROOT / "benchmarks" / "results" / "tokens.json"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", 0),
        ("The cat sat.", 4),
        ("L12: ok", 4),
        ("1234567", 3),
        ("a\n\n  b", 3),
        ('{"id": 7}', 5),
        ("internationalization", 2),
        ("HTTPServer", 2),
        ("日本語", 3),
        ("\ud800", 1),
    ],
)
def test_pieces(text: str, pieces: int) -> None:
    assert pieces_of(text) == pieces


def test_the_numbers_are_those_of_the_benchmark() -> None:
    found = json.loads(RESULT.read_text())
    for written, names, constant in (
        (found["openai"], ("p5", "median", "p95"), OPENAI_TOKENS_PER_PIECE),
        (found["others"], ("least_median", "median_of_medians", "most_p95"), OTHER_TOKENS_PER_PIECE),
    ):
        measured = [round(written[name], 2) for name in names]
        assert measured == [constant.low, constant.point, constant.high]


def test_real_calls_of_the_demo_lie_in_the_range() -> None:
    """Within a trace, tokens that OpenAI reported rise with the pieces of the messages as the constant says."""
    talks: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in demo_events("airline", 300):
        said = event["properties"]
        if event["event"] == "$ai_generation" and said.get("$ai_model") == "gpt-5.4":
            text = "\n".join(_said(message) for message in said["$ai_input"])
            talks[said["$ai_trace_id"]].append((pieces_of(text), said["$ai_input_tokens"]))
    ratios = []
    for calls in talks.values():
        (few, least), (many, most) = min(calls), max(calls)
        if many - few >= 500:
            ratios.append((most - least) / (many - few))
    ratios.sort()
    assert len(ratios) >= 30
    assert OPENAI_TOKENS_PER_PIECE.low <= ratios[len(ratios) // 2] <= OPENAI_TOKENS_PER_PIECE.high


def _said(message: dict) -> str:
    content = message.get("content") or ""
    calls = [call["function"] for call in message.get("tool_calls") or []]
    told = [call["name"] + "\n" + call["arguments"] for call in calls]
    return "\n".join([content if isinstance(content, str) else json.dumps(content), *told])


def test_families_are_told_by_name() -> None:
    for name in ("gpt-4.1-mini", "ft:gpt-4o:acme", "o3", "text-embedding-3-large"):
        assert tokens_per_piece(name) == OPENAI_TOKENS_PER_PIECE
    for name in ("llama-3", "claude-opus-4-6", "olmo-2", "my-gpt-4"):
        assert tokens_per_piece(name) == OTHER_TOKENS_PER_PIECE


def test_ranges_add_and_scale() -> None:
    assert Range(1, 2, 3) + Range(1, 1, 1) == Range(2, 3, 4)
    assert Range(1, 2, 3) * 2 == Range(2, 4, 6)
    assert Range(1, 2, 3) * Range(0.5, 1, 2) == Range(0.5, 2, 6)
