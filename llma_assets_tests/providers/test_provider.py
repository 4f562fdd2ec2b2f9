"""A provider is one class under one name; whoever wants one asks the settings."""

from typing import get_args

import pytest

from llma_assets.embedding.embedder import Embedder
from llma_assets.embedding.lsa import LsaEmbedder
from llma_assets.providers import asking_server, embedder_of, names
from llma_assets.providers.provider import _PROVIDERS, EmbedderProvider, Kind
from llma_assets.settings import Settings, load_settings


@pytest.mark.parametrize("kind", Kind)
def test_each_setting_offers_the_providers_that_there_are(kind: Kind) -> None:
    assert sorted(get_args(Settings.model_fields[kind].annotation)) == names(kind)


def test_a_class_with_a_name_is_a_provider() -> None:
    class Mine(EmbedderProvider, name="mine"):
        model_parameters = "v2"

        def service(self, access: object = None) -> Embedder:
            return LsaEmbedder()

        def description(self) -> str:
            return "mine"

    try:
        chosen = embedder_of(load_settings().model_copy(update={"embedder": "mine"}))
        assert isinstance(chosen, Mine)
        assert chosen.model == LsaEmbedder().model
        assert chosen.recipe.startswith("mine:v2:text")
        assert chosen.server_model is None
    finally:
        del _PROVIDERS[Kind.EMBEDDER]["mine"]


def test_who_asks_a_server_says_for_which_model() -> None:
    assert asking_server(load_settings()) == {}
    settings = load_settings(labeler="openai", openai_label_model="my-model")
    assert asking_server(settings) == {Kind.LABELER: "my-model"}
    with pytest.raises(AssertionError, match="needs access"):
        embedder_of(load_settings(embedder="openai")).service()
