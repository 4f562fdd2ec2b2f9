"""The sensor that finds teams with events, makes them partitions, and requests the runs that are due."""

import hashlib
import json
from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus

from llma_assets.automation.discovery import DueRun, plan_team, select_teams
from llma_assets.errors import LlmaError
from llma_assets.jobs import cluster_traces, summarize_traces
from llma_assets.partitions import TEAM_PARTITIONS_NAME, partition_key, teams_partitions
from llma_assets.resources.clock import Clock
from llma_assets.resources.event_source import TraceEventSource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings

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
    teams = select_teams(found, settings)
    known = set(context.instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME))
    requests: list[dg.RunRequest] = []
    last, new_teams = cursor.get("after"), []
    for team in _in_turn(teams, last):
        if len(requests) >= settings.max_requests_per_tick:
            break
        last = team
        fingerprint = _fingerprint(event_source, team, now)
        if settled.get(team) == fingerprint and team in known:
            continue
        try:
            plan = plan_team(team, store, event_source, settings, now)
        except (LlmaError, OSError) as error:
            # One team's broken partition is its own matter.
            context.log.error("team %s: %s", team, error)
            continue
        if team not in known:
            new_teams.append(team)
        if plan.settled:
            settled[team] = fingerprint
        room = settings.max_requests_per_tick - len(requests)
        wanted = (request for due in plan.due if (request := _request(context, due)) is not None)
        requests += [request for request, _ in zip(wanted, range(room), strict=False)]
    still_settled = {team: settled[team] for team in teams if team in settled}
    reason = None if requests else f"{len(teams)} teams looked at, nothing is due"
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=dg.SkipReason(reason) if reason else None,
        dynamic_partitions_requests=[teams_partitions.build_add_request(new_teams)] if new_teams else [],
        cursor=json.dumps({"after": last, "settled": still_settled}),
    )


def _in_turn(teams: list[str], after: str | None) -> list[str]:
    start = teams.index(after) + 1 if after in teams else 0
    return teams[start:] + teams[:start]


def _fingerprint(source: TraceEventSource, team: str, now: datetime) -> str:
    """What a settled team waits for: other events, another day, or another program."""
    return hashlib.sha256(f"{source.fingerprint(team)}/{now.date()}".encode()).hexdigest()[:12]


def _request(context: dg.SensorEvaluationContext, due: DueRun) -> dg.RunRequest | None:
    """A request, unless a run for this very content is under way or has failed too often."""
    runs = context.instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: due.request_key}))
    if any(run.status in _ACTIVE for run in runs):
        return None
    if len(runs) >= MAX_ATTEMPTS:
        context.log.warning("%s failed %d times and is not asked for again", due.request_key, len(runs))
        return None
    key = due.request_key if not runs else f"{due.request_key}#{len(runs) + 1}"
    return dg.RunRequest(
        run_key=key,
        job_name=due.job,
        partition_key=partition_key(due.team_day),
        tags={REQUEST_TAG: due.request_key},
    )
