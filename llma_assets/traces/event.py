"""One event of a trace, as the pure code sees it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One `$ai_*` event that was ingested.

    Attributes:
        event: its kind, such as `$ai_generation`.
        timestamp: aware, UTC.
        span_id, parent_id: place in the trace's tree; either may be absent, dangling or circular.
        properties: the sender's JSON object, untouched. Everything in it is hostile.
    """

    uuid: str
    event: str
    timestamp: datetime
    trace_id: str
    span_id: str | None = None
    parent_id: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
