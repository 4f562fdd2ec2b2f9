"""The providers of a run as a Dagster resource, so that a run can have others than the settings say."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from llma_assets.embedding.embedder import Embedder
from llma_assets.labeling.label import Labeler
from llma_assets.lake import Lake
from llma_assets.llm.task import LlmTask
from llma_assets.providers import Work, embedder_of, labeler_of, summarizer_of
from llma_assets.providers.provider import Opened
from llma_assets.settings import Settings, load_settings
from llma_assets.summarization.outcome import Summarizer


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

    def open_summarizer(
        self, task: LlmTask, lake: Lake, now: Callable[[], datetime]
    ) -> AbstractContextManager[Opened[Summarizer]]:
        """The configured summarizer, for one task."""
        return summarizer_of(self.settings()).open(Work(task, lake, now, self._dialects))

    def open_embedder(
        self, task: LlmTask, lake: Lake, now: Callable[[], datetime]
    ) -> AbstractContextManager[Opened[Embedder]]:
        """The configured embedder, for one task.

        Raises:
            MissingExtra: the local model's files are not there; the message says what to type.
        """
        return embedder_of(self.settings()).open(Work(task, lake, now, self._dialects))

    def open_labeler(
        self, task: LlmTask, lake: Lake, now: Callable[[], datetime]
    ) -> AbstractContextManager[Opened[Labeler]]:
        """The configured labeler, for one task."""
        return labeler_of(self.settings()).open(Work(task, lake, now, self._dialects))
