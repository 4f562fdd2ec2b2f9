"""Vectors by a model behind an OpenAI-compatible server."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from llma_assets.embedding.embedder import EmbeddedPart, EmbeddingRejected, check_vectors, unit_rows
from llma_assets.errors import RetryLater
from llma_assets.llm.access import Access
from llma_assets.llm.client import LlmClient
from llma_assets.llm.failures import ItemFailed
from llma_assets.llm.fan_out import fan_out
from llma_assets.settings import Settings
from llma_assets.traces.safe_text import one_line
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

MODEL_SETTING = "LLMA_OPENAI_EMBEDDING_MODEL"
# OpenAI takes 2,048 texts and 300,000 tokens a call; servers on one's own machine often far less.
MAX_BATCH_TEXTS = 128
MAX_BATCH_TOKENS = 100_000
# OpenAI's models read 8,191 tokens. A text of ours has some 500; a longer one is cut.
MAX_TEXT_TOKENS = 8_000
# Low for English and about right for other scripts: the estimate should err on the long side.
BYTES_PER_TOKEN = 3
DIMS = {"text-embedding-3-large": 3072, "text-embedding-3-small": 1536, "text-embedding-ada-002": 1536}

Row = list[float] | None
# Its place in the list, what it is called in messages, and itself.
Text = tuple[int, str, str]


class OpenAIEmbedder:
    """Asks an OpenAI-compatible server for vectors.

    Args:
        model_name: as the server calls it.
        dimensions: length to ask for, of models that can shorten their vectors; by default the model's own.
    """

    def __init__(self, model_name: str, access: Access, *, dimensions: int | None = None):
        self.model = model_id(model_name, dimensions)
        self._model_name = model_name
        self._access = access
        self._asked = dimensions
        self._dim = dimensions

    @classmethod
    def from_settings(cls, settings: Settings, access: Access) -> Self:
        """The embedder that the settings describe."""
        return cls(settings.openai_embedding_model, access, dimensions=settings.openai_embedding_dimensions)

    @property
    def dim(self) -> int:
        """Length of every vector: asked for, learned from an answer, known of the model, or else found with one word.

        Raises:
            FailFast, RetryLater, BudgetExhausted: it had to be asked for, and that failed.
        """
        known = self._known_dim()
        return self.embed(["length"]).shape[1] if known is None else known

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of `texts` in their order: float32, shape (len(texts), dim), rows of length 1.

        The row is zero, and `check_vectors` rejects it, for a text that is empty or that the server refuses, and for a
        vector with NaN or infinity in it.

        Raises:
            EmbeddingRejected: too few or too many rows, rows out of order, or of another length than the others.
            FailFast, BudgetExhausted: no call can succeed as things are set.
            RetryLater: the server is down or busy.
        """
        parts = list(self.parts(texts))
        vectors = np.zeros((len(texts), self._known_dim() or 0), dtype=np.float32)
        for places, rows in parts:
            vectors[list(places)] = rows
        return vectors

    def parts(self, texts: Sequence[str], names: Sequence[str] = ()) -> Iterator[EmbeddedPart]:
        """The same vectors, a call's worth at a time, in the order in which the calls are finished.

        Raises:
            As for `embed`, after the calls that were under way have been yielded.
        """
        blank = [place for place, text in enumerate(texts) if not text.strip()]
        called = names or [f"text {place}" for place in range(len(texts))]
        batches = _batches([(place, called[place], _cut(text)) for place, text in enumerate(texts) if text.strip()])
        lost: list[int] = []
        for places, rows in fan_out(batches, self._vectors, self._open_client, 2 * self._access.concurrency):
            good = [place for place, row in zip(places, rows, strict=True) if row is not None]
            lost += [place for place, row in zip(places, rows, strict=True) if row is None]
            if good:
                vectors = np.array([row for row in rows if row is not None], dtype=np.float64)
                vectors[~np.isfinite(vectors).all(axis=1)] = 0.0
                yield good, unit_rows(vectors)
        if not (blank or lost):
            return
        dim = self._known_dim()
        if dim is None:
            raise EmbeddingRejected(f"{self.model}: the server gave no vector for any text, so their length is unknown")
        yield [*blank, *lost], np.zeros((len(blank) + len(lost), dim), dtype=np.float32)

    def _known_dim(self) -> int | None:
        return DIMS.get(self._model_name) if self._dim is None else self._dim

    def _open_client(self) -> LlmClient:
        return LlmClient(self._access, self._model_name, MODEL_SETTING)

    async def _vectors(self, client: LlmClient, batch: list[Text]) -> tuple[list[int], list[Row]]:
        """Places of a batch and their vectors; None for a text that the server refuses."""
        places = [place for place, _, _ in batch]
        try:
            answer = await client.embed([text for _, _, text in batch], self._asked, subject=f"{len(batch)} texts")
        except ItemFailed as failed:
            if failed.reason == Reason.LLM_ERROR and not failed.permanent:
                raise RetryLater(f"{self.model}: {failed}") from None
            if len(batch) == 1:
                log.warning("%s: %s is left out: %s", self.model, one_line(batch[0][1]), failed)
                return places, [None]
            # Which text it was is not said: the halves show it.
            middle = len(batch) // 2
            (_, first), (_, second) = (
                await self._vectors(client, batch[:middle]),
                await self._vectors(client, batch[middle:]),
            )
            return places, first + second
        self._check(answer.vectors, answer.indexes, [name for _, name, _ in batch])
        return places, answer.vectors

    def _check(self, vectors: list[Any], indexes: list[Any], names: list[str]) -> None:
        if self._dim is None and vectors and isinstance(vectors[0], list):
            self._dim = len(vectors[0])
        if not self._dim:
            raise EmbeddingRejected(f"{self.model}: the server's first vector is no list of numbers")
        check_vectors(vectors, len(names), self._dim, names, indexes)


def model_id(model_name: str, dimensions: int | None) -> str:
    """What is stored beside the vectors of a model at a length."""
    return f"openai/{model_name}" + (f"/{dimensions}" if dimensions else "")


def _cut(text: str) -> str:
    """The text within the limit of a model, cut at a character."""
    limit = MAX_TEXT_TOKENS * BYTES_PER_TOKEN
    return text if len(text) * 4 <= limit else text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _batches(texts: list[Text]) -> Iterator[list[Text]]:
    batch: list[Text] = []
    tokens = 0
    for place, name, text in texts:
        needed = len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 1
        if batch and (len(batch) == MAX_BATCH_TEXTS or tokens + needed > MAX_BATCH_TOKENS):
            yield batch
            batch, tokens = [], 0
        batch.append((place, name, text))
        tokens += needed
    if batch:
        yield batch
