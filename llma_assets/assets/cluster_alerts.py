"""cluster_alerts: what somebody should be told of the day's clusters."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.resources.clock import Clock
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_alerts import STAGE, FindAlerts


@team_day_asset(STAGE, kinds={"python", "parquet"})
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
