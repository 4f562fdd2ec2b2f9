"""cluster_metrics: what the items of each cluster cost, took and failed, beside the rest of the run."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_metrics import STAGE, MeasureClusters


@team_day_asset(STAGE, kinds={"numpy", "parquet"})
def cluster_metrics(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
    """Cost, latency, tokens, errors, users, models and tools, and how far each is from the rest of the run's traffic.
    Grain: one row a clustering run and each cluster (noise included), theme, and the run as a whole. Guarantee: each
    item of the run counts once among its clusters, so their sums are the run's.
    """
    min_users = load_settings().min_users_per_cluster
    yield from materialize(context, MeasureClusters(lake.open(), context.log, min_users).run)
