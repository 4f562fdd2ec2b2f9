"""The stages of a team's days one after the other, without Dagster."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from llma_assets.clock import utc_now
from llma_assets.clustering.result import ClusteringParams
from llma_assets.clustering_jobs import clustering_jobs
from llma_assets.errors import InputRejected
from llma_assets.lake import Lake
from llma_assets.llm.task import LlmTask
from llma_assets.providers import Work, embedder_of, labeler_of, summarizer_of
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import Settings
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.sources.lake_event_source import lake_event_source
from llma_assets.stages.cluster_alerts import FindAlerts
from llma_assets.stages.cluster_assignments import ClusterWindow
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.cluster_lineage import MatchClusters
from llma_assets.stages.cluster_metrics import MeasureClusters
from llma_assets.stages.cluster_report import BuildReport
from llma_assets.stages.embeddings import EmbedDay
from llma_assets.stages.trace_summaries import SummarizeDay
from llma_assets.team_day import TeamDay

_LOG = logging.getLogger("llma_assets.run")

Stage = Callable[[TeamDay], StageReport]


def run_days(lake: Lake, settings: Settings, team: str, first: date, last: date) -> None:
    """Run every stage for the days from `first` to `last`, and the first two for days of their windows that are due.

    A day of which a stage leaves nothing is not carried on, as a blocking check would stop it.

    Raises:
        InputRejected: a day has no partition.
        WaitingForBatch: summaries are being made elsewhere; what is downstream of them is not run.
    """
    from llma_assets.automation.discovery import days_to_summarize

    today = utc_now().date()
    for name, end in (("first", first), ("last", last)):
        if not settings.start_date <= end <= today:
            raise InputRejected(f"{name}: {end} is not between {settings.start_date} (LLMA_START_DATE) and {today}")
    if last < first:
        raise InputRejected(f"last: {last} is before first, {first}")
    stages = _Stages(lake, settings, lake_event_source(settings, lake))
    days = [TeamDay(team, first + timedelta(days=n)) for n in range((last - first).days + 1)]
    due = set(days) | days_to_summarize(team, lake, stages.source, settings, utc_now())
    for day in days:
        for one in day.window(settings.window_days):
            if one in due:
                due.remove(one)
                _run(one, stages.of_items())
        _run(day, stages.of_clusters())


def _run(day: TeamDay, stages: Iterator[Stage]) -> None:
    for stage in stages:
        report = stage(day)
        _LOG.info("%s %s: %d items", day, report.written.path, report.items)
        if report.empty_reason:
            _LOG.warning("%s has nothing to show: %s", day, report.empty_reason)
            return


@dataclass(frozen=True, slots=True)
class _Stages:
    """The stages of a lake in their order, as the assets open them."""

    lake: Lake
    settings: Settings
    source: TraceEventSource
    # What was found out about servers is found out once.
    dialects: dict[Any, Any] = field(default_factory=dict)

    def of_items(self) -> Iterator[Stage]:
        """What is done for each day by itself."""
        yield self._summarize
        yield self._embed

    def of_clusters(self) -> Iterator[Stage]:
        """What is done for the window that ends with a day."""
        lake, settings, least = self.lake, self.settings, self.settings.min_users_per_cluster
        yield self._cluster
        yield MatchClusters(lake, settings.lineage_days, _LOG).run
        yield MeasureClusters(lake, _LOG, least).run
        yield self._name
        yield EmitEvents(lake, _LOG, least).run
        yield BuildReport(lake, self.source, settings, _LOG).run
        yield FindAlerts(lake, self.source, settings, utc_now(), _LOG).run

    def _summarize(self, day: TeamDay) -> StageReport:
        with summarizer_of(self.settings).open(self._work("trace_summaries", day)) as opened:
            stage = SummarizeDay(
                lake=self.lake,
                source=self.source,
                summarizer=opened.provider,
                jobs=clustering_jobs(day.team, self.settings),
                settings=self.settings,
                now=utc_now(),
                log=_LOG,
                redactor=opened.redactor,
            )
            return opened.done(stage.run(day))

    def _embed(self, day: TeamDay) -> StageReport:
        with embedder_of(self.settings).open(self._work("embeddings", day)) as opened:
            recipe = embedder_of(self.settings).recipe
            return opened.done(EmbedDay(self.lake, opened.provider, recipe, _LOG).run(day))

    def _cluster(self, day: TeamDay) -> StageReport:
        settings = self.settings
        return ClusterWindow(
            lake=self.lake,
            jobs=clustering_jobs(day.team, settings),
            params=ClusteringParams(method=settings.cluster_method),
            window_days=settings.window_days,
            version_days=settings.window_days,
            max_samples=settings.max_samples,
            min_items=settings.min_items_of(day.team),
            log=_LOG,
            hold_clusters=settings.hold_clusters,
            source=self.source,
        ).run(day)

    def _name(self, day: TeamDay) -> StageReport:
        with labeler_of(self.settings).open(self._work("cluster_labels", day)) as opened:
            stage = LabelClusters(self.lake, opened.provider, _LOG, self.settings.min_users_per_cluster)
            return opened.done(stage.run(day))

    def _work(self, asset: str, day: TeamDay) -> Work:
        return Work(LlmTask(asset, day), self.lake, utc_now, self.dialects)
