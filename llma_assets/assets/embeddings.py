"""embeddings: one vector for each summarized item."""

import dagster as dg

from llma_assets.assets.materialization import BACKFILL_POLICY, GROUP, OWNERS, materialize
from llma_assets.assets.trace_summaries import trace_summaries
from llma_assets.partitions import team_days_partitions
from llma_assets.resources.lake import LakeResource
from llma_assets.resources.providers import Providers
from llma_assets.stages.embed import EmbedDay


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "parquet"},
    deps=[trace_summaries],
    partitions_def=team_days_partitions,
    backfill_policy=BACKFILL_POLICY,
    pool="embeddings",
    code_version="1",
)
def embeddings(context: dg.AssetExecutionContext, lake: LakeResource, providers: Providers) -> dg.MaterializeResult:
    """The vector of each summary's text. Grain: one row a summarized item. Guarantee: unit vectors of one
    model and dimension, checked for NaN, zero and order; equal texts are embedded once, known ones never again.
    """
    return materialize(
        context,
        EmbedDay(lake.open(), providers.open_embedder(), providers.settings().embedding_recipe, context.log).run,
    )
