"""Who summarizes, embeds and names: chosen by settings, each behind one interface.

The local providers need no key and no server. Each stage chooses its own, so local vectors with
names by a model work. Nothing is opened before an asset asks.
"""

from collections.abc import Sequence
from typing import Protocol

import dagster as dg

from llma_assets.embedding.embedder import Embedder
from llma_assets.labeling.label import ClusterEvidence, Label
from llma_assets.settings import Settings, load_settings
from llma_assets.summarization.outcome import Summarizer


class Labeler(Protocol):
    """Whoever names clusters. `model` and `prompt_version` go into the data; None for keywords."""

    model: str | None
    prompt_version: str | None

    def label(self, evidence: Sequence[ClusterEvidence]) -> list[Label]:
        """One label for each cluster, in the order given."""
        ...


class Providers(dg.ConfigurableResource):
    """The three providers of a run. Each field overrides the setting of the same name."""

    summarizer: str | None = None
    embedder: str | None = None
    labeler: str | None = None

    def settings(self) -> Settings:
        """The settings that this run's providers are opened with.

        Raises:
            InputRejected: a field has a value that its setting does not allow.
        """
        chosen = {name: value for name, value in self if value is not None}
        return load_settings(**chosen)

    def open_summarizer(self) -> Summarizer:
        """The configured summarizer."""
        settings = self.settings()
        if settings.summarizer == "openai":
            from llma_assets.llm.summarizer import OpenAISummarizer

            return OpenAISummarizer.from_settings(settings)
        from llma_assets.summarization.local import ExtractiveSummarizer

        return ExtractiveSummarizer(settings.summary_mode)

    def open_embedder(self) -> Embedder:
        """The configured embedder.

        Raises:
            MissingExtra: the local model's files are not there; the message says what to type.
        """
        settings = self.settings()
        if settings.embedder == "openai":
            from llma_assets.llm.embedder import OpenAIEmbedder

            return OpenAIEmbedder.from_settings(settings)
        if settings.embedder == "lsa":
            from llma_assets.embedding.lsa import LsaEmbedder

            return LsaEmbedder()
        from llma_assets.embedding.minilm import MiniLMEmbedder

        return MiniLMEmbedder(settings.model_dir)

    def open_labeler(self) -> Labeler:
        """The configured labeler."""
        settings = self.settings()
        if settings.labeler == "openai":
            from llma_assets.llm.labeler import OpenAILabeler

            return OpenAILabeler.from_settings(settings)
        from llma_assets.labeling.local import KeywordLabeler

        return KeywordLabeler()
