"""llm_batches: one row an item that was handed to a batch."""

from llma_assets.tables.columns import Int32, PartitionColumns, Timestamp
from llma_assets.tables.table import Table


class LlmBatchRow(PartitionColumns):
    """Items that a server summarizes within a day, with what is needed to read its answers."""

    # Null until the server has told it: what a process that was killed then left is found by batch_key.
    batch_id: str | None
    batch_key: str
    custom_id: str
    level: str
    item_id: str
    content_hash: str
    model: str
    mode: str
    prompt_version: str
    fence: str
    # submitted, or collected once its answer is known.
    status: str
    # How often the item was handed over, this time included.
    submission: Int32
    # The size that batches are held to where the server had no room for more.
    max_requests: int | None
    # What the budget is charged with until the answer is known, and the entry of the ledger for the day.
    reserved_units: int | None
    reserved_scope: str | None
    submitted_at: Timestamp


LLM_BATCHES = Table("llm_batches", LlmBatchRow)
