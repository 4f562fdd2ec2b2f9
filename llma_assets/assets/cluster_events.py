"""cluster_events: the clusters as `$ai_trace_clusters` and `$ai_generation_clusters` events."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_events import STAGE, EmitEvents


@team_day_asset(STAGE, kinds={"python", "parquet"})
def cluster_events(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
    """The clusters in the shape that PostHog's readers know. Grain: one row an event; an event over 900 KiB is
    split into numbered parts. Guarantee: ids come from the partition, so a retry replaces and never duplicates;
    no event without items is ever written.
    """
    min_users = load_settings().min_users_per_cluster
    yield from materialize(context, EmitEvents(lake.open(), context.log, min_users).run)
