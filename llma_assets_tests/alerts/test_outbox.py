"""Each finding is told once, whatever dies in between; what cannot be told is given up with its reason."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from llma_assets.alerts.outbox import Outbox, SendingResult
from llma_assets.alerts.record import FIRST_WAIT_S, MAX_WAIT_S, DeliveryRecord, wait_s
from llma_assets.alerts.webhook import Webhook
from llma_assets.automation.alert_sensor import alert_sensor, redact_for
from llma_assets.checks.findings import CHECKS
from llma_assets.cli.project import Project
from llma_assets.definitions import defs, resources
from llma_assets.errors import PartitionLocked
from llma_assets.findings.finding import Kind
from llma_assets.lake import Lake
from llma_assets.resources.clock import Clock
from llma_assets.settings import Settings, load_settings
from llma_assets.tables.cluster_events import CLUSTER_EVENTS
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.team_day import TeamDay
from llma_assets_tests import ROOT
from llma_assets_tests.alerts.receiver import Receiver, free_port, receiving
from llma_assets_tests.cli.in_process import llma
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.planted import summary_row
from llma_assets_tests.stages.planted_alerts import DAY, finding, write

NOW = datetime(2026, 1, 10, 6, tzinfo=UTC)
LOG = logging.getLogger("test")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("LLMA_ALERT_ALLOW_PRIVATE", "1")
    with receiving() as one:
        monkeypatch.setenv("LLMA_ALERT_WEBHOOK_URL", one.url)
        yield one


def send(lake: Lake, receiver: Receiver, now: datetime = NOW) -> SendingResult:
    """One tick of the outbox."""
    webhook = Webhook(receiver.url, allow_private=True, timeout_s=2.0)
    return Outbox(lake, webhook, load_settings(), None, lambda: now, LOG).send_due()


def record(lake: Lake, day: date = DAY, team: str = "acme") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lake.read("alert_deliveries", TeamDay(team, day)).to_pylist()
    return rows


def test_a_finding_is_told_once_with_what_was_found(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"))
    assert str(send(lake, receiver)) == "1 delivered, 0 failed, 0 given up, 0 wait"
    assert str(send(lake, receiver)) == "0 delivered, 0 failed, 0 given up, 0 wait"
    (message,) = receiver.messages
    assert message["text"] == "Cluster “Refunds”: 8 of 30 items have errors"
    assert (message["kind"], message["team"], message["date"], message["level"]) == (
        "errors",
        "acme",
        "2026-01-09",
        "trace",
    )
    assert receiver.requests[0]["headers"]["Idempotency-Key"] == finding("a").alert_id == message["alert_id"]
    (row,) = record(lake)
    assert (row["status"], row["attempts"], row["status_code"], row["error"]) == ("delivered", 1, 200, None)
    assert row["delivered_at"] == row["attempted_at"] == NOW
    assert row["found_date"] == DAY


def test_what_lasts_three_days_is_told_on_the_first(lake: Lake, receiver: Receiver) -> None:
    first = DAY - timedelta(days=2)
    for n in range(3):
        day = first + timedelta(days=n)
        write(lake, finding("a", day, since=first), day=day)
        send(lake, receiver, NOW - timedelta(days=2 - n))
    assert [message["date"] for message in receiver.messages] == [first.isoformat()]
    after = DAY + timedelta(days=1)
    write(lake, finding("a", after, since=after), day=after)
    send(lake, receiver, NOW + timedelta(days=1))
    assert [message["since"] for message in receiver.messages] == [first.isoformat(), after.isoformat()], (
        "another episode"
    )


def test_a_day_that_is_run_again_is_not_told_again(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"))
    send(lake, receiver)
    write(lake, finding("a"), finding("b"))
    send(lake, receiver)
    assert [message["lineage_id"] for message in receiver.messages] == ["a", "b"]


def test_teams_do_not_share_a_finding(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"))
    write(lake, finding("a", team="other"), team="other")
    send(lake, receiver)
    assert sorted(message["team"] for message in receiver.messages) == ["acme", "other"]


def test_a_team_with_a_broken_file_silences_no_other(lake: Lake, receiver: Receiver) -> None:
    for team in ("acme", "other"):
        write(lake, finding("a", team=team), team=team)
    Path(lake.path("cluster_alerts", TeamDay("acme", DAY))).write_bytes(b"PAR1 cut off")
    result = send(lake, receiver)
    assert [message["team"] for message in receiver.messages] == ["other"]
    (unread,) = result.unread
    assert unread.startswith("team acme: ") and "run the partition again" in unread
    assert result.problems == [], "the receiver is well"


def test_a_skipped_team_is_not_told(lake: Lake, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    write(lake, finding("a"))
    monkeypatch.setenv("LLMA_TEAMS_SKIP", "acme")
    assert send(lake, receiver).delivered == 0


def test_a_title_from_under_a_lower_minimum_is_not_told(
    lake: Lake, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S7: neither of a finding, nor of a message that was written before there was a minimum and still waits."""
    write(lake, finding("a"))
    receiver.answers = [500]
    send(lake, receiver)
    assert receiver.messages[0]["title"] == "Refunds"
    monkeypatch.setenv("LLMA_MIN_USERS_PER_CLUSTER", "5")
    write(lake, finding("b"), day=DAY - timedelta(days=1))
    send(lake, receiver, NOW + timedelta(seconds=FIRST_WAIT_S))
    assert {message["title"] for message in receiver.messages[1:]} == {"Cluster of few users"}
    texts = [message["text"] for message in receiver.messages[1:]]
    assert sorted(texts) == ["Cluster of few users", "Cluster “Cluster of few users”: 8 of 30 items have errors"]
    messages = Project().rows("SELECT message FROM alert_deliveries")
    assert len(messages) == 2
    assert not any("Refunds" in (row["message"] or "") for row in messages)
    assert {row["min_users"] for row in record(lake)} == {5, None}


