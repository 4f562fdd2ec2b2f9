"""Items by meaning: which summaries are nearest to a question, and the cluster that each of them is in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from llma_assets.embedding.embedder import Embedder, check_vectors
from llma_assets.errors import InputRejected
from llma_assets.lake import Lake
from llma_assets.queries.views import open_views, query
from llma_assets.settings import Settings
from llma_assets.sql import sql
from llma_assets.team_day import TeamDay

# A question is a sentence or two; MiniLM reads 256 tokens at once.
MAX_QUERY_CHARS = 2_000
MAX_LIMIT = 1_000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which items are searched: of one team (None: of all) and level, of the days from `first` to `last`."""

    team: str | None
    level: str
    first: date
    last: date

    def bound(self) -> Row:
        """The values that the queries bind."""
        return {"team": self.team, "level": self.level, "first": self.first, "last": self.last}


@dataclass(frozen=True, slots=True)
class Searched:
    """Vectors of one model.

    Attributes:
        dim: length of each.
        items: how many there are in the scope.
        other_models: items of the scope by the other models that made vectors; they are not searched.
    """

    model: str
    dim: int
    items: int
    other_models: dict[str, int]


def ask(
    lake: Lake, settings: Settings, scope: Scope, question: str, limit: int, now: Callable[[], datetime]
) -> tuple[Searched, list[Row]]:
    """The items of the scope that come nearest to a question, as `nearest_items` gives them, and what was searched.

    The one call that a remote embedder takes is charged to the team's present day, and recorded.

    Raises:
        InputRejected: a question or limit out of range, nothing to search, or vectors by another embedder than the
            settings'.
        BudgetExhausted: the call could cost more than is left.
    """
    from llma_assets.llm.task import LlmTask
    from llma_assets.providers import Work, embedder_of

    asked = checked_question(question)
    check_limit(limit)
    with open_views(lake, settings) as connection:
        searched = newest_model(connection, scope)
        if searched is None:
            raise InputRejected(
                f"QUERY: no {scope.level} of {scope.team or 'any team'} has a vector from {scope.first} to "
                f"{scope.last}; type: llma run --team TEAM --date DATE"
            )
        embedder = embedder_of(settings)
        # Before anything is opened, recorded or sent.
        check_model(embedder.model, searched)
        teams = [scope.team] if scope.team else lake.teams("embeddings")
        if embedder.server_model and len(teams) > 1:
            raise InputRejected(f"--team: a question to a server is charged to a team; say which of {', '.join(teams)}")
        task = LlmTask("search", TeamDay(teams[0], now().date()))
        with embedder.open(Work(task, lake, now)) as opened:
            vector = question_vector(opened.provider, searched, asked)
            rows = nearest_items(connection, scope, searched, vector, limit)
            opened.figures["items"] = len(rows)
    if settings.min_users_per_cluster:
        # A title is what one user said.
        rows = [row | {"title": None} for row in rows]
    return searched, rows


def checked_question(text: str) -> str:
    """`text` if it can be asked.

    Raises:
        InputRejected: it is empty, longer than `MAX_QUERY_CHARS`, or no valid UTF-8.
    """
    question = text.strip()
    if not question:
        raise InputRejected(f"QUERY: {text!r} is empty; say in a few words what to look for")
    if len(question) > MAX_QUERY_CHARS:
        raise InputRejected(f"QUERY: {len(question)} characters; at most {MAX_QUERY_CHARS} are allowed")
    try:
        question.encode()
    except UnicodeEncodeError:
        raise InputRejected(f"QUERY: {question!r} is not valid UTF-8") from None
    return question


def check_limit(limit: int) -> None:
    """Refuse a number of rows that is not between 1 and `MAX_LIMIT`.

    Raises:
        InputRejected: it is not.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InputRejected(f"--limit: {limit} is not between 1 and {MAX_LIMIT}")


def newest_model(connection: Any, scope: Scope) -> Searched | None:
    """The model of the newest vectors in the scope; None where there are none.

    Args:
        connection: one that sees the views.
    """
    rows: list[Row] = query(connection, sql("search_models"), scope.bound()).to_pylist()
    if not rows:
        return None
    newest, *others = rows
    return Searched(newest["model"], newest["dim"], newest["items"], {row["model"]: row["items"] for row in others})


def question_vector(embedder: Embedder, searched: Searched, question: str) -> np.ndarray:
    """The question's place among the vectors that are searched: float32, shape (dim,), length 1.

    Raises:
        InputRejected: the embedder is not the model that made those vectors, or gave nothing that can be compared.
    """
    check_model(embedder.model, searched)
    (vector,) = embedder.embed([question])
    (reason,) = check_vectors([vector], 1, searched.dim, ["the question"])
    if reason is not None:
        raise InputRejected(f"QUERY: {embedder.model} gave no vector for it ({reason}); ask in other words")
    return np.asarray(vector, dtype=np.float32)


def check_model(model: str, searched: Searched) -> None:
    """Refuse a question by another model: vectors of two models have nothing to do with each other.

    Raises:
        InputRejected: it is another.
    """
    if model != searched.model:
        raise InputRejected(
            f"LLMA_EMBEDDER: the settings' embedder is {model!r}, but the newest vectors are by {searched.model!r}; "
            "set the embedder that made them (LLMA_EMBEDDER, LLMA_OPENAI_EMBEDDING_MODEL, "
            "LLMA_OPENAI_EMBEDDING_DIMENSIONS), or run the days again"
        )


def nearest_items(connection: Any, scope: Scope, searched: Searched, vector: np.ndarray, limit: int) -> list[Row]:
    """Items of the scope, most similar first, each with its cluster in the newest clustering run that holds it.

    Args:
        connection: one that sees the views.
        vector: as `question_vector` gives it.
        limit: rows wanted.

    Returns:
        `rank` (from 1), `similarity` (cosine, −1 to 1), `date`, `title`, `cluster_id`, `cluster_title`,
        `clustering_run_id` (null where the item is in no run), `team_id`, `level`, `item_id`, `trace_timestamp`.
    """
    asked = {"vector": vector.tolist(), "model": searched.model, "dim": searched.dim, "limit": limit}
    text = sql("search_items").replace("FLOAT[DIM]", f"FLOAT[{searched.dim:d}]")
    found: list[Row] = query(connection, text, scope.bound() | asked).to_pylist()
    places = _places(connection, scope.level, found)
    unplaced = dict.fromkeys(("clustering_run_id", "cluster_id", "cluster_title"))
    return [
        {"rank": rank} | row | places.get((row["team_id"], row["item_id"]), unplaced)
        for rank, row in enumerate(found, start=1)
    ]


def _places(connection: Any, level: str, found: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """Clustering run and cluster of each item, by team and item id."""
    if not found:
        return {}
    days = [row["date"] for row in found]
    asked = {
        "level": level,
        "first": min(days),
        "last": max(days),
        "teams": [row["team_id"] for row in found],
        "item_ids": [row["item_id"] for row in found],
    }
    rows: list[Row] = query(connection, sql("search_places"), asked).to_pylist()
    return {(row["team_id"], row["item_id"]): row for row in rows}
