"""cluster_lineage: which cluster is which cluster of the run before."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_lineage import STAGE, MatchClusters


@team_day_asset(STAGE, kinds={"scipy", "parquet"})
def cluster_lineage(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
    """What became of the clusters of the newest earlier run: kept, split, merged, born, died. Grain: one row an edge
    between two clusters, or to none. Guarantee: a cluster is kept from one earlier cluster at most and by one later
    cluster at most; where there is no run to compare with, the reason is there.
    """
    days = load_settings().lineage_days
    yield from materialize(context, MatchClusters(lake.open(), days, context.log).run)
