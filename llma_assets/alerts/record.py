"""The record of what was told, as the table `alert_deliveries`: written before and after each attempt."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from llma_assets.alerts.webhook import WebhookAnswer
from llma_assets.labeling.suppression import suppress_message
from llma_assets.lake import Lake
from llma_assets.tables.alert_deliveries import ALERT_DELIVERIES, AlertDeliveryRow
from llma_assets.team_day import TeamDay

TABLE = "alert_deliveries"
FIRST_WAIT_S = 120.0
MAX_WAIT_S = 6 * 3_600.0


class Status(StrEnum):
    """How far telling a finding got."""

    PENDING = "pending"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    DEAD = "dead"


OPEN = (Status.PENDING, Status.SENDING, Status.RETRYING)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One finding and what became of telling it; the columns of the table, without the partition's."""

    alert_id: str
    kind: str
    found_date: date
    status: str
    attempts: int
    status_code: int | None
    error: str | None
    message: str
    recorded_at: datetime
    attempted_at: datetime | None
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    min_users: int | None = None

    def content(self, min_users: int) -> dict[str, Any]:
        """The message as data, as it may be sent under a minimum of distinct users."""
        return suppress_message(json.loads(self.message), self.min_users, min_users)

    def is_due(self, now: datetime) -> bool:
        """Whether it waits for an attempt. One that was being sent when a process died waits like one that failed."""
        return self.status in OPEN and (self.next_attempt_at is None or self.next_attempt_at <= now)

    def begun(self, now: datetime) -> "Delivery":
        """As it is recorded before an attempt: if nothing is recorded after it, it is tried again."""
        attempts = self.attempts + 1
        return replace(
            self,
            status=Status.SENDING,
            attempts=attempts,
            attempted_at=now,
            next_attempt_at=now + timedelta(seconds=wait_s(attempts)),
        )

    def ended(self, answer: WebhookAnswer, now: datetime, max_attempts: int) -> "Delivery":
        """As it is recorded after an attempt."""
        told = replace(self, status_code=answer.status_code, error=answer.error)
        if answer.error is None:
            return replace(told, status=Status.DELIVERED, next_attempt_at=None, delivered_at=now)
        if self.attempts >= max_attempts:
            return told.given_up(f"{answer.error}; given up after {self.attempts} attempts")
        wait = max(wait_s(self.attempts), min(answer.retry_after_s or 0.0, MAX_WAIT_S))
        return replace(told, status=Status.RETRYING, next_attempt_at=now + timedelta(seconds=wait))

    def given_up(self, reason: str) -> "Delivery":
        """As it is recorded when it is not tried again."""
        return replace(self, status=Status.DEAD, error=reason, next_attempt_at=None)


def wait_s(attempts: int) -> float:
    """Seconds from one attempt to the next: four times more each time, up to `MAX_WAIT_S`."""
    return float(min(FIRST_WAIT_S * 4 ** (attempts - 1), MAX_WAIT_S))


def pending(row: Mapping[str, Any], content: Mapping[str, Any], now: datetime) -> Delivery:
    """The delivery of a finding that was not recorded yet.

    Args:
        row: of the table `cluster_alerts`.
        content: the message.
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return Delivery(
        row["alert_id"],
        row["kind"],
        row["date"],
        Status.PENDING,
        0,
        None,
        None,
        text,
        now,
        None,
        None,
        None,
        row["min_users"],
    )


class DeliveryRecord:
    """The deliveries of one partition by alert id. Its writer holds the lock of the outbox."""

    def __init__(self, lake: Lake, team_day: TeamDay):
        self._lake, self._team_day = lake, team_day
        self.rows: dict[str, Delivery] = {}
        if lake.exists(TABLE, team_day):
            names = [field.name for field in fields(Delivery)]
            self.rows = {row["alert_id"]: Delivery(**row) for row in lake.read(TABLE, team_day, names).to_pylist()}

    def put(self, delivery: Delivery) -> None:
        """Add or replace one, and write the partition: all of it, or nothing."""
        self.rows[delivery.alert_id] = delivery
        of_partition = {"team_id": self._team_day.team, "date": self._team_day.day}
        rows = [cast("AlertDeliveryRow", of_partition | asdict(delivery)) for _, delivery in sorted(self.rows.items())]
        self._lake.write(TABLE, self._team_day, ALERT_DELIVERIES.arrow(rows))
