"""What a provider is: whoever does one kind of work, under the name that the setting of the kind gives it.

The local providers need no key and no server. Each kind is chosen by itself, so local vectors with names by a model
work. Nothing is opened before an asset asks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from llma_assets.embedding.embedder import Embedder
from llma_assets.labeling.label import Labeler
from llma_assets.lake import Lake
from llma_assets.llm.task import LlmTask
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import Settings
from llma_assets.summarization.outcome import Summarizer
from llma_assets.summarization.summary import EMBEDDING_TEXT_VERSION

if TYPE_CHECKING:
    from llma_assets.llm.access import Access
    from llma_assets.redaction.redactor import Redactor

Service = TypeVar("Service", bound="Summarizer | Embedder | Labeler")


class Kind(StrEnum):
    """The kinds of work; each is the name of the setting that chooses who does it."""

    SUMMARIZER = "summarizer"
    EMBEDDER = "embedder"
    LABELER = "labeler"


@dataclass(frozen=True, slots=True)
class Work:
    """What a provider is opened for.

    Attributes:
        dialects: what was found out about servers, so that it is found out once.
    """

    task: LlmTask
    lake: Lake
    now: Callable[[], datetime]
    dialects: dict[Any, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Opened(Generic[Service]):
    """A provider at work on one task.

    Attributes:
        redactor: takes secrets out of what the provider gets to see; None where the text stays on this machine.
    """

    provider: Service
    redactor: "Redactor | None" = None
    figures: dict[str, Any] = field(default_factory=dict)
    totals: Callable[[], dict[str, Any]] = dict

    def done(self, report: StageReport) -> StageReport:
        """Note in the record of the task what came out of it, and in the report what the calls took."""
        self.figures |= report.figures | {"items": report.items}
        report.figures.update(self.totals())
        return report


class Provider(ABC, Generic[Service]):
    """A provider on this machine. `class Mine(SummarizerProvider, name="mine")` registers it as `mine`."""

    kind: ClassVar[Kind]
    name: ClassVar[str]

    def __init_subclass__(cls, name: str = "") -> None:
        if name:
            cls.name = name
            _PROVIDERS[cls.kind][name] = cls

    def __init__(self, settings: Settings):
        self.settings = settings

    @property
    def server_model(self) -> str | None:
        """The model that a server is asked for, as the server calls it; None: no server is asked."""
        return None

    @abstractmethod
    def service(self, access: "Access | None" = None) -> Service:
        """Whoever does the work; `access` is to the server, for those who ask one."""

    @contextmanager
    def open(self, work: Work) -> Iterator[Opened[Service]]:
        """The provider, for one task."""
        yield Opened(self.service())


class SummarizerProvider(Provider[Summarizer]):
    """Whoever writes summaries."""

    kind = Kind.SUMMARIZER

    @abstractmethod
    def redactor(self) -> "Redactor | None":
        """What takes secrets out of texts before they are summarized; None where they stay on this machine."""


class EmbedderProvider(Provider[Embedder]):
    """Whoever makes vectors."""

    kind = Kind.EMBEDDER

    @property
    def model(self) -> str:
        """The id that is stored beside its vectors; asks no server."""
        return self.service().model

    @property
    def model_parameters(self) -> str:
        """What else decides its vectors, beside its name."""
        return ""

    @property
    def recipe(self) -> str:
        """What makes vectors out of summaries. Where it changes, embeddings are stale."""
        return f"{self.name}:{self.model_parameters}:text{EMBEDDING_TEXT_VERSION}"

    @abstractmethod
    def description(self) -> str:
        """What `llma doctor` says of it.

        Raises:
            MissingExtra: its files are not there; the message says what to type.
        """


class LabelerProvider(Provider[Labeler]):
    """Whoever names clusters."""

    kind = Kind.LABELER


_PROVIDERS: dict[Kind, dict[str, type[Provider[Any]]]] = {kind: {} for kind in Kind}


def names(kind: Kind) -> list[str]:
    """The providers of a kind."""
    return sorted(_PROVIDERS[kind])


def summarizer_of(settings: Settings) -> SummarizerProvider:
    """The summarizer that the settings name."""
    found: SummarizerProvider = _chosen(Kind.SUMMARIZER, settings)
    return found


def embedder_of(settings: Settings) -> EmbedderProvider:
    """The embedder that the settings name."""
    found: EmbedderProvider = _chosen(Kind.EMBEDDER, settings)
    return found


def labeler_of(settings: Settings) -> LabelerProvider:
    """The labeler that the settings name."""
    found: LabelerProvider = _chosen(Kind.LABELER, settings)
    return found


def asking_server(settings: Settings) -> dict[Kind, str]:
    """The kinds of work for which a server is asked, with the model that it is asked for."""
    found = {kind: _chosen(kind, settings).server_model for kind in Kind}
    return {kind: model for kind, model in found.items() if model is not None}


def _chosen(kind: Kind, settings: Settings) -> Any:
    return _PROVIDERS[kind][getattr(settings, kind)](settings)
