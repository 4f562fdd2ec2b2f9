"""cluster_report: the clusters as a page that a browser opens from disk."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.reporting.stage_report import StageReport
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_report import STAGE, BuildReport
from llma_assets.team_day import TeamDay


@team_day_asset(STAGE, kinds={"python", "html"})
def cluster_report(
    context: dg.AssetExecutionContext, lake: LakeResource, event_source: EventSourceResource
) -> Iterator[Any]:
    """The cluster explorer as one HTML file that asks nothing of a network. Grain: one page and one row a (team,
    day) with clusters. Guarantee: everything of a trace is inert in it; the file never passes its size in bytes; the
    same rows give the same bytes; a day without clusters has no page.
    """

    def stage(team_day: TeamDay) -> StageReport:
        opened, settings = lake.open(), load_settings()
        report = BuildReport(opened, event_source.open(), settings, context.log).run(team_day)
        file = report.figures.get("page")
        if file is not None:
            address = f"{settings.report_url.rstrip('/')}/{team_day.team}/{team_day.day}"
            # A browser follows no link from the UI to a file.
            report.figures["page"] = dg.MetadataValue.url(address)
            report.figures["page_file"] = dg.MetadataValue.path(file if opened.is_local else f"{opened.scheme}{file}")
        return report

    yield from materialize(context, stage)
