"""Settings: a wrong value is refused by name, value and range; lists and overrides are read."""

import pytest

from llma_assets.errors import InputRejected
from llma_assets.settings import load_settings


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("LLMA_MAX_SAMPLES", "19", "allowed: at least 20, at most 10000"),
        ("LLMA_MAX_SAMPLES", "10001", "less than or equal to 10000"),
        ("LLMA_WINDOW_DAYS", "0", "greater than or equal to 1"),
        ("LLMA_TEAMS_SAMPLE_PERCENT", "nan", "less than or equal to 100"),
        ("LLMA_EMBEDDER", "word2vec", "minilm"),
        ("LLMA_TEAMS_SKIP", "ok,not ok", "A-Z a-z 0-9"),
        ("LLMA_DUCKDB_MEMORY_LIMIT", "2GB'; DROP", "pattern"),
    ],
)
def test_a_wrong_value_names_field_value_and_range(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputRejected) as caught:
        load_settings()
    assert name in str(caught.value)
    assert value in str(caught.value)
    assert allowed in str(caught.value)


def test_team_lists_and_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_TEAMS_GUARANTEED", "7, acme")
    monkeypatch.setenv("LLMA_MIN_ITEMS_BY_TEAM", '{"acme": 5}')
    settings = load_settings()
    assert settings.teams_guaranteed == {"7", "acme"}
    assert (settings.min_items_of("acme"), settings.min_items_of("7")) == (5, 20)
