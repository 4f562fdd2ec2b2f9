"""cluster_events: the clusters as `$ai_trace_clusters` and `$ai_generation_clusters` events."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.cluster_labels import cluster_labels
from llma_assets.assets.cluster_metrics import cluster_metrics
from llma_assets.assets.materialization import BACKFILL_POLICY, GROUP, OWNERS, materialize
from llma_assets.partitions import team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_events import EmitEvents


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "parquet"},
    deps=[cluster_labels, cluster_metrics],
    partitions_def=team_days_partitions,
    backfill_policy=BACKFILL_POLICY,
    code_version="4",
)
def cluster_events(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
    """The clusters in the shape that PostHog's readers know. Grain: one row an event; an event over 900 KiB is
    split into numbered parts. Guarantee: ids come from the partition, so a retry replaces and never duplicates;
    no event without items is ever written.
    """
    least = load_settings().min_users_per_cluster
    yield from materialize(context, EmitEvents(lake.open(), context.log, least).run)
