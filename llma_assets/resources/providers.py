"""Who summarizes, embeds and names: chosen by settings, each behind one interface.

The local providers need no key and no server. Each stage chooses its own, so local vectors with
names by a model work. Nothing is opened before an asset asks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import dagster as dg
from pydantic import PrivateAttr

from llma_assets.embedding.embedder import Embedder
from llma_assets.labeling.label import ClusterEvidence, Label
from llma_assets.lake import Lake
from llma_assets.llm.task import LlmTask
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import Settings, load_settings
from llma_assets.summarization.outcome import Summarizer

if TYPE_CHECKING:
    from llma_assets.redaction.redactor import Redactor

Provider = TypeVar("Provider", bound="Summarizer | Embedder | Labeler")


class Labeler(Protocol):
    """Whoever names clusters. `model` and `prompt_version` go into the data; None for keywords."""

    model: str | None
    prompt_version: str | None

    def label(
        self, evidence: Sequence[ClusterEvidence], subject: str = "", named: Mapping[int, Label] | None = None
    ) -> list[Label]:
        """One label for each cluster, in the order given; `subject` is the clustering run.

        A cluster in `named` keeps that title, no other gets it, and nothing is paid for it. An id of `named` that is
        none of these clusters only reserves its title.
        """
        ...


@dataclass(slots=True)
class Opened(Generic[Provider]):
    """A provider for one task.

    Attributes:
        redactor: takes secrets out of what the provider gets to see; None where the text stays on this machine.
    """

    provider: Provider
    redactor: "Redactor | None" = None
    figures: dict[str, Any] = field(default_factory=dict)
    totals: Callable[[], dict[str, Any]] = dict

    def done(self, report: StageReport) -> StageReport:
        """Note in the record of the task what came out of it, and in the report what the calls took."""
        self.figures |= report.figures | {"items": report.items}
        report.figures.update(self.totals())
        return report


class Providers(dg.ConfigurableResource):
    """The three providers of a run. Each field overrides the setting of the same name; None: as the setting says."""

    summarizer: str | None = None
    embedder: str | None = None
    labeler: str | None = None
    openai_base_url: str | None = None
    openai_organization: str | None = None
    openai_summary_model: str | None = None
    openai_label_model: str | None = None
    openai_embedding_model: str | None = None
    openai_embedding_dimensions: int | None = None
    openai_delivery: str | None = None
    openai_concurrency: int | None = None
    openai_timeout_s: float | None = None
    openai_max_attempts: int | None = None
    openai_deadline_s: float | None = None
    summary_mode: str | None = None
    budget_usd: float | None = None
    budget_usd_per_day: float | None = None
    prices: dict[str, dict[str, float]] | None = None
    redaction: str | None = None
    redaction_patterns: dict[str, str] | None = None

    # What was found out about servers is found out once a run.
    _dialects: dict[Any, Any] = PrivateAttr(default_factory=dict)

    def settings(self) -> Settings:
        """The settings that this run's providers are opened with.

        Raises:
            InputRejected: a field has a value that its setting does not allow.
        """
        chosen = {name: value for name, value in self if value is not None}
        return load_settings(**chosen)

    @contextmanager
    def open_summarizer(self, task: LlmTask, lake: Lake, now: Callable[[], datetime]) -> Iterator[Opened[Summarizer]]:
        """The configured summarizer, for one task."""
        from llma_assets.llm.batch.state import abandon, waits_for_batch

        settings = self.settings()
        if settings.summarizer != "openai":
            from llma_assets.llm.work import redactor_of_later_stages
            from llma_assets.summarization.local import ExtractiveSummarizer

            redactor = redactor_of_later_stages(settings)
            yield Opened(ExtractiveSummarizer(settings.summary_mode, redactor is not None), redactor)
            abandon(lake, task.team_day)
            return
        from llma_assets.llm.batch.summarizer import OpenAIBatchSummarizer
        from llma_assets.llm.summarizer import OpenAISummarizer
        from llma_assets.llm.work import opened, redactor_for

        with opened(settings, task, lake, now, self._dialects) as (access, figures):
            redactor = redactor_for(settings, access.endpoint)
            # A batch that is open is collected, whatever is set since: its items are paid for.
            if settings.openai_delivery == "batch" or waits_for_batch(lake, task.team_day):
                yield Opened(
                    OpenAIBatchSummarizer.from_settings(settings, access, lake),
                    redactor,
                    figures,
                    access.recorder.totals,
                )
            else:
                yield Opened(
                    OpenAISummarizer.from_settings(settings, access), redactor, figures, access.recorder.totals
                )

    @contextmanager
    def open_embedder(self, task: LlmTask, lake: Lake, now: Callable[[], datetime]) -> Iterator[Opened[Embedder]]:
        """The configured embedder, for one task.

        Raises:
            MissingExtra: the local model's files are not there; the message says what to type.
        """
        settings = self.settings()
        if settings.embedder != "openai":
            yield Opened(local_embedder(settings))
            return
        from llma_assets.llm.embedder import OpenAIEmbedder
        from llma_assets.llm.work import opened

        with opened(settings, task, lake, now, self._dialects) as (access, figures):
            yield Opened(OpenAIEmbedder.from_settings(settings, access), None, figures, access.recorder.totals)

    @contextmanager
    def open_labeler(self, task: LlmTask, lake: Lake, now: Callable[[], datetime]) -> Iterator[Opened[Labeler]]:
        """The configured labeler, for one task."""
        settings = self.settings()
        if settings.labeler != "openai":
            from llma_assets.labeling.local import KeywordLabeler

            yield Opened(KeywordLabeler())
            return
        from llma_assets.llm.labeler import OpenAILabeler
        from llma_assets.llm.work import opened

        with opened(settings, task, lake, now, self._dialects) as (access, figures):
            yield Opened(OpenAILabeler.from_settings(settings, access), None, figures, access.recorder.totals)


def embedder_model(settings: Settings) -> str:
    """The id that the settings' embedder stores beside its vectors; asks no server.

    Raises:
        MissingExtra: the local model's files are not there; the message says what to type.
    """
    if settings.embedder == "openai":
        from llma_assets.llm.embedder import model_id

        return model_id(settings.openai_embedding_model, settings.openai_embedding_dimensions)
    return local_embedder(settings).model


def local_embedder(settings: Settings) -> Embedder:
    """The embedder on this machine that the settings name.

    Raises:
        MissingExtra: its files are not there; the message says what to type.
    """
    if settings.embedder == "lsa":
        from llma_assets.embedding.lsa import LsaEmbedder

        return LsaEmbedder()
    return _minilm(settings.model_dir)


@lru_cache(maxsize=1)
def _minilm(model_dir: Path | None) -> Embedder:
    """Opened once a process: a run over many days needs it for each."""
    from llma_assets.embedding.minilm import MiniLMEmbedder

    return MiniLMEmbedder(model_dir)