def test_old_days_are_not_told(lake: Lake, receiver: Receiver) -> None:
    old = NOW.date() - timedelta(days=4)
    write(lake, finding("a", old), day=old)
    assert send(lake, receiver).delivered == 0
    write(lake, finding("a", old), day=old + timedelta(days=1))
    assert send(lake, receiver).delivered == 1, "it is still found on a day that is not old"


def test_a_failure_is_tried_again_in_a_later_tick_and_not_before(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"))
    receiver.answers = [500]
    result = send(lake, receiver)
    assert (result.failed, result.problems) == (1, ["HTTP 500"])
    assert (
        record(lake)[0] | {"status": "retrying", "attempts": 1, "status_code": 500, "error": "HTTP 500"}
        == record(lake)[0]
    )
    send(lake, receiver, NOW + timedelta(seconds=FIRST_WAIT_S - 1))
    assert len(receiver.requests) == 1
    send(lake, receiver, NOW + timedelta(seconds=FIRST_WAIT_S))
    first, second = receiver.requests
    assert first["body"] == second["body"]
    assert first["headers"]["Idempotency-Key"] == second["headers"]["Idempotency-Key"]
    (row,) = record(lake)
    assert (row["status"], row["attempts"], row["status_code"], row["error"]) == ("delivered", 2, 200, None)


def test_a_receiver_that_asks_for_time_gets_it(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"))
    receiver.answers = [{"status": 429, "headers": {"Retry-After": "3600"}}]
    send(lake, receiver)
    assert record(lake)[0]["next_attempt_at"] == NOW + timedelta(hours=1)


def test_waits_grow_up_to_a_limit() -> None:
    waits = [wait_s(n) for n in range(1, 20)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (FIRST_WAIT_S, MAX_WAIT_S)


def test_what_never_arrives_is_given_up_with_its_reason(
    lake: Lake, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_ALERT_MAX_ATTEMPTS", "3")
    write(lake, finding("a"))
    receiver.answers = [404] * 9
    for n in range(6):
        send(lake, receiver, NOW + timedelta(days=n / 4))
    assert len(receiver.requests) == 3
    (row,) = record(lake)
    assert (row["status"], row["error"]) == ("dead", "HTTP 404; given up after 3 attempts")


def test_a_receiver_that_is_down_costs_one_attempt_a_tick(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"), finding("b"), finding("c"))
    receiver.answers = [503]
    assert str(send(lake, receiver)) == "0 delivered, 1 failed, 0 given up, 2 wait"
    assert sorted(row["attempts"] for row in record(lake)) == [0, 0, 1]
    assert send(lake, receiver).delivered == 2


def test_a_message_that_is_refused_stops_no_other(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"), finding("b"))
    receiver.answers = [400]
    assert str(send(lake, receiver)) == "1 delivered, 1 failed, 0 given up, 0 wait"


def test_a_tick_is_bounded(lake: Lake, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_ALERT_MAX_PER_TICK", "2")
    write(lake, *(finding(str(n)) for n in range(5)))
    assert [send(lake, receiver).delivered for _ in range(4)] == [2, 2, 1, 0]
    assert len({message["alert_id"] for message in receiver.messages}) == 5


def test_two_do_not_send_at_the_same_time(lake: Lake, receiver: Receiver) -> None:
    write(lake, finding("a"))
    hasty = Lake(lake.url, lock_timeout_s=0.1)
    with lake.named_lock("alert_deliveries.outbox"), pytest.raises(PartitionLocked):
        send(hasty, receiver)
    assert receiver.requests == []


KILLED = """
import logging, sys
from datetime import datetime
from llma_assets.checks.findings import CHECKS
from llma_assets.alerts.outbox import Outbox
from llma_assets.alerts.webhook import Webhook
from llma_assets.findings.finding import Kind
from llma_assets.lake import Lake
from llma_assets.settings import Settings, load_settings
settings, now = load_settings(), datetime.fromisoformat(sys.argv[2])
webhook = Webhook(sys.argv[1], allow_private=True)
Outbox(Lake(settings.lake), webhook, settings, None, lambda: now, logging.getLogger("x")).send_due()
"""


@pytest.mark.parametrize(("point", "arrived"), [("before_send", 1), ("after_send", 2)])
def test_a_process_that_dies_around_the_send_leaves_work_that_is_done_again(
    lake: Lake, receiver: Receiver, point: str, arrived: int
) -> None:
    """At least once: between the answer and the record the message is sent again, under the same id."""
    write(lake, finding("a"))
    command = [sys.executable, "-c", KILLED, receiver.url, NOW.isoformat()]
    done = subprocess.run(command, env=os.environ | {"LLMA_KILL_AT": point, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [(row["status"], row["attempts"]) for row in record(lake)] == [("sending", 1)]
    assert send(lake, receiver).delivered == 0, "not at once: it may be another process's"
    assert send(lake, receiver, NOW + timedelta(seconds=FIRST_WAIT_S)).delivered == 1
    assert len(receiver.requests) == arrived
    assert len({request["headers"]["Idempotency-Key"] for request in receiver.requests}) == 1
    assert [(row["status"], row["attempts"]) for row in record(lake)] == [("delivered", 2)]


def test_a_last_attempt_without_a_record_is_given_up(
    lake: Lake, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_ALERT_MAX_ATTEMPTS", "1")
    write(lake, finding("a"))
    send(lake, receiver)
    of_day = DeliveryRecord(lake, TeamDay("acme", DAY))
    (delivery,) = of_day.rows.values()
    of_day.put(delivery.begun(NOW))
    assert send(lake, receiver, NOW + timedelta(days=1)).dead == 1
    assert record(lake)[0]["error"] == "the last attempt ended without a record; it may have arrived"


def tick(instance: dg.DagsterInstance) -> str:
    """What one evaluation of the sensor says."""
    outside = resources(load_settings(), Clock(fixed=NOW.isoformat()))
    with dg.build_sensor_context(instance=instance, resources={n: outside[n] for n in ("lake", "clock")}) as context:
        said = alert_sensor(context)
    assert isinstance(said, dg.SkipReason)
    return str(said.skip_message)


def test_the_sensor_sends_and_says_so(lake: Lake, receiver: Receiver, instance: dg.DagsterInstance) -> None:
    write(lake, finding("a"))
    assert tick(instance) == "1 delivered, 0 failed, 0 given up, 0 wait"
    receiver.answers = [500]
    write(lake, finding("a"), finding("b"))
    assert tick(instance) == "0 delivered, 1 failed, 0 given up, 0 wait; HTTP 500"
    rows = Project().rows("SELECT lineage_id, delivery, attempts, error FROM alerts ORDER BY lineage_id")
    assert [tuple(row.values()) for row in rows] == [("a", "delivered", 1, None), ("b", "retrying", 1, "HTTP 500")]


def test_the_sensor_is_off_and_idle_without_an_address(
    lake: Lake, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sensor,) = [sensor for sensor in defs.sensors or [] if sensor.name == "alert_sensor"]
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    write(lake, finding("a"))
    assert tick(instance) == "LLMA_ALERT_WEBHOOK_URL is not set"
    monkeypatch.setenv("LLMA_ALERT_WEBHOOK_URL", "http://hooks.example.com/secret-word")
    assert "does not begin with https://" in tick(instance)
    assert "secret-word" not in tick(instance)
    assert not lake.exists("alert_deliveries", TeamDay("acme", DAY)), "no attempt is spent on a wrong setting"


def test_the_address_is_in_no_file_and_no_log(
    lake: Lake,
    receiver: Receiver,
    instance_on_disk: dg.DagsterInstance,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """S20: every byte below the folder of the test, the log and what the sensor says."""
    write(lake, finding("a"), finding("b"))
    receiver.answers = [500]
    with caplog.at_level(logging.DEBUG):
        said = tick(instance_on_disk)
    assert "token-of-the-path" not in said + caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if b"token-of-the-path" in path.read_bytes()] == []


@pytest.mark.parametrize(("redaction", "shown"), [("remote", False), ("never", True)])
def test_titles_are_redacted_as_texts_for_other_servers_are(
    monkeypatch: pytest.MonkeyPatch, redaction: str, shown: bool
) -> None:
    monkeypatch.setenv("LLMA_REDACTION", redaction)
    redact = redact_for(Webhook("https://hooks.example.com/x"), load_settings())
    assert (redact is None) == shown
    if redact is not None:
        assert redact("mail jo@example.com") == "mail [email]"
    assert redact_for(Webhook("http://10.0.0.1/x", allow_private=True), load_settings()) is None


def test_a_team_that_fell_silent_is_told_once(lake: Lake, receiver: Receiver) -> None:
    """Nothing runs for a team without items: only the sensor sees that days pass."""
    write(lake, day=date(2025, 12, 1))
    for n in range(1, 9):
        day = TeamDay("acme", date(2026, 1, n))
        lake.write("trace_summaries", day, pa.Table.from_pylist([summary_row(day, "bag-1")], TRACE_SUMMARIES.schema))
        event = dict.fromkeys(CLUSTER_EVENTS.names, "x") | {"team_id": "acme", "date": day.day, "part": 1, "parts": 1}
        lake.write("cluster_events", day, pa.Table.from_pylist([event | {"timestamp": NOW}], CLUSTER_EVENTS.schema))
    for hours in (0, 12, 48, 50, 72, 96):
        send(lake, receiver, datetime(2026, 1, 9, 1, tzinfo=UTC) + timedelta(hours=hours))
    (message,) = receiver.messages
    assert (message["kind"], message["date"]) == ("gap", "2026-01-09")
    assert message["text"] == "Nothing is shown for 2026-01-09 (no items), though the days before are shown"


def test_the_command_lists_findings_and_deliveries(lake: Lake, receiver: Receiver, ingest: Callable[..., Any]) -> None:
    ingest(demo_events("assistant", 1))
    write(lake, finding("a"))
    write(lake, finding("z", team="other"), team="other")
    send(lake, receiver)
    answer = json.loads(llma("alerts", "--team", "acme", "--json").stdout)
    assert [(one["lineage_id"], one["delivery"]) for one in answer["findings"]] == [("a", "delivered")]
    assert [(delivery["status"], delivery["attempts"]) for delivery in answer["deliveries"]] == [("delivered", 1)]
    shown = llma("alerts").stdout
    assert "8 of 30 items have errors" in shown and "other" in shown
    wrong = llma("alerts", "--team", "a b")
    assert wrong.returncode == 2 and "a b" in wrong.stderr


def test_the_command_sends_a_test_message(receiver: Receiver) -> None:
    done = llma("alerts", "test")
    assert (done.returncode, done.stdout.strip()) == (0, "127.0.0.1 took the test message (HTTP 200)")
    (message,) = receiver.messages
    assert message["kind"] == "test"
    down = llma("alerts", "test", LLMA_ALERT_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/secret-word")
    assert down.returncode == 1
    assert "ConnectionRefusedError" in down.stderr and "secret-word" not in down.stderr
    unset = llma("alerts", "test", LLMA_ALERT_WEBHOOK_URL="")
    assert unset.returncode == 2 and "LLMA_ALERT_WEBHOOK_URL" in unset.stderr


DOCS = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_the_docs_name_what_there_is(lake: Lake, receiver: Receiver) -> None:
    kinds = re.findall(r"^\| `(\w+)` \|.*\| `(\w+)` \|$", DOCS, flags=re.M)
    names = {str(kind): name for kind, (name, _) in CHECKS.items()} | {"drift": "no_drift", "coverage": "covers_items"}
    assert dict(kinds) == names
    assert set(names) == set(Kind)
    settings = set(re.findall(r"`(LLMA_ALERT_\w+?|LLMA_M\w+)(?:=1)?`", DOCS)) - {"LLMA_ALERT_WEBHOOK_URL"}
    known = {f"LLMA_{name.upper()}" for name in Settings.model_fields}
    assert settings <= known
    assert {name for name in known if name.startswith("LLMA_ALERT_")} <= settings | {
        "LLMA_ALERT_WEBHOOK_FORMAT", "LLMA_ALERT_MAX_PER_TICK"
    }  # fmt: skip
    (query,) = re.findall(r"```sql\n(.*?)```", DOCS, flags=re.S)
    write(lake, finding("a"))
    send(lake, receiver)
    (row,) = Project().rows(query)
    assert (row["kind"], row["days"], row["delivery"]) == ("errors", 1, "delivered")
    fields = set(re.findall(r"`(\w+)`", DOCS.split("* **generic**")[1].split("**slack**")[0]))
    assert set(receiver.messages[0]) == fields
