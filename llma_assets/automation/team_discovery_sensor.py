"""The sensor that finds teams with events, makes them partitions, and requests the runs that are due."""

import hashlib
import json
from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus

from llma_assets.automation.discovery import DueRun, plan_team, select_teams
from llma_assets.clustering.result import ALGORITHM_VERSION
from llma_assets.jobs import cluster_traces, summarize_traces
from llma_assets.partitions import TEAM_PARTITIONS_NAME, partition_key, teams_partitions
from llma_assets.resources.clock import Clock
from llma_assets.resources.event_source import TraceEventSource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import Settings, load_settings

REQUEST_TAG = "llma/request"

# A run that failed before it wrote its partition is asked for again this often; then a person is needed.
MAX_ATTEMPTS = 3

# Which teams are looked at at all is decided before; and sets have no order of their own.
_TEAM_SETS = {"teams_allow", "teams_skip", "teams_guaranteed"}

_ACTIVE = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


@dg.sensor(
    jobs=[summarize_traces, cluster_traces],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Registers teams that have customer events, and requests summaries for closed days and clusters for windows "
        "whose content changed. Bounded per tick; an idle or empty team is asked once for each content, never again."
    ),
)
def team_discovery_sensor(
    context: dg.SensorEvaluationContext,
    lake: LakeResource,
    event_source: dg.ResourceParam[TraceEventSource],
    clock: Clock,
) -> dg.SensorResult:
    """Cursor: `{"after": team, "settled": {team: fingerprint}}`. Teams are taken in turn, going on after
    the last one of the tick before, so that no large team starves the others.
    """
    settings, store, now = load_settings(), lake.open(), clock.now()
    cursor = json.loads(context.cursor) if context.cursor else {}
    settled: dict[str, str] = cursor.get("settled", {})
    try:
        found = event_source.teams()
    except Exception as error:
        # A source that does not answer must not stop the teams that are always run.
        context.log.error("teams could not be listed (%s); only the guaranteed teams are looked at", error)
        found = []
    teams = select_teams(found, settings, cursor.get("after"))
    known = set(context.instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME))
    requests: list[dg.RunRequest] = []
    last, new_teams, failed = cursor.get("after"), [], []
    for team in teams:
        if len(requests) >= settings.max_requests_per_tick:
            break
        last = team
        try:
            fingerprint = _fingerprint(event_source, team, now, settings)
            if settled.get(team) == fingerprint:
                continue
            plan = plan_team(team, store, event_source, settings, now)
        except Exception as error:
            # One team's broken partition is its own matter.
            context.log.error("team %s: %s", team, error)
            failed.append(team)
            continue
        if plan.eligible and team not in known:
            new_teams.append(team)
        if plan.settled:
            settled[team] = fingerprint
        room = settings.max_requests_per_tick - len(requests)
        wanted = (request for due in plan.due if (request := _request(context, due)) is not None)
        requests += [request for request, _ in zip(wanted, range(room), strict=False)]
    still_settled = {team: settled[team] for team in teams if team in settled}
    counts = f"teams_processed {len(teams) - len(failed)}, teams_failed {len(failed)}, failed_team_ids {failed}"
    if failed:
        context.log.warning(counts)
    reason = None if requests else f"nothing is due; {counts}"
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=dg.SkipReason(reason) if reason else None,
        dynamic_partitions_requests=[teams_partitions.build_add_request(new_teams)] if new_teams else [],
        cursor=json.dumps({"after": last, "settled": still_settled}),
    )


def _fingerprint(source: TraceEventSource, team: str, now: datetime, settings: Settings) -> str:
    """What a settled team waits for: other events, another day, other settings, or another algorithm."""
    waits_for = (
        source.fingerprint(team),
        now.date(),
        sorted(settings.model_dump(mode="json", exclude=_TEAM_SETS).items()),
        ALGORITHM_VERSION,
    )
    return hashlib.sha256(repr(waits_for).encode()).hexdigest()[:12]


def _request(context: dg.SensorEvaluationContext, due: DueRun) -> dg.RunRequest | None:
    """A request, unless a run for this very content is under way or has failed too often."""
    runs = context.instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: due.request_key}))
    if any(run.status in _ACTIVE for run in runs):
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
