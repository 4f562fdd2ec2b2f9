"""The providers on this machine: no key, no server."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from llma_assets.embedding.embedder import Embedder
from llma_assets.labeling.label import Labeler
from llma_assets.providers.provider import (
    EmbedderProvider,
    Kind,
    LabelerProvider,
    Opened,
    SummarizerProvider,
    Work,
    asking_server,
)
from llma_assets.summarization.outcome import Summarizer

if TYPE_CHECKING:
    from llma_assets.llm.access import Access
    from llma_assets.redaction.redactor import Redactor

__all__ = ["Extractive", "Keywords", "Lsa", "MiniLM"]


class Extractive(SummarizerProvider, name="extractive"):
    """Summaries in the items' own words."""

    def service(self, access: "Access | None" = None) -> Summarizer:
        from llma_assets.summarization.local import ExtractiveSummarizer

        return ExtractiveSummarizer(self.settings.summary_mode, self.redactor() is not None)

    @contextmanager
    def open(self, work: Work) -> Iterator[Opened[Summarizer]]:
        from llma_assets.llm.batch.state import abandon

        yield Opened(self.service(), self.redactor())
        abandon(work.lake, work.task.team_day)

    def redactor(self) -> "Redactor | None":
        """Needed where vectors or names are made elsewhere.

        In the finished summary a secret may stand cut in two, and not be known for one.
        """
        from llma_assets.llm.work import endpoint_of, redactor_for

        if not asking_server(self.settings).keys() & {Kind.EMBEDDER, Kind.LABELER}:
            return None
        return redactor_for(self.settings, endpoint_of(self.settings))


class MiniLM(EmbedderProvider, name="minilm"):
    """Vectors of all-MiniLM-L6-v2."""

    def service(self, access: "Access | None" = None) -> Embedder:
        return _minilm(self.settings.model_dir)

    @property
    def model_parameters(self) -> str:
        return str(self.settings.model_dir or "")

    def description(self) -> str:
        from llma_assets.embedding.minilm import find_model

        return f"all-MiniLM-L6-v2 in {find_model(self.settings.model_dir)}"


class Lsa(EmbedderProvider, name="lsa"):
    """Vectors by latent semantic analysis, for smoke tests."""

    def service(self, access: "Access | None" = None) -> Embedder:
        from llma_assets.embedding.lsa import LsaEmbedder

        return LsaEmbedder()

    def description(self) -> str:
        return "lsa: for smoke tests only, its clusters say little; unset LLMA_EMBEDDER for the real model"


class Keywords(LabelerProvider, name="keywords"):
    """Names by the phrases that set clusters apart."""

    def service(self, access: "Access | None" = None) -> Labeler:
        from llma_assets.labeling.local import KeywordLabeler

        return KeywordLabeler()


@lru_cache(maxsize=1)
def _minilm(model_dir: Path | None) -> Embedder:
    """Opened once a process: a run over many days needs it for each."""
    from llma_assets.embedding.minilm import MiniLMEmbedder

    return MiniLMEmbedder(model_dir)
