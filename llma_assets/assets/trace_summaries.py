"""trace_summaries: what each trace and generation of a day was about."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.clustering_jobs import clustering_jobs
from llma_assets.llm.task import LlmTask
from llma_assets.reporting.stage_report import StageReport
from llma_assets.resources.clock import Clock
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.resources.providers import Providers
from llma_assets.settings import load_settings
from llma_assets.stages.trace_summaries import STAGE, SummarizeDay
from llma_assets.team_day import TeamDay


@team_day_asset(
    STAGE,
    kinds={"python", "parquet"},
    pool="summaries",
    # A partition that waits for its batch is left as it was, and so is what depends on it.
    output_required=False,
)
def trace_summaries(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    event_source: EventSourceResource,
    providers: Providers,
    clock: Clock,
) -> Iterator[Any]:
    """Every item of the day, summarized or with the reason why not. Grain: one row an item (a trace or a
    generation whose first event lies in the UTC day). Guarantee: each eligible item is there exactly once, one
    that no enabled clustering job wants with that as its reason; rerunning unchanged input gives the same bytes and
    repeats no finished summary.
    """

    def stage(team_day: TeamDay) -> StageReport:
        settings = load_settings()
        task = LlmTask("trace_summaries", team_day, context.run.run_id)
        with providers.open_summarizer(task, lake.open(), clock.now) as opened:
            stage = SummarizeDay(
                lake=lake.open(),
                source=event_source.open(),
                summarizer=opened.provider,
                jobs=clustering_jobs(team_day.team, settings),
                settings=settings,
                now=clock.now(),
                log=context.log,
                redactor=opened.redactor,
            )
            return opened.done(stage.run(team_day))

    yield from materialize(context, stage)
