"""The stages of one (team, day) one after the other, without Dagster, as the assets call them."""

import logging
from collections.abc import Sequence
from datetime import date, datetime

from llma_assets.clustering.result import ClusteringParams
from llma_assets.clustering_jobs import clustering_jobs
from llma_assets.embedding.lsa import LsaEmbedder
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.providers import embedder_of
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import load_settings
from llma_assets.sources.lake_event_source import LakeEventSource, lake_event_source
from llma_assets.stages.cluster_assignments import ClusterWindow
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.cluster_lineage import MatchClusters
from llma_assets.stages.cluster_metrics import MeasureClusters
from llma_assets.stages.embeddings import EmbedDay
from llma_assets.stages.trace_summaries import SummarizeDay
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.summarization.outcome import Summarizer
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import NOW

LOG = logging.getLogger("test")


def source(lake: Lake) -> LakeEventSource:
    """The lake's event source, as the definitions build it."""
    return lake_event_source(load_settings(), lake)


def summarize(lake: Lake, day: TeamDay, summarizer: Summarizer | None = None, now: datetime = NOW) -> StageReport:
    """The stage trace_summaries."""
    jobs = clustering_jobs(day.team, load_settings())
    stage = SummarizeDay(lake, source(lake), summarizer or ExtractiveSummarizer(), jobs, load_settings(), now, LOG)
    return stage.run(day)


def embed(lake: Lake, day: TeamDay) -> StageReport:
    """The stage embeddings."""
    return EmbedDay(lake, LsaEmbedder(), embedder_of(load_settings()).recipe, LOG).run(day)


def cluster(lake: Lake, day: TeamDay, method: str = "hdbscan", min_items: int = 20) -> StageReport:
    """The stages cluster_assignments, cluster_lineage and cluster_metrics; the report of the first."""
    params = ClusteringParams(method=method)  # type: ignore[arg-type]
    jobs = clustering_jobs(day.team, load_settings())
    report = ClusterWindow(lake, jobs, params, 7, 7, 2_000, min_items, LOG, source=source(lake)).run(day)
    match_clusters(lake, day)
    measure(lake, day)
    return report


def match_clusters(lake: Lake, day: TeamDay) -> StageReport:
    """The stage cluster_lineage."""
    return MatchClusters(lake, load_settings().lineage_days, LOG).run(day)


def measure(lake: Lake, day: TeamDay) -> StageReport:
    """The stage cluster_metrics."""
    return MeasureClusters(lake, LOG).run(day)


def finish_day(lake: Lake, day: TeamDay, method: str = "hdbscan") -> list[StageReport]:
    """Clusters, names and events of a day whose window has vectors."""
    return [
        cluster(lake, day, method),
        LabelClusters(lake, KeywordLabeler(), LOG).run(day),
        EmitEvents(lake, LOG).run(day),
    ]


def run_day(lake: Lake, team: str, days: Sequence[date], method: str = "hdbscan") -> list[StageReport]:
    """Summaries and vectors of `days`, then clusters, names and events of the last of them."""
    reports = []
    for day in days:
        reports += [summarize(lake, TeamDay(team, day)), embed(lake, TeamDay(team, day))]
    return reports + finish_day(lake, TeamDay(team, days[-1]), method)
