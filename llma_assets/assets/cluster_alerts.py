"""cluster_alerts: what somebody should be told of the day's clusters."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.cluster_labels import cluster_labels
from llma_assets.assets.cluster_metrics import cluster_metrics
from llma_assets.assets.materialization import BACKFILL_POLICY, GROUP, OWNERS, materialize
from llma_assets.partitions import team_days_partitions
from llma_assets.resources.clock import Clock
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_alerts import FindAlerts


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "parquet"},
    deps=[cluster_labels, cluster_metrics],
    partitions_def=team_days_partitions,
    backfill_policy=BACKFILL_POLICY,
    code_version="2",
)
def cluster_alerts(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    event_source: EventSourceResource,
    clock: Clock,
) -> Iterator[Any]:
    """New clusters, clusters that grew or fail, drift, items that are missing, days with nothing to show. Grain: one
    row a finding; none is usual. Guarantee: a finding that lasts has the same id every day, so that it is told once;
    rerunning unchanged input gives the same bytes.
    """
    stage = FindAlerts(lake.open(), event_source.open(), load_settings(), clock.now(), context.log)
    yield from materialize(context, stage.run)
