"""What the calls of one asset's work on one (team, day) share: server, policy, money, privacy, records."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from llma_assets.clock import utc_now
from llma_assets.llm.budget import Budget
from llma_assets.llm.dialect import Dialect
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.policy import RetryPolicy
from llma_assets.llm.prices import Price, find_price
from llma_assets.llm.recorder import NullRecorder, Recorder
from llma_assets.llm.task import LlmTask
from llma_assets.team_day import TeamDay

_NO_TASK = LlmTask("none", TeamDay("none", date(2000, 1, 1)))


@dataclass(frozen=True, slots=True)
class Access:
    """How a server may be used.

    Attributes:
        concurrency: calls in flight at once.
        deadline: on `time.monotonic`'s clock; no attempt begins after it. None: there is none.
        redact: what every text goes through before it is sent; None: nothing is changed.
        price_overrides: the setting `prices`.
        dialects: what is known already of the servers, by URL and model; shared by the clients of a run.
        is_content_recorded: whether prompts and answers go into the records.
    """

    endpoint: Endpoint = field(default_factory=Endpoint)
    task: LlmTask = _NO_TASK
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    concurrency: int = 10
    deadline: float | None = None
    budget: Budget | None = None
    recorder: Recorder | NullRecorder = field(default_factory=NullRecorder)
    redact: Callable[[str], str] | None = None
    price_overrides: Mapping[str, Any] = field(default_factory=dict)
    dialects: dict[tuple[str, str], Dialect] = field(default_factory=dict)
    is_content_recorded: bool = False
    now: Callable[[], datetime] = utc_now

    def price(self, model: str) -> Price | None:
        """Price of a model at this server; None if it is not known."""
        return find_price(model, self.endpoint.is_openai, self.price_overrides)

    def is_past_deadline(self) -> bool:
        """Whether the time for this work is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline
