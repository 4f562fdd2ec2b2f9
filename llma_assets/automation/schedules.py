"""The hourly and the daily schedule. Both are off until somebody switches them on."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from llma_assets.automation.discovery import select_teams
from llma_assets.jobs import cluster_traces, summarize_traces
from llma_assets.partitions import TEAM_PARTITIONS_NAME, partition_key
from llma_assets.settings import load_settings
from llma_assets.team_day import TeamDay

HOURLY = "40 * * * *"  # past the quiet half hour, so that the hour's traces are finished
DAILY = "30 2 * * *"


@dg.schedule(
    job=summarize_traces,
    cron_schedule=HOURLY,
    execution_timezone="UTC",
    description="Summarizes what finished today, for every team; on the first hour of a day also the day before.",
)
def hourly_summaries(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run a team: the partition of the day grows hour by hour, finished summaries are kept."""
    tick = context.scheduled_execution_time
    days = [tick.date()] if tick.hour else [tick.date() - timedelta(days=1), tick.date()]
    for team in _teams(context):
        for day in days:
            team_day = TeamDay(team, day)
            yield dg.RunRequest(run_key=f"{team_day}@{tick.isoformat()}", partition_key=partition_key(team_day))


@dg.schedule(
    job=cluster_traces,
    cron_schedule=DAILY,
    execution_timezone="UTC",
    description="Clusters the window that ends with yesterday, for every team, every LLMA_INTERVAL_DAYS days.",
)
def daily_clusters(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run a team. Days between are skipped by counting from the start date, not from the last run."""
    settings = load_settings()
    day = context.scheduled_execution_time.date() - timedelta(days=1)
    if (day - settings.start_date).days % settings.interval_days:
        yield dg.SkipReason(f"{day} is not one of every {settings.interval_days} days from {settings.start_date}")
        return
    for team in _teams(context):
        team_day = TeamDay(team, day)
        yield dg.RunRequest(run_key=str(team_day), partition_key=partition_key(team_day))


def _teams(context: dg.ScheduleEvaluationContext) -> list[str]:
    registered = context.instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME)
    return [team for team in select_teams(registered, load_settings()) if team in registered]
