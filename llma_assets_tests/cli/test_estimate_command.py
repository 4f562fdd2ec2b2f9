"""`llma estimate`: wrong input is one clear error, an unknown price is no error, local providers cost nothing."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from llma_assets_tests.cli.in_process import llma
from llma_assets_tests.real_traces import demo_events

DAYS = ("--team", "acme", "--from", "2026-03-09", "--to", "2026-03-09")


def estimate(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return llma("estimate", *arguments, **environment)


@pytest.fixture
def filled(ingest: Callable[..., Any]) -> None:
    ingest(demo_events("airline", 6, "2026-03-09"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--team", "nobody", "--from", "2026-03-09"], ["--team", "nobody", "no events", "acme"]),
        (["--team", "a b", "--from", "2026-03-09"], ["team", "a b", "A-Z a-z 0-9"]),
        (["--team", "acme", "--from", "soon"], ["--from", "soon", "2026-01-31"]),
        (["--team", "acme", "--from", "2019-01-01"], ["--from", "2019-01-01", "2025-01-01"]),
        (["--team", "acme", "--from", "2026-03-09", "--to", "2999-01-01"], ["--to", "2999-01-01", "today"]),
        (["--team", "acme", "--from", "2026-03-09", "--to", "2026-03-01"], ["--to", "before --from"]),
        ([*DAYS, "--provider", "azure"], ["--provider", "azure", "openai"]),
        ([*DAYS, "--model", "gpt-4.1"], ["--model", "gpt-4.1", "--provider openai"]),
        (["--from", "2026-03-09"], ["--team"]),
        (["--team", "acme"], ["--from"]),
    ],
)
def test_wrong_input_is_one_clear_error(filled: None, arguments: list[str], words: list[str]) -> None:
    done = estimate(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_it_tells_items_tokens_and_dollars_without_a_key(filled: None) -> None:
    done = estimate(*DAYS, "--provider", "openai")
    assert done.returncode == 0, done.stderr
    for word in (
        "summaries",
        "openai/gpt-4.1-mini",
        "openai/text-embedding-3-large",
        "texts were read",
        "genai-prices",
    ):
        assert word in done.stdout
    found = json.loads(estimate(*DAYS, "--provider", "openai", "--json").stdout)
    summaries, embeddings, labels = found["stages"]
    assert summaries["items"] == embeddings["items"] == found["texts"] == found["texts_read"] > 6
    assert 0 < found["total"]["batch_cost_usd"]["point"] < found["total"]["cost_usd"]["point"] < 1
    assert summaries["price"]["as_of"] >= "2026-01-01"
    assert labels["stage"] == "labels"
    assert summaries["input_tokens"]["low"] < summaries["input_tokens"]["point"] < summaries["input_tokens"]["high"]


def test_an_unknown_price_is_told_and_no_error(filled: None) -> None:
    asked = (*DAYS, "--provider", "openai", "--model", "my-model")
    done = estimate(*asked)
    assert done.returncode == 0, done.stderr
    assert "unknown; set LLMA_PRICES" in done.stdout
    found = json.loads(estimate(*asked, "--json").stdout)
    assert found["stages"][0]["input_tokens"]["point"] > 1_000
    assert found["stages"][0]["cost_usd"] is found["total"]["cost_usd"] is None
    priced = {"LLMA_PRICES": '{"my-model": {"input_usd": 1, "output_usd": 1}}'}
    found = json.loads(estimate(*asked, "--json", **priced).stdout)
    assert found["total"]["cost_usd"]["point"] > 0
    assert found["stages"][0]["price"]["source"] == "LLMA_PRICES"


def test_local_providers_cost_nothing_and_say_so(filled: None) -> None:
    done = estimate(*DAYS)
    assert done.returncode == 0, done.stderr
    assert "costs nothing" in done.stdout
    found = json.loads(estimate(*DAYS, "--json").stdout)
    assert found["stages"][0]["items"] > 6
    assert found["total"]["cost_usd"] == {"low": 0, "point": 0, "high": 0}
