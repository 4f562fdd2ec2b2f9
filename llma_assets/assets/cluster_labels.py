"""cluster_labels: what each cluster is called, and why."""

import dagster as dg

from llma_assets.assets.cluster_assignments import cluster_assignments
from llma_assets.assets.materialization import BACKFILL_POLICY, GROUP, OWNERS, materialize
from llma_assets.partitions import team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.resources.providers import Providers
from llma_assets.stages.label import LabelClusters


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "parquet"},
    deps=[cluster_assignments],
    partitions_def=team_days_partitions,
    backfill_policy=BACKFILL_POLICY,
    pool="labels",
    code_version="1",
)
def cluster_labels(context: dg.AssetExecutionContext, lake: LakeResource, providers: Providers) -> dg.MaterializeResult:
    """A title and a description for each cluster. Grain: one row a cluster of a clustering run. Guarantee: titles
    are distinct within a run and rest on evidence that is stored beside them; who named a cluster is a column.
    """
    stage = LabelClusters(lake.open(), providers.open_labeler(), context.log)
    return materialize(context, stage.run)
