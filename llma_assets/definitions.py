"""The front door: every asset, check, job, schedule, sensor and resource of the code location."""

import dagster as dg

from llma_assets.assets.cluster_alerts import cluster_alerts
from llma_assets.assets.cluster_assignments import cluster_assignments
from llma_assets.assets.cluster_events import cluster_events
from llma_assets.assets.cluster_labels import cluster_labels
from llma_assets.assets.cluster_lineage import cluster_lineage
from llma_assets.assets.cluster_metrics import cluster_metrics
from llma_assets.assets.cluster_report import cluster_report
from llma_assets.assets.embeddings import embeddings
from llma_assets.assets.trace_events import trace_events
from llma_assets.assets.trace_summaries import trace_summaries
from llma_assets.automation.alert_sensor import alert_sensor
from llma_assets.automation.openai_batch_sensor import openai_batch_sensor
from llma_assets.automation.schedules import daily_clusters, hourly_summaries
from llma_assets.automation.team_discovery_sensor import team_discovery_sensor
from llma_assets.checks.findings import alert_checks
from llma_assets.checks.structure import has_structure
from llma_assets.checks.zero_items import zero_item_checks
from llma_assets.jobs import cluster_traces, summarize_traces
from llma_assets.resources.clock import Clock
from llma_assets.resources.duckdb import duckdb_resource
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.resources.providers import Providers
from llma_assets.settings import Settings, load_settings


def resources(settings: Settings, clock: Clock | None = None) -> dict[str, dg.ConfigurableResource]:
    """The outside world of a run. Lake and providers read their settings when a run opens them."""
    lake, duckdb = LakeResource(), duckdb_resource(settings)
    return {
        "lake": lake,
        "duckdb": duckdb,
        "event_source": EventSourceResource(lake=lake, duckdb=duckdb),
        "providers": Providers(),
        "clock": clock or Clock(),
    }


defs = dg.Definitions(
    assets=[
        trace_events,
        trace_summaries,
        embeddings,
        cluster_assignments,
        cluster_lineage,
        cluster_labels,
        cluster_metrics,
        cluster_events,
        cluster_report,
        cluster_alerts,
    ],
    asset_checks=[*zero_item_checks, has_structure, *alert_checks],
    jobs=[summarize_traces, cluster_traces],
    schedules=[hourly_summaries, daily_clusters],
    sensors=[team_discovery_sensor, openai_batch_sensor, alert_sensor],
    resources=resources(load_settings()),
    # One process a run: the assets are short, and a process each would load Dagster each time.
    executor=dg.in_process_executor,
)
