"""A day whose stages use the test server, capped as the settings say; and what is asked for afterwards."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from llma_assets.automation.discovery import TeamPlan, plan_team
from llma_assets.automation.team_discovery_sensor import team_discovery_sensor
from llma_assets.definitions import resources
from llma_assets.lake import Lake
from llma_assets.llm.budget import budget_of
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.providers import embedder_of
from llma_assets.reporting.stage_report import StageReport
from llma_assets.resources.clock import Clock
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.embeddings import EmbedDay
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.llm_items import access_of
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL
from llma_assets_tests.real_traces import NOW
from llma_assets_tests.stages.pipeline import LOG, source, summarize

DAY = TeamDay("acme", date(2025, 6, 2))
PRICES = {CHAT_MODEL: {"input_usd": 1.0, "output_usd": 2.0}, EMBEDDING_MODEL: {"input_usd": 1.0}}
# A little more than the most that one summary can cost.
ONE_SUMMARY_USD = 0.025


def questions(count: int) -> list[dict[str, Any]]:
    """Traces of one generation each, over ten hours."""
    return [
        {
            "uuid": f"u{n}",
            "event": "$ai_generation",
            "distinct_id": f"p{n}",
            "timestamp": datetime(2025, 6, 2, 8 + n % 10, n % 60, tzinfo=UTC).isoformat(),
            "properties": {
                "$ai_trace_id": f"t{n}",
                "$ai_input": [{"role": "user", "content": f"Please book train number {n} to Rome"}],
                "$ai_output_choices": [{"role": "assistant", "content": f"Train {n} is booked."}],
            },
        }
        for n in range(count)
    ]


class Day:
    """The stages of a day with an LLM, capped as the settings say."""

    def __init__(self, lake: Lake, endpoint: Endpoint, now: datetime = NOW):
        self.lake, self.endpoint, self.now = lake, endpoint, now

    def at(self, now: datetime) -> "Day":
        return Day(self.lake, self.endpoint, now)

    def _with(self, stage: Callable[[Any], StageReport], **options: Any) -> StageReport:
        with closing(budget_of(load_settings(), DAY, lambda: self.now)) as budget:
            usual = {"budget": budget, "price_overrides": PRICES, "concurrency": 5}
            return stage(access_of(self.endpoint, options, **usual)[0])

    def summarize(self) -> StageReport:
        return self._with(lambda access: summarize(self.lake, DAY, OpenAISummarizer(CHAT_MODEL, access)))

    def embed(self, model: str = EMBEDDING_MODEL, dimensions: int | None = None) -> StageReport:
        recipe = embedder_of(load_settings()).recipe
        return self._with(
            lambda access: EmbedDay(self.lake, OpenAIEmbedder(model, access, dimensions=dimensions), recipe, LOG).run(
                DAY
            )
        )

    def label(self) -> StageReport:
        return self._with(lambda access: LabelClusters(self.lake, OpenAILabeler(CHAT_MODEL, access), LOG).run(DAY))

    def plan(self) -> TeamPlan:
        return plan_team("acme", self.lake, source(self.lake), load_settings(), self.now)

    def due(self) -> list[str]:
        return [due.request_key for due in self.plan().due]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.lake.read(table, DAY).to_pylist()

    def version(self, table: str) -> str:
        return self.lake.source_version(table, DAY) or ""


def statuses(rows: list[dict[str, Any]]) -> dict[tuple[str, str | None], int]:
    found = [(row["status"], row["reason"]) for row in rows]
    return {one: found.count(one) for one in found}


def tick(instance: dg.DagsterInstance, cursor: str | None, now: datetime) -> Any:
    outside = resources(load_settings(), Clock(fixed=now.isoformat()))
    needed = {name: outside[name] for name in ("lake", "event_source", "clock")}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=needed) as context:
        return team_discovery_sensor(context)


def requested(instance: dg.DagsterInstance, cursor: str | None, now: datetime) -> tuple[list[Any], str]:
    """The requests of a tick; each is noted as a run that succeeded."""
    result = tick(instance, cursor, now)
    for request in result.run_requests:
        status = dg.DagsterRunStatus.SUCCESS
        instance.add_run(dg.DagsterRun(job_name=request.job_name, status=status, tags=dict(request.tags)))
    return result.run_requests, result.cursor
