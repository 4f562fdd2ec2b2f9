"""llm_calls: one row a call, and one a task."""

from llma_assets.tables.columns import PartitionColumns, Timestamp
from llma_assets.tables.table import Layout, Table


class LlmCallRow(PartitionColumns):
    """The pipeline's own LLM calls. `event` is `$ai_generation` or `$ai_embedding` for a call and `$ai_trace` for
    one asset's work on the partition: there tokens, cost and attempts are the sums of its calls.
    """

    event: str
    # Also the span id: UUIDv5 of the trace id, the call's number and its time.
    uuid: str
    # One for each asset, partition and Dagster run.
    trace_id: str
    asset: str
    clustering_job: str | None
    dagster_run_id: str | None
    called_at: Timestamp
    model: str | None
    provider: str | None
    subject: str | None
    attempts: int | None
    # Cached tokens are among the input tokens.
    input_tokens: int | None
    cached_input_tokens: int | None
    output_tokens: int | None
    # Null where the price is not known, never 0 for that.
    cost_usd: float | None
    latency_s: float | None
    stop_reason: str | None
    is_error: bool
    error: str | None
    is_batch: bool | None
    prompt_version: str | None
    # The rest of the figures are of `$ai_trace` rows only.
    outcome: str | None
    items: int | None
    cache_hits: int | None
    calls: int | None
    calls_failed: int | None
    calls_unpriced: int | None
    # JSON object of every figure that the asset gave.
    figures: str | None
    # What was sent and received; only where LLMA_RECORD_CONTENT asks for it.
    input: str | None
    output: str | None


LLM_CALLS = Table("llm_calls", LlmCallRow, Layout.RECORD)
