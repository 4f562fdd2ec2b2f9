"""What a (team, day) waits for: the requests that were handed to the Batch API, as the table `llm_batches`.

It is written before a batch is made, and again when its id is known: whatever happens in between, the next run finds
the batch by the key that both hold.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import cast

from llma_assets.lake import Lake
from llma_assets.llm.budget import Reservation
from llma_assets.tables.llm_batches import LLM_BATCHES, LlmBatchRow
from llma_assets.team_day import TeamDay

log = logging.getLogger(__name__)

TABLE = "llm_batches"
SUBMITTED, COLLECTED = "submitted", "collected"


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One item's request in a batch.

    Attributes:
        custom_id: names the request at the server: a hash, so that nothing of the trace is in it.
        fence: the mark of the request, needed to read its answer.
        batch_key: our name of the batch, in the server's metadata of it.
        batch_id: the server's name; None until it is known.
        status: `submitted`, or `collected`: its cost is settled and recorded.
        submission: how often the item was submitted, this time included.
        max_requests: size that batches of this partition are held to, where the server had no room for more.
        reserved_units, reserved_scope: what the budget is charged with until the answer is there.
    """

    level: str
    item_id: str
    content_hash: str
    model: str
    mode: str
    prompt_version: str
    custom_id: str
    fence: str
    batch_key: str
    batch_id: str | None
    status: str
    submission: int
    max_requests: int | None
    reserved_units: int | None
    reserved_scope: str | None
    submitted_at: datetime

    @property
    def model_name(self) -> str:
        """The model as the server calls it."""
        return self.model.removeprefix("openai/")

    @property
    def reservation(self) -> Reservation | None:
        """What the budget is charged with."""
        if self.reserved_units is None or self.reserved_scope is None:
            return None
        return Reservation(self.reserved_units, self.reserved_scope)


class BatchState:
    """The rows of one (team, day), by custom id. Its writer holds the lock of the partition that waits."""

    def __init__(self, lake: Lake, team_day: TeamDay):
        self._lake, self._team_day = lake, team_day
        self.rows: dict[str, BatchRow] = {}
        if lake.exists(TABLE, team_day):
            names = [field.name for field in fields(BatchRow)]
            loaded = (BatchRow(**row) for row in lake.read(TABLE, team_day, names).to_pylist())
            self.rows = {row.custom_id: row for row in loaded}

    def put(self, rows: Iterable[BatchRow]) -> None:
        """Add rows, or replace those of the same request."""
        self.rows |= {row.custom_id: row for row in rows}

    def drop(self, rows: Iterable[BatchRow]) -> None:
        """Forget rows."""
        for row in rows:
            self.rows.pop(row.custom_id, None)

    def of_batch(self, batch_id: str) -> list[BatchRow]:
        """The rows of one batch."""
        return [row for row in self.rows.values() if row.batch_id == batch_id]

    def batch_ids(self) -> list[str]:
        """The batches whose ids are known, oldest first."""
        known = sorted(self.rows.values(), key=lambda row: row.submitted_at)
        return list(dict.fromkeys(row.batch_id for row in known if row.batch_id is not None))

    def save(self) -> None:
        """Write the table: all of it, or nothing."""
        of_partition = {"team_id": self._team_day.team, "date": self._team_day.day}
        rows = [cast("LlmBatchRow", of_partition | asdict(row)) for _, row in sorted(self.rows.items())]
        self._lake.write(TABLE, self._team_day, LLM_BATCHES.arrow(rows))


def custom_id(level: str, item_id: str, content_hash: str, model: str, mode: str, prompt_version: str) -> str:
    """Name of a request: the same for the same question about the same content, 32 hexadecimal digits."""
    parts = "\0".join((level, item_id, content_hash, model, mode, prompt_version))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def waits_for_batch(lake: Lake, team_day: TeamDay) -> bool:
    """Whether a (team, day) has items in a batch whose results were not collected yet."""
    if not lake.exists(TABLE, team_day):
        return False
    return SUBMITTED in lake.read(TABLE, team_day, ["status"])["status"].to_pylist()


def abandon(lake: Lake, team_day: TeamDay) -> None:
    """Forget the batches of a (team, day) that was summarized without a server. They stay paid for."""
    if waits_for_batch(lake, team_day):
        log.warning("%s: a batch was still open and is not collected any more", team_day)
        lake.write(TABLE, team_day, LLM_BATCHES.schema.empty_table())
