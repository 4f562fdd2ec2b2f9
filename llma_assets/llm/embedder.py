"""Vectors by a model behind an OpenAI-compatible server."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from llma_assets.embedding.embedder import EmbeddingRejected, check_vectors, unit_rows
from llma_assets.errors import RetryLater
from llma_assets.llm.background import BackgroundLoop
from llma_assets.llm.client import LlmClient, RetryPolicy
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.failures import ItemFailed
from llma_assets.settings import Settings
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


class OpenAIEmbedder:
    """Asks an OpenAI-compatible server for vectors.

    Args:
        model_name: as the server calls it.
        dim: length that every vector must have; by default that of the first answer.
        concurrency: calls in flight at once.
    """

    def __init__(
        self,
        model_name: str,
        *,
        dim: int | None = None,
        endpoint: Endpoint | None = None,
        concurrency: int = 10,
        policy: RetryPolicy | None = None,
    ):
        self.model = f"openai/{model_name}"
        self._model_name = model_name
        self._dim = dim
        self._endpoint = endpoint or Endpoint()
        self._concurrency = concurrency
        self._policy = policy or RetryPolicy()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The embedder that the settings describe."""
        return cls(
            settings.openai_embedding_model,
            endpoint=Endpoint(settings.openai_base_url, settings.openai_timeout_s),
            concurrency=settings.openai_concurrency,
        )

    @property
    def dim(self) -> int:
        """Length of every vector: given, learned from an answer, known of the model, or else asked for with one word.

        Raises:
            FailFast, RetryLater: it had to be asked for, and that failed.
        """
        known = self._known_dim()
        return self.embed(["length"]).shape[1] if known is None else known

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of `texts` in their order: float32, shape (len(texts), dim), rows of length 1.

        The row is zero, and `check_vectors` rejects it, for a text that is empty or that the server refuses, and for a
        vector with NaN or infinity in it.

        Raises:
            EmbeddingRejected: too few or too many rows, rows out of order, or of another length than the others.
            FailFast: no call can succeed as things are set.
            RetryLater: the server is down or busy.
        """
        with BackgroundLoop() as loop:
            rows = loop.run(self._embed(texts))
        dim = self._known_dim()
        if dim is None and texts:
            raise EmbeddingRejected(f"{self.model}: the server gave no vector for any text, so their length is unknown")
        dim = dim or 0
        zero = [0.0] * dim
        vectors = np.array([zero if row is None else row for row in rows], dtype=np.float64).reshape(len(rows), dim)
        vectors[~np.isfinite(vectors).all(axis=1)] = 0.0
        return unit_rows(vectors)

    def _known_dim(self) -> int | None:
        return DIMS.get(self._model_name) if self._dim is None else self._dim

    async def _embed(self, texts: Sequence[str]) -> list[Row]:
        positions = [position for position, text in enumerate(texts) if text.strip()]
        rows: list[Row] = [None] * len(texts)
        if not positions:
            return rows
        client = LlmClient(self._endpoint, self._policy, self._model_name, MODEL_SETTING, self._concurrency)
        try:
            batches = list(_batches([(position, _cut(texts[position])) for position in positions]))
            # The first batch goes ahead: it shows whether key and model are right, and how long a vector is.
            await self._fill(client, batches[0], rows)
            await asyncio.gather(*(self._fill(client, batch, rows) for batch in batches[1:]))
        finally:
            await client.close()
        return rows

    async def _fill(self, client: LlmClient, batch: list[tuple[int, str]], rows: list[Row]) -> None:
        """Puts the vectors of a batch into their places. A text that the server refuses stays without."""
        try:
            answer = await client.embed([text for _, text in batch])
        except ItemFailed as failed:
            if failed.reason == Reason.LLM_ERROR:
                raise RetryLater(f"{self.model}: {failed}") from None
            if len(batch) == 1:
                log.warning("%s: text %d is left out: %s", self.model, batch[0][0], failed)
                return
            # Which text it was is not said: the halves show it.
            middle = len(batch) // 2
            await self._fill(client, batch[:middle], rows)
            await self._fill(client, batch[middle:], rows)
            return
        self._check(answer.vectors, answer.indexes, [f"text {position}" for position, _ in batch])
        for (position, _), vector in zip(batch, answer.vectors, strict=True):
            rows[position] = vector

    def _check(self, vectors: list[Any], indexes: list[Any], names: list[str]) -> None:
        if self._dim is None and vectors and isinstance(vectors[0], list):
            self._dim = len(vectors[0])
        if not self._dim:
            raise EmbeddingRejected(f"{self.model}: the server's first vector is no list of numbers")
        check_vectors(vectors, len(names), self._dim, names, indexes)


def _cut(text: str) -> str:
    """The text within the limit of a model, cut at a character."""
    limit = MAX_TEXT_TOKENS * BYTES_PER_TOKEN
    return text if len(text) * 4 <= limit else text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _batches(texts: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    tokens = 0
    for position, text in texts:
        needed = len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 1
        if batch and (len(batch) == MAX_BATCH_TEXTS or tokens + needed > MAX_BATCH_TOKENS):
            yield batch
            batch, tokens = [], 0
        batch.append((position, text))
        tokens += needed
    if batch:
        yield batch
