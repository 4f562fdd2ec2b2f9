"""The wall clock, for code that is given none."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current instant, aware, UTC."""
    return datetime.now(UTC)
