"""cluster_labels: what each cluster is called, and why."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.llm.task import LlmTask
from llma_assets.reporting.stage_report import StageReport
from llma_assets.resources.clock import Clock
from llma_assets.resources.lake import LakeResource
from llma_assets.resources.providers import Providers
from llma_assets.stages.cluster_labels import STAGE, LabelClusters
from llma_assets.team_day import TeamDay


@team_day_asset(STAGE, kinds={"python", "parquet"}, pool="labels")
def cluster_labels(
    context: dg.AssetExecutionContext, lake: LakeResource, providers: Providers, clock: Clock
) -> Iterator[Any]:
    """A title and a description for each cluster. Grain: one row a cluster of a clustering run. Guarantee: titles
    are distinct within a run and rest on evidence that is stored beside them; who named a cluster is a column. A
    cluster that was kept from the earlier run keeps its name while its content is that which was named. The name of
    its theme is repeated on each cluster.
    """

    def stage(team_day: TeamDay) -> StageReport:
        task = LlmTask("cluster_labels", team_day, context.run.run_id)
        with providers.open_labeler(task, lake.open(), clock.now) as opened:
            min_users = providers.settings().min_users_per_cluster
            return opened.done(LabelClusters(lake.open(), opened.provider, context.log, min_users).run(team_day))

    yield from materialize(context, stage)
