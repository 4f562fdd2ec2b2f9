"""Opens and closes what the LLM calls of one task share, and says in the records how the task ended."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from llma_assets.errors import LlmaError, WaitingForBatch
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.budget import budget_of
from llma_assets.llm.capture import open_capture
from llma_assets.llm.dialect import Dialect
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.policy import RetryPolicy
from llma_assets.llm.recorder import Recorder
from llma_assets.llm.task import LlmTask
from llma_assets.redaction.redactor import Redactor
from llma_assets.settings import Settings

# What is left of the time that Dagster gives the job: vectors come after summaries, names in a shorter one.
MAX_DEADLINE_S = {"embeddings": 1_200.0, "cluster_labels": 1_200.0}


@contextmanager
def opened(
    settings: Settings,
    task: LlmTask,
    lake: Lake,
    now: Callable[[], datetime],
    dialects: dict[tuple[str, str], Dialect],
) -> Iterator[tuple[Access, dict[str, Any]]]:
    """The access that `settings` describe, for as long as `task` takes; and a place for figures on what it did.

    Raises:
        InputRejected: a redaction pattern, or the address of the server, is not valid.
    """
    endpoint = endpoint_of(settings)
    redactor = redactor_for(settings, endpoint)
    budget = budget_of(settings, task.team_day, now)
    recorder = Recorder(lake, task, open_capture(), now)
    access = Access(
        endpoint=endpoint,
        task=task,
        policy=RetryPolicy(max_attempts=settings.openai_max_attempts),
        concurrency=settings.openai_concurrency,
        deadline=time.monotonic() + min(settings.openai_deadline_s, MAX_DEADLINE_S.get(task.asset, math.inf)),
        budget=budget,
        recorder=recorder,
        redact=redactor.text if redactor else None,
        price_overrides=settings.prices,
        dialects=dialects,
        is_content_recorded=settings.record_content,
        now=now,
    )
    figures: dict[str, Any] = {}
    ended = "failed: stopped"
    try:
        yield access, figures
        ended = "partial" if figures.get("is_partial") else "ok"
    except WaitingForBatch as error:
        ended = f"waiting: {error}"
        raise
    except Exception as error:
        # Only messages of our own are known to quote nothing of anybody's text; records may leave this machine.
        ended = f"failed: {error if isinstance(error, LlmaError) else type(error).__name__}"
        raise
    finally:
        recorder.close(ended, {name: value for name, value in figures.items() if isinstance(value, int | float)})
        budget.close()


def endpoint_of(settings: Settings) -> Endpoint:
    """The server that the settings name."""
    return Endpoint(settings.openai_base_url, settings.openai_timeout_s, settings.openai_organization)


def access_without_task(settings: Settings) -> Access:
    """Access for questions that cost nothing and say nothing about anybody's data."""
    return Access(
        endpoint=endpoint_of(settings), policy=RetryPolicy(max_attempts=settings.openai_max_attempts), concurrency=1
    )


def redactor_for(settings: Settings, endpoint: Endpoint) -> Redactor | None:
    """What takes secrets out of texts for a server; None where they go as they are."""
    if settings.redaction == "never" or (settings.redaction == "remote" and endpoint.is_local):
        return None
    return Redactor(settings.redaction_patterns)
