"""Tells each finding once: at least once over the wire, with an id by which a receiver folds repetitions."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from llma_assets.alerts.message import message, request
from llma_assets.alerts.record import TABLE as DELIVERIES
from llma_assets.alerts.record import DeliveryRecord, pending
from llma_assets.alerts.webhook import Webhook
from llma_assets.errors import LlmaError
from llma_assets.lake import Lake
from llma_assets.lake.faults import kill_point
from llma_assets.readers.cluster_names import alerts_of
from llma_assets.settings import Settings
from llma_assets.stages.cluster_alerts import TABLE as ALERTS
from llma_assets.stages.cluster_alerts import gap_today, row_of
from llma_assets.team_day import TeamDay

LOCK = "alert_deliveries.outbox"
# A tick begins nothing after this, so that it ends before Dagster gives it up (60 s).
MAX_TICK_S = 35.0
# Deliveries that were begun so long ago are looked for, too; older ones only while they are still found.
_LOOK_BACK_DAYS = 14
# What a message itself may be refused for; anything else says that the receiver is not well, and others wait.
_OF_THE_MESSAGE = (400, 413, 415, 422)


@dataclass(slots=True)
class SendingResult:
    """What one tick did."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)
    # Teams whose tables cannot be read, each with why: the matter of that team alone.
    unread: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.delivered} delivered, {self.failed} failed, {self.dead} given up, {self.waiting} wait"


@dataclass(frozen=True, slots=True)
class Outbox:
    """Everything that sending findings needs.

    Attributes:
        redact: takes secrets out of what is sent; None: it goes as it is.
        now: the clock of the record.
    """

    lake: Lake
    webhook: Webhook
    settings: Settings
    redact: Callable[[str], str] | None
    now: Callable[[], datetime]
    log: logging.Logger

    def send_due(self) -> SendingResult:
        """Record findings that are new, and send what is due, oldest first, within the limits of a tick.

        Raises:
            PartitionLocked: another process sends just now.
        """
        result, deadline, sent = SendingResult(), time.monotonic() + MAX_TICK_S, 0
        with self.lake.named_lock(LOCK):
            for record, alert_id in self._due(result):
                delivery = record.rows[alert_id]
                if delivery.attempts >= self.settings.alert_max_attempts:
                    result.dead += 1
                    record.put(delivery.given_up("the last attempt ended without a record; it may have arrived"))
                    continue
                stopped = bool(result.problems) or time.monotonic() >= deadline
                if stopped or sent >= self.settings.alert_max_per_tick:
                    result.waiting += 1
                    continue
                sent += 1
                self._send(record, alert_id, result)
        return result

    def _send(self, record: DeliveryRecord, alert_id: str, result: SendingResult) -> None:
        begun = record.rows[alert_id].begun(self.now())
        record.put(begun)
        kill_point("before_send")
        content = begun.content(self.settings.min_users_per_cluster)
        answer = self.webhook.send(*request(content, self.settings.alert_webhook_format))
        kill_point("after_send")
        ended = begun.ended(answer, self.now(), self.settings.alert_max_attempts)
        record.put(ended)
        if answer.error is None:
            result.delivered += 1
            self.log.info("alert %s (%s) delivered", alert_id, ended.kind)
            return
        self.log.warning("alert %s (%s), attempt %d: %s", alert_id, ended.kind, ended.attempts, ended.error)
        result.dead += ended.next_attempt_at is None
        result.failed += ended.next_attempt_at is not None
        if answer.status_code not in _OF_THE_MESSAGE:
            result.problems.append(answer.error)

    def _due(self, result: SendingResult) -> Iterator[tuple[DeliveryRecord, str]]:
        """Deliveries of every team that wait for an attempt now."""
        for team in self.lake.teams(ALERTS):
            if team in self.settings.teams_skip:
                continue
            try:
                yield from self._due_of(team)
            except LlmaError as error:
                # One team's broken file does not silence the others.
                self.log.error("alerts of team %s were not sent: %s", team, error)
                result.unread.append(f"team {team}: {error}")

    def _due_of(self, team: str) -> Iterator[tuple[DeliveryRecord, str]]:
        """Deliveries of a team, oldest day first; new findings are recorded on the way."""
        found, min_users = self._findings(team), self.settings.min_users_per_cluster
        first = self.now().date() - timedelta(days=_LOOK_BACK_DAYS)
        days = {day.day for day in self.lake.days(DELIVERIES, team) if day.day >= first}
        for day in sorted(days | {row["since"] for row in found}):
            record = DeliveryRecord(self.lake, TeamDay(team, day))
            for row in found:
                if row["since"] == day and row["alert_id"] not in record.rows:
                    row = {**row, "min_users": max(min_users, row["min_users"] or 0) or None}
                    record.put(pending(row, message(row, self.redact), self.now()))
            for alert_id in sorted(record.rows):
                if record.rows[alert_id].is_due(self.now()):
                    yield record, alert_id

    def _findings(self, team: str) -> list[Mapping[str, Any]]:
        """Findings of the newest days, each once, as it was first found; and a gap that still lasts."""
        today = self.now().date()
        days = [
            day
            for day in self.lake.days(ALERTS, team)
            if 0 <= (today - day.day).days <= self.settings.alert_max_age_days
        ]
        rows: list[Mapping[str, Any]] = [*alerts_of(self.lake, days, self.settings.min_users_per_cluster)]
        gap = gap_today(self.lake, team, self.settings, self.now())
        rows += [row_of(gap)] if gap else []
        found: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            found.setdefault(row["alert_id"], row)
        return list(found.values())
