"""Prices: list prices for OpenAI's own service only, overrides for any server, long calls, batches, and no guess."""

import json
import subprocess
import sys
from datetime import date

import pytest

from llma_assets.errors import InputRejected
from llma_assets.llm.prices import BATCH_FACTOR, Price, Rates, cost_usd, find_price, prices_as_of
from llma_assets.settings import load_settings


def test_a_list_price_says_where_and_when_it_is_from() -> None:
    price = find_price("gpt-4.1-mini", True, {})
    assert price is not None
    assert (price.input_usd, price.cached_input_usd, price.output_usd) == (0.4, 0.1, 1.6)
    assert "genai-prices" in price.source
    assert "https://" in price.source
    assert price.as_of is not None
    as_of = prices_as_of()
    assert as_of is not None
    assert date(2026, 10, 1) <= price.as_of <= as_of


def test_embedding_models_have_prices_and_no_output() -> None:
    price = find_price("text-embedding-3-small", True, {})
    assert price is not None
    assert (price.input_usd, price.output_usd) == (0.02, 0.0)


@pytest.mark.parametrize("model", ["no-such-model", "", "whisper-1", "claude-sonnet-4-5", "my-gpt-4.1-mini"])
def test_what_is_not_on_openais_list_or_not_paid_by_text_has_no_price(model: str) -> None:
    assert find_price(model, True, {}) is None


def test_list_prices_hold_for_no_other_server_and_overrides_for_all() -> None:
    assert find_price("gpt-4.1-mini", False, {}) is None
    own = {"gpt-4.1-mini": {"input_usd": 3.0, "output_usd": 5.0}}
    for is_openai in (True, False):
        price = find_price("gpt-4.1-mini", is_openai, own)
        assert price == Price(3.0, 3.0, 5.0, "LLMA_PRICES")
    assert find_price("gpt-4.1", False, own) is None


def test_cost_of_a_call() -> None:
    price = Price(0.4, 0.1, 1.6)
    assert cost_usd(price, 1_000_000, 500_000, 100_000) == pytest.approx(0.2 + 0.05 + 0.16)
    assert cost_usd(price, 1_000_000, None, 0) == pytest.approx(0.4)
    assert cost_usd(price, 1_000_000, 0, 100_000, is_batch=True) == pytest.approx((0.4 + 0.16) * BATCH_FACTOR)
    assert cost_usd(price, 100, 500, 0) == pytest.approx(100 * 0.1 / 1e6), "no more is cached than was read"
    assert cost_usd(price, 0, 0, 0) == 0.0


def test_what_is_not_known_has_no_cost() -> None:
    assert cost_usd(None, 1, 0, 1) is None
    assert cost_usd(Price(1, 1, 1), None, 0, 1) is None
    assert cost_usd(Price(1, 1, 1), 1, 0, None) is None


def test_all_tokens_of_a_long_call_have_the_rate_of_its_tier() -> None:
    price = Price(1.0, 0.5, 2.0, tiers=(Rates(100, 2.0, 1.0, 3.0),))
    assert cost_usd(price, 100, 0, 10) == pytest.approx((100 + 20) / 1e6)
    assert cost_usd(price, 101, 0, 10) == pytest.approx((202 + 30) / 1e6)
    assert cost_usd(price, 101, 0, 10, is_batch=True) == pytest.approx((101 + 15) / 1e6)
    listed = find_price("gpt-5.4", True, {})
    assert listed is not None
    (tier,) = listed.tiers
    assert listed.rates(tier.above_input_tokens).input_usd == listed.input_usd
    assert listed.rates(tier.above_input_tokens + 1).input_usd == tier.input_usd > listed.input_usd


def test_costs_agree_with_the_library_that_the_list_is_from() -> None:
    """The same calls through `genai_prices.calc_price`, where there are no cache writes."""
    from genai_prices import Usage, calc_price

    for model in ("gpt-4.1-mini", "gpt-4o", "gpt-5-mini", "gpt-5.4", "o3", "text-embedding-3-large"):
        price = find_price(model, True, {})
        for read, cached, written in ((1_000, 0, 0), (5_000, 2_000, 700), (300_000, 1_024, 900)):
            if not model.startswith("text") or not cached + written:
                usage = Usage(input_tokens=read, cache_read_tokens=cached, output_tokens=written)
                expected = float(calc_price(usage, model, provider_id="openai").total_price)
                assert cost_usd(price, read, cached, written) == pytest.approx(expected), (model, read)


def test_the_batch_factor_is_what_the_list_says_of_batches() -> None:
    """Input and output; what is read from the cache has no batch price for some models."""
    seen = 0
    for model in ("gpt-4.1", "gpt-4.1-mini", "gpt-4o-mini", "gpt-5-mini", "gpt-5.4"):
        price = find_price(model, True, {})
        assert price is not None
        if price.batch_rates:
            direct, batch = cost_usd(price, 1_000, 0, 500), cost_usd(price, 1_000, 0, 500, is_batch=True)
            assert direct is not None
            assert batch == pytest.approx(direct * BATCH_FACTOR)
            seen += 1
    assert seen >= 3


def test_where_writing_the_cache_costs_more_all_input_counts_as_written() -> None:
    from genai_prices import Usage, calc_price

    price = find_price("gpt-6-luna", True, {})
    written = Usage(input_tokens=10_000, cache_write_tokens=10_000, output_tokens=100)
    expected = float(calc_price(written, "gpt-6-luna", provider_id="openai").total_price)
    assert cost_usd(price, 10_000, 0, 100) == pytest.approx(expected)


def test_overrides_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_PRICES", '{"My-Model": {"input_usd": 0.1, "cached_input_usd": 0.05, "output_usd": 0.4}}')
    assert find_price("My-Model", False, load_settings().prices) == Price(0.1, 0.05, 0.4, "LLMA_PRICES")
    monkeypatch.setenv("LLMA_PRICES", '{"m": {"input_usd": 0}}')
    assert find_price("m", False, load_settings().prices) == Price(0.0, 0.0, 0.0, "LLMA_PRICES")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('{"input_usd": -1}', ["INPUT_USD=-1", "greater than or equal to 0"]),
        ('{"input_usd": 2000000}', ["INPUT_USD=2000000", "less than or equal to 1000000"]),
        ('{"input_usd": NaN}', ["INPUT_USD=nan", "finite"]),
        ('{"input_usd": 1e999}', ["INPUT_USD=inf", "finite"]),
        ('{"input_usd": 1, "output_usd": -Infinity}', ["OUTPUT_USD=-inf", "finite"]),
        ('{"input_usd": 1, "outputs": 2}', ["outputs", "not one of input_usd, cached_input_usd, output_usd"]),
        ('{"output_usd": 1}', ["INPUT_USD", "required"]),
        ("7", ["M=7", "dictionary"]),
    ],
)
def test_a_wrong_price_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, entry: str, words: list[str]) -> None:
    monkeypatch.setenv("LLMA_PRICES", f'{{"m": {entry}}}')
    with pytest.raises(InputRejected) as caught:
        load_settings()
    for word in ["LLMA_PRICES", *words]:
        assert word in str(caught.value)


def test_the_list_is_loaded_when_a_price_is_asked_for_and_asks_nobody() -> None:
    code = """
import json, socket, sys
def refuse(*arguments): raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = refuse
from llma_assets.llm.prices import find_price
from llma_assets.settings import load_settings
before = "genai_prices" in sys.modules
price = find_price("gpt-4.1-mini", True, load_settings().prices)
print(json.dumps([before, price.input_usd]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, 0.4]
