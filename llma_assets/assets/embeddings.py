"""embeddings: one vector for each summarized item."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.llm.task import LlmTask
from llma_assets.providers import embedder_of
from llma_assets.reporting.stage_report import StageReport
from llma_assets.resources.clock import Clock
from llma_assets.resources.lake import LakeResource
from llma_assets.resources.providers import Providers
from llma_assets.stages.embeddings import STAGE, EmbedDay
from llma_assets.team_day import TeamDay


@team_day_asset(STAGE, kinds={"python", "parquet"}, pool="embeddings")
def embeddings(
    context: dg.AssetExecutionContext, lake: LakeResource, providers: Providers, clock: Clock
) -> Iterator[Any]:
    """The vector of each summary's text. Grain: one row a summarized item. Guarantee: unit vectors of one
    model and dimension, checked for NaN, zero and order; equal texts are embedded once, known ones never again.
    """

    def stage(team_day: TeamDay) -> StageReport:
        task = LlmTask("embeddings", team_day, context.run.run_id)
        with providers.open_embedder(task, lake.open(), clock.now) as opened:
            recipe = embedder_of(providers.settings()).recipe
            return opened.done(EmbedDay(lake.open(), opened.provider, recipe, context.log).run(team_day))

    yield from materialize(context, stage)
