"""cluster_metrics: what the items of each cluster cost, took and failed, beside the rest of the run."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.cluster_assignments import cluster_assignments
from llma_assets.assets.materialization import BACKFILL_POLICY, GROUP, OWNERS, materialize
from llma_assets.assets.trace_summaries import trace_summaries
from llma_assets.partitions import team_days_partitions, window_mapping
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_metrics import MeasureClusters


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"numpy", "parquet"},
    deps=[cluster_assignments, dg.AssetDep(trace_summaries, partition_mapping=window_mapping)],
    partitions_def=team_days_partitions,
    backfill_policy=BACKFILL_POLICY,
    code_version="1",
)
def cluster_metrics(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
    """Cost, latency, tokens, errors, users, models and tools, and how far each is from the rest of the run's traffic.
    Grain: one row a clustering run and each cluster (noise included), theme, and the run as a whole. Guarantee: each
    item of the run counts once among its clusters, so their sums are the run's.
    """
    least = load_settings().min_users_per_cluster
    yield from materialize(context, MeasureClusters(lake.open(), context.log, least).run)
