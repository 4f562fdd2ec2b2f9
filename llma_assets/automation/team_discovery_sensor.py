"""The sensor that finds teams with events, makes them partitions, and requests the runs that are due."""

import hashlib
import json
from datetime import datetime

import dagster as dg

from llma_assets.automation.discovery import plan_team, select_teams
from llma_assets.automation.requests import request_for
from llma_assets.clustering.result import ALGORITHM_VERSION
from llma_assets.clustering_jobs import clustering_jobs
from llma_assets.jobs import cluster_traces, summarize_traces
from llma_assets.partitions import TEAM_PARTITIONS_NAME, teams_partitions
from llma_assets.resources.clock import Clock
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import Settings, load_settings
from llma_assets.sources.event_source import TraceEventSource

# Which teams are looked at at all is decided before; and sets have no order of their own.
_TEAM_SETS = {"teams_allow", "teams_skip", "teams_guaranteed"}


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
    event_source: EventSourceResource,
    clock: Clock,
) -> dg.SensorResult:
    """Cursor: `{"after": team, "settled": {team: fingerprint}}`. Teams are taken in turn, going on after
    the last one of the tick before, so that no large team starves the others.
    """
    settings, store, source, now = load_settings(), lake.open(), event_source.open(), clock.now()
    cursor = json.loads(context.cursor) if context.cursor else {}
    settled: dict[str, str] = cursor.get("settled", {})
    try:
        found = source.teams()
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
            fingerprint = _fingerprint(source, team, now, settings)
            if settled.get(team) == fingerprint:
                continue
            plan = plan_team(team, store, source, settings, now)
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
        wanted = (request for due in plan.due if (request := request_for(context, due)) is not None)
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
    """What a settled team waits for: other events, another day, other settings or jobs, or another algorithm."""
    waits_for = (
        source.fingerprint(team),
        now.date(),
        sorted(settings.model_dump(mode="json", exclude=_TEAM_SETS).items()),
        ALGORITHM_VERSION,
        clustering_jobs(team, settings),
    )
    return hashlib.sha256(repr(waits_for).encode()).hexdigest()[:12]
