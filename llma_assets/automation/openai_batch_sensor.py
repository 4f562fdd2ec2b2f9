"""The sensor that asks the server about batches, and requests the runs that collect those that have ended."""

import hashlib
from collections.abc import Sequence

import dagster as dg

from llma_assets.automation.discovery import DueRun
from llma_assets.automation.requests import request_for
from llma_assets.errors import FailFast, LlmaError
from llma_assets.jobs import summarize_traces
from llma_assets.lake import Lake
from llma_assets.llm.batch.state import BatchState, waits_for_batch
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import Settings, load_settings
from llma_assets.team_day import TeamDay


@dg.sensor(
    jobs=[summarize_traces],
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Asks the server about the batches that partitions wait for (LLMA_OPENAI_DELIVERY=batch), and requests the "
        "run that collects a partition's summaries once all of its batches have ended."
    ),
)
def openai_batch_sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """One question for each batch; the lake says which there are, so there is no cursor."""
    settings, store = load_settings(), lake.open()
    batches = waiting_batches(store)
    if not batches:
        return dg.SkipReason("no partition waits for a batch")
    try:
        ended, problems = ended_batches(settings, [batch for ids in batches.values() for batch in ids])
    except LlmaError as error:
        return dg.SkipReason(f"the batches could not be asked about: {error}")
    for problem in problems:
        # One partition's lost batch is its own matter.
        context.log.error(problem)
    ready = sorted(day for day, ids in batches.items() if set(ids) <= ended)
    wanted = (request for day in ready if (request := request_for(context, collecting_run(day, batches[day]))))
    requests = [request for request, _ in zip(wanted, range(settings.max_requests_per_tick), strict=False)]
    if not requests:
        return dg.SkipReason(f"{len(batches) - len(ready)} of {len(batches)} partitions wait for a batch")
    return dg.SensorResult(run_requests=requests)


def waiting_batches(lake: Lake) -> dict[TeamDay, list[str]]:
    """The batches of each (team, day) that waits for some; none for one whose batch has no known id, which is then
    for the next run to find."""
    days = (day for team in lake.teams("llm_batches") for day in lake.days("llm_batches", team))
    return {day: BatchState(lake, day).batch_ids() for day in days if waits_for_batch(lake, day)}


def collecting_run(team_day: TeamDay, batch_ids: Sequence[str]) -> DueRun:
    """The run that collects these batches; another one once there are others."""
    version = hashlib.sha256("/".join(sorted(batch_ids)).encode()).hexdigest()
    return DueRun("summarize_traces", team_day, f"batch-{version}")


def ended_batches(settings: Settings, batch_ids: Sequence[str]) -> tuple[set[str], list[str]]:
    """Those of the batches from which nothing more will come; and what is wrong with those that cannot be asked about.

    Raises:
        FailFast, RetryLater: none of the batches can be asked about.
    """
    from llma_assets.llm.background import BackgroundLoop
    from llma_assets.llm.batch.api import BatchApi
    from llma_assets.llm.summarizer import MODEL_SETTING
    from llma_assets.llm.work import access_without_task

    async def ask() -> tuple[set[str], list[LlmaError]]:
        api = BatchApi(access_without_task(settings), MODEL_SETTING)
        ended: set[str] = set()
        errors: list[LlmaError] = []
        try:
            for batch_id in batch_ids:
                try:
                    if (await api.get(batch_id)).has_ended:
                        ended.add(batch_id)
                except FailFast as error:
                    errors.append(error)
        finally:
            await api.close()
        return ended, errors

    with BackgroundLoop() as loop:
        ended, errors = loop.run(ask())
    if errors and len(errors) == len(batch_ids):
        raise errors[0]
    return ended, [str(error) for error in errors]
