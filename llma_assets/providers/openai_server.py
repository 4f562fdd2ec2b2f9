"""The providers that ask OpenAI, or any server that speaks its protocol."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llma_assets.embedding.embedder import Embedder
from llma_assets.labeling.label import Labeler
from llma_assets.providers.provider import EmbedderProvider, LabelerProvider, Opened, SummarizerProvider, Work
from llma_assets.summarization.outcome import Summarizer

if TYPE_CHECKING:
    from llma_assets.llm.access import Access
    from llma_assets.redaction.redactor import Redactor

__all__ = ["OpenAINames", "OpenAISummaries", "OpenAIVectors"]


class OpenAISummaries(SummarizerProvider, name="openai"):
    """Summaries by a chat model, by direct calls or through the Batch API."""

    @property
    def server_model(self) -> str:
        return self.settings.openai_summary_model

    def service(self, access: "Access | None" = None) -> Summarizer:
        from llma_assets.llm.summarizer import OpenAISummarizer

        return OpenAISummarizer.from_settings(self.settings, _given(access))

    def redactor(self) -> "Redactor | None":
        from llma_assets.llm.work import endpoint_of, redactor_for

        return redactor_for(self.settings, endpoint_of(self.settings))

    @contextmanager
    def open(self, work: Work) -> Iterator[Opened[Summarizer]]:
        from llma_assets.llm.batch.state import waits_for_batch
        from llma_assets.llm.batch.summarizer import OpenAIBatchSummarizer
        from llma_assets.llm.work import opened

        with opened(self.settings, work.task, work.lake, work.now, work.dialects) as (access, figures):
            # A batch that is open is collected, whatever is set since: its items are paid for.
            if self.settings.openai_delivery == "batch" or waits_for_batch(work.lake, work.task.team_day):
                service: Summarizer = OpenAIBatchSummarizer.from_settings(self.settings, access, work.lake)
            else:
                service = self.service(access)
            yield Opened(service, self.redactor(), figures, access.recorder.totals)


class OpenAIVectors(EmbedderProvider, name="openai"):
    """Vectors by an embedding model."""

    @property
    def server_model(self) -> str:
        return self.settings.openai_embedding_model

    @property
    def model(self) -> str:
        from llma_assets.llm.embedder import model_id

        return model_id(self.settings.openai_embedding_model, self.settings.openai_embedding_dimensions)

    @property
    def model_parameters(self) -> str:
        dimensions = self.settings.openai_embedding_dimensions
        return self.server_model + (f"/{dimensions}" if dimensions else "")

    def service(self, access: "Access | None" = None) -> Embedder:
        from llma_assets.llm.embedder import OpenAIEmbedder

        return OpenAIEmbedder.from_settings(self.settings, _given(access))

    @contextmanager
    def open(self, work: Work) -> Iterator[Opened[Embedder]]:
        from llma_assets.llm.work import opened

        with opened(self.settings, work.task, work.lake, work.now, work.dialects) as (access, figures):
            yield Opened(self.service(access), None, figures, access.recorder.totals)

    def description(self) -> str:
        return f"openai: {self.server_model}"


class OpenAINames(LabelerProvider, name="openai"):
    """Names by a chat model."""

    @property
    def server_model(self) -> str:
        return self.settings.openai_label_model

    def service(self, access: "Access | None" = None) -> Labeler:
        from llma_assets.llm.labeler import OpenAILabeler

        return OpenAILabeler.from_settings(self.settings, _given(access))

    @contextmanager
    def open(self, work: Work) -> Iterator[Opened[Labeler]]:
        from llma_assets.llm.work import opened

        with opened(self.settings, work.task, work.lake, work.now, work.dialects) as (access, figures):
            yield Opened(self.service(access), None, figures, access.recorder.totals)


def _given(access: "Access | None") -> "Access":
    assert access is not None, "a provider that asks a server needs access to it"
    return access
