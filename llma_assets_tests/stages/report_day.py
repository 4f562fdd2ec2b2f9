"""The stage cluster_report on lakes of tests: build a page, and read it."""

from datetime import date
from pathlib import Path
from typing import Any

from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.cluster_report import BuildReport
from llma_assets.tables.cluster_report import REPORT_PAGE
from llma_assets.team_day import TeamDay
from llma_assets_tests.explorer.page_reader import ReadPage
from llma_assets_tests.stages.pipeline import LOG, match_clusters, source

DAYS = [TeamDay("acme", date(2026, 1, n)) for n in range(1, 10)]


def build(lake: Lake, day: TeamDay, **changes: Any) -> StageReport:
    """The stage, with settings that differ in `changes`."""
    return stage(lake, **changes).run(day)


def stage(lake: Lake, **changes: Any) -> BuildReport:
    # Past the bounds of the settings, so that small lakes show what large ones do.
    return BuildReport(lake, source(lake), load_settings().model_copy(update=changes), LOG)


def page(lake: Lake, day: TeamDay) -> ReadPage:
    return ReadPage(Path(lake.path("cluster_report", day, REPORT_PAGE)).read_bytes())


def finish(lake: Lake, day: TeamDay) -> None:
    """Lineage and names of a planted day."""
    match_clusters(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
