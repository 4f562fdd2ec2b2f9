"""cluster_lineage: which cluster is which cluster of the run before."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.cluster_assignments import cluster_assignments
from llma_assets.assets.materialization import BACKFILL_POLICY, GROUP, OWNERS, materialize
from llma_assets.partitions import lineage_mapping, team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_lineage import MatchClusters


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"scipy", "parquet"},
    deps=[dg.AssetDep(cluster_assignments, partition_mapping=lineage_mapping)],
    partitions_def=team_days_partitions,
    backfill_policy=BACKFILL_POLICY,
    code_version="1",
)
def cluster_lineage(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
    """What became of the clusters of the newest earlier run: kept, split, merged, born, died. Grain: one row an edge
    between two clusters, or to none. Guarantee: a cluster is kept from one earlier cluster at most and by one later
    cluster at most; where there is no run to compare with, the reason is there.
    """
    days = load_settings().lineage_days
    yield from materialize(context, MatchClusters(lake.open(), days, context.log).run)
