"""Run requests that are made once for each content, whichever sensor makes them."""

import dagster as dg
from dagster import DagsterRunStatus

from llma_assets.automation.discovery import DueRun
from llma_assets.partitions import partition_key

REQUEST_TAG = "llma/request"

# A run that failed before it wrote its partition is asked for again this often; then a person is needed.
MAX_ATTEMPTS = 3

_ACTIVE = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def request_for(context: dg.SensorEvaluationContext, due: DueRun) -> dg.RunRequest | None:
    """A request, unless a run for this very content is under way or has failed too often."""
    runs = context.instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: due.request_key}))
    if any(run.status in _ACTIVE for run in runs):
        return None
    if due.once and any(run.status == DagsterRunStatus.SUCCESS for run in runs):
        return None
    failures = sum(run.status in (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED) for run in runs)
    if failures >= MAX_ATTEMPTS:
        context.log.warning("%s failed %d times and is not asked for again", due.request_key, failures)
        return None
    key = due.request_key if not runs else f"{due.request_key}#{len(runs) + 1}"
    return dg.RunRequest(
        run_key=key,
        job_name=due.job,
        partition_key=partition_key(due.team_day),
        tags={REQUEST_TAG: due.request_key},
    )
