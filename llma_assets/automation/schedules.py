"""The hourly and the daily schedule. Both are off until somebody switches them on.

They ask only for what the sensor would ask for too, at fixed hours: an idle or too small team is not run.
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from llma_assets.automation.discovery import days_to_summarize, is_clusterable, select_teams
from llma_assets.errors import LlmaError
from llma_assets.jobs import cluster_traces, summarize_traces
from llma_assets.partitions import TEAM_PARTITIONS_NAME, partition_key
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.team_day import TeamDay

HOURLY = "40 * * * *"  # past the quiet half hour, so that the hour's traces are finished
DAILY = "30 2 * * *"


@dg.schedule(
    job=summarize_traces,
    cron_schedule=HOURLY,
    execution_timezone="UTC",
    description="Summarizes what finished since the last time, for every team, on any day that has changed.",
)
def hourly_summaries(
    context: dg.ScheduleEvaluationContext, lake: LakeResource, event_source: EventSourceResource
) -> Iterator[dg.RunRequest]:
    """One run a changed (team, day): today's grows hour by hour, and a trace that ran past midnight or
    came late is caught up. Finished summaries are kept.
    """
    tick, settings, store = context.scheduled_execution_time, load_settings(), lake.open()
    source = event_source.open()
    for team in _teams(context):
        try:
            due = sorted(days_to_summarize(team, store, source, settings, tick))
        except LlmaError as error:
            # One team's broken partition or jobs are its own matter.
            context.log.error("team %s: %s", team, error)
            continue
        for team_day in due:
            yield dg.RunRequest(run_key=f"{team_day}@{tick.isoformat()}", partition_key=partition_key(team_day))


@dg.schedule(
    job=cluster_traces,
    cron_schedule=DAILY,
    execution_timezone="UTC",
    description="Clusters the window that ends with yesterday, for teams with enough items, every N days.",
)
def daily_clusters(
    context: dg.ScheduleEvaluationContext, lake: LakeResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run a team. Days between are skipped by counting from the start date, not from the last run."""
    settings, store = load_settings(), lake.open()
    day = context.scheduled_execution_time.date() - timedelta(days=1)
    if (day - settings.start_date).days % settings.interval_days:
        yield dg.SkipReason(f"{day} is not one of every {settings.interval_days} days from {settings.start_date}")
        return
    for team in _teams(context):
        team_day = TeamDay(team, day)
        try:
            is_due = is_clusterable(store, team_day, settings)
        except LlmaError as error:
            context.log.error("team %s: %s", team, error)
            continue
        if is_due:
            yield dg.RunRequest(run_key=str(team_day), partition_key=partition_key(team_day))


def _teams(context: dg.ScheduleEvaluationContext) -> list[str]:
    registered = context.instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME)
    return [team for team in select_teams(registered, load_settings()) if team in registered]
