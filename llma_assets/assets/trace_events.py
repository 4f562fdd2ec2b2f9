"""trace_events: what was ingested. External: `llma ingest`, or whoever writes the lake, makes it."""

import dagster as dg

from llma_assets.assets.materialization import GROUP, OWNERS
from llma_assets.partitions import team_days_partitions

trace_events = dg.AssetSpec(
    "trace_events",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    partitions_def=team_days_partitions,
    description=(
        "`$ai_*` events as ingested. Grain: one row an event delivery, partitioned by team and UTC day of the event. "
        "The same uuid delivered twice is one event to every reader: the latest ingested wins."
    ),
)
