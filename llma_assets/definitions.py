"""The front door: every asset, check, job, schedule, sensor and resource of the code location."""

import dagster as dg

from llma_assets import assets
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
    assets=dg.load_assets_from_package_module(assets, include_specs=True),
    asset_checks=[*zero_item_checks, has_structure, *alert_checks],
    jobs=[summarize_traces, cluster_traces],
    schedules=[hourly_summaries, daily_clusters],
    sensors=[team_discovery_sensor, openai_batch_sensor, alert_sensor],
    resources=resources(load_settings()),
    # One process a run: the assets are short, and a process each would load Dagster each time.
    executor=dg.in_process_executor,
)
