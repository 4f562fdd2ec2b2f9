"""The sensor that tells findings to a webhook, each once."""

import logging
from collections.abc import Callable

import dagster as dg

from llma_assets.alerts.outbox import Outbox
from llma_assets.alerts.webhook import URL_VARIABLE, Webhook, webhook_from_environment
from llma_assets.errors import LlmaError
from llma_assets.lake import Lake
from llma_assets.redaction.redactor import Redactor
from llma_assets.resources.clock import Clock
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import Settings, load_settings


@dg.sensor(
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        f"Sends what `cluster_alerts` found to the webhook that {URL_VARIABLE} names: each finding once, "
        "tried again with growing waits, recorded in `alert_deliveries`."
    ),
)
def alert_sensor(context: dg.SensorEvaluationContext, lake: LakeResource, clock: Clock) -> dg.SkipReason:
    """It requests no run; the reason that it gives says what it did. The lake knows what was sent: no cursor."""
    try:
        settings = load_settings()
        webhook = webhook_from_environment(settings.alert_allow_private)
        if webhook is None:
            return dg.SkipReason(f"{URL_VARIABLE} is not set")
        result = outbox(lake.open(), webhook, settings, clock, context.log).send_due()
    except LlmaError as error:
        context.log.error("alerts were not sent: %s", error)
        return dg.SkipReason(f"alerts were not sent: {error}")
    return dg.SkipReason("; ".join([str(result), *result.problems, *result.unread]))


def outbox(lake: Lake, webhook: Webhook, settings: Settings, clock: Clock, log: logging.Logger) -> Outbox:
    """The outbox that the settings describe."""
    return Outbox(lake, webhook, settings, redact_for(webhook, settings), clock.now, log)


def redact_for(webhook: Webhook, settings: Settings) -> Callable[[str], str] | None:
    """What takes secrets out of titles before they leave, by the setting for other servers.

    A webhook counts as somebody else's unless private addresses are allowed.
    """
    if settings.redaction == "never" or (settings.redaction == "remote" and webhook.allow_private):
        return None
    return Redactor(settings.redaction_patterns).text
