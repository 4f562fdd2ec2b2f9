"""The clock as a Dagster resource."""

from datetime import UTC, datetime

import dagster as dg

from llma_assets.clock import utc_now


class Clock(dg.ConfigurableResource):
    """The wall clock, UTC; `fixed` stops it for tests and for replays of a past day."""

    fixed: str | None = None

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        if self.fixed is not None:
            return datetime.fromisoformat(self.fixed).astimezone(UTC)
        return utc_now()
