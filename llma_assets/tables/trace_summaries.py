"""trace_summaries: one row an item of the day."""

from typing import TypedDict

from llma_assets.tables.columns import ItemColumns, PartitionColumns
from llma_assets.tables.table import Table


class NoteRow(TypedDict):
    """A statement with the lines that it rests on."""

    text: str
    line_refs: str


class TraceSummaryRow(PartitionColumns, ItemColumns):
    """An item with its summary, or with the reason why it has none."""

    status: str
    reason: str | None
    title: str | None
    flow_diagram: str | None
    summary_bullets: list[NoteRow]
    interesting_notes: list[NoteRow]
    mode: str | None
    model: str | None
    prompt_version: str | None
    content_hash: str
    text_repr_length: int | None
    event_count: int
    batch_run_id: str
    event_uuid: str
    # What the summary itself took; null where no paid call was made.
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    latency_s: float | None
    # What the item cost its owner, measured from its own events.
    item_cost_usd: float | None
    item_latency_s: float | None
    item_sum_generation_latency_s: float | None
    item_input_tokens: int | None
    item_output_tokens: int | None
    item_error_count: int
    item_generation_count: int
    item_models: list[str]
    # Null where the sender put the trace id in place of a person.
    item_user: str | None
    # Tools that the item's own generations called, first called first; null where its text was not read.
    item_tools: list[str] | None


TRACE_SUMMARIES = Table("trace_summaries", TraceSummaryRow)
