"""Capture to PostHog: what is sent, when nothing is, and that a dead endpoint changes nothing (F31, S20, S21, B19)."""

import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llma_assets.cli.project import Project
from llma_assets.lake import Lake
from llma_assets.llm import capture as capture_module
from llma_assets.llm.call_record import CallRecord
from llma_assets.llm.capture import Capture, is_opted_out, open_capture
from llma_assets.llm.recorder import Recorder
from llma_assets.llm.task import LlmTask
from llma_assets.settings import load_settings
from llma_assets.sources.lake_event_source import lake_event_source
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import OWN_TRAFFIC_PROPERTY, Level
from llma_assets_tests.real_traces import demo_events

KEY = "phc_seededKeyForTests0123456789"
DAY = TeamDay("acme", date(2026, 3, 9))
AT = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
CALL = CallRecord(AT, "chat", "gpt-4.1-mini", "openai", "trace t1", 2, 2.5, 1_000, 200, 100, 0.001, "stop", None)
EMBEDDING = replace(CALL, kind="embedding", model="text-embedding-3-large", output_tokens=None, subject="128 texts")
FAILED = replace(CALL, error="HTTP 500", input_tokens=None, cached_input_tokens=None, output_tokens=None, cost_usd=None)
PROMPT = "the customer's own words"


class Sink:
    """A server that takes what PostHog's takes; `status` and `hang_s` say how it behaves."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.hang_s = 0.0
        self.echo = False
        self.paths: list[str] = []
        self.bodies: list[bytes] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for body in self.bodies for event in json.loads(body)["batch"]]


@pytest.fixture
def sink() -> Iterator[Sink]:
    state = Sink()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            state.paths.append(self.path)
            state.bodies.append(body)
            time.sleep(state.hang_s)
            answer = body if state.echo else b'{"status": "Ok"}'
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    state.hang_s = 0.0
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test is a process of its own, as far as clients and what was said once go."""
    for name in ("POSTHOG_API_KEY", "POSTHOG_PROJECT_API_KEY", "POSTHOG_HOST", "OPT_OUT_CAPTURE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(capture_module, "_open", {})
    capture_module._warn_once.cache_clear()
    logger = logging.getLogger("posthog")
    before = list(logger.filters)
    yield
    logger.filters[:] = before


def opened(host: str, **more: str) -> Capture:
    found = open_capture({"POSTHOG_API_KEY": KEY, "POSTHOG_HOST": host} | more)
    assert found is not None
    return found


def record(lake: Lake, capture: Capture | None, *calls: CallRecord, run: str = "run-1") -> float:
    """Records `calls` as one task does; the seconds that its end took."""
    recorder = Recorder(lake, LlmTask("trace_summaries", DAY, run), capture, lambda: AT)
    for call in calls:
        recorder.call(call)
    begin = time.monotonic()
    recorder.close("ok", {"items": len(calls), "cache_hits": 3})
    return time.monotonic() - begin


def recorded() -> list[dict[str, Any]]:
    return Project().rows("SELECT * FROM llm_calls ORDER BY uuid")


def items_of_the_day() -> int:
    """Traces and generations that the pipeline would summarize."""
    source = lake_event_source(load_settings())
    return source.day_items(DAY, list(Level)).num_rows


# --- what is sent ---------------------------------------------------------------------------


def test_events_carry_what_the_table_holds(lake: Lake, sink: Sink) -> None:
    record(lake, opened(sink.url), CALL, EMBEDDING, FAILED)
    events = sorted(sink.events, key=lambda event: (event["event"], event["properties"]["$ai_is_error"]))
    assert [event["event"] for event in events] == ["$ai_embedding", "$ai_generation", "$ai_generation", "$ai_trace"]
    assert sorted(event["uuid"] for event in events) == [row["uuid"] for row in recorded()]
    generation, failed, trace = (event["properties"] for event in events[1:])
    expected = {
        "$ai_model": "gpt-4.1-mini",
        "$ai_provider": "openai",
        "$ai_input_tokens": 1_000,
        "$ai_cache_read_input_tokens": 200,
        "$ai_cache_reporting_exclusive": False,
        "$ai_output_tokens": 100,
        "$ai_latency": 2.5,
        "$ai_total_cost_usd": 0.001,
        "$ai_stop_reason": "stop",
        "$ai_is_error": False,
        "$ai_span_name": "trace_summaries",
        "$process_person_profile": False,
        OWN_TRAFFIC_PROPERTY: True,
        "llma_team_id": "acme",
        "llma_date": "2026-03-09",
        "llma_asset": "trace_summaries",
        "llma_dagster_run_id": "run-1",
        "llma_subject": "trace t1",
        "llma_attempts": 2,
    }
    assert expected.items() <= generation.items()
    assert (failed["$ai_is_error"], failed["$ai_error"]) == (True, "HTTP 500")
    assert "$ai_total_cost_usd" not in failed
    assert {event["properties"]["$ai_trace_id"] for event in events} == {recorded()[0]["trace_id"]}
    assert generation["$ai_parent_id"] == trace["$ai_trace_id"]
    assert generation["$ai_span_id"] == events[1]["uuid"]
    assert (trace["llma_outcome"], trace["llma_items"], trace["llma_cache_hits"]) == ("ok", 3, 3)
    # Whoever adds up a trace must not find its cost twice.
    assert not {"$ai_total_cost_usd", "$ai_input_tokens", "$ai_output_tokens"} & set(trace)
    assert trace["llma_cost_usd"] == pytest.approx(0.002)
    assert {event["distinct_id"] for event in events} == {"llma_assets"}
    assert datetime.fromisoformat(events[1]["timestamp"]) == AT


def test_content_is_sent_only_where_it_was_recorded(lake: Lake, sink: Sink) -> None:
    capture = opened(sink.url)
    record(lake, capture, CALL)
    assert sink.events
    sent = b"".join(sink.bodies)
    assert b'$ai_input"' not in sent
    assert b"$ai_output_choices" not in sent
    record(lake, capture, replace(CALL, input=PROMPT, output="{}"), replace(EMBEDDING, input=PROMPT))
    found = {event["event"]: event["properties"] for event in sink.events if "$ai_input" in event["properties"]}
    assert found["$ai_generation"]["$ai_input"] == [{"role": "user", "content": PROMPT}]
    assert found["$ai_generation"]["$ai_output_choices"] == [{"role": "assistant", "content": "{}"}]
    assert found["$ai_embedding"]["$ai_input"] == PROMPT


def test_large_content_is_cut_so_that_the_event_arrives(lake: Lake, sink: Sink) -> None:
    """The SDK drops an event of more than 900 KiB without a word; an emoji is 12 bytes of JSON."""
    text = "begin " + "😀" * 500_000 + " end"
    record(lake, opened(sink.url), replace(CALL, input=text, output=text))
    (event,) = (event for event in sink.events if event["event"] == "$ai_generation")
    shown = event["properties"]["$ai_input"][0]["content"]
    assert shown.startswith("begin ")
    assert shown.endswith(" end")
    assert "chars left out" in shown
    (row,) = (row for row in recorded() if row["event"] == "$ai_generation")
    assert row["input"] == text, "the lake keeps all of it"


def test_nothing_else_is_asked_of_any_server(lake: Lake, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """No feature flags, no remote configuration, no release check."""
    addresses: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        addresses.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    record(lake, opened(sink.url), CALL)
    host, port = re.fullmatch(r"http://(.*):(\d+)", sink.url).groups()  # type: ignore[union-attr]
    assert set(addresses) == {(host, int(port))}
    assert set(sink.paths) == {"/batch/"}


def test_own_events_that_come_back_never_become_items(lake: Lake, sink: Sink, ingest: Any) -> None:
    """B19: what we send is ingested with the customer's events, three days long."""
    real = demo_events("airline", 10, "2026-03-09")
    ingest(real)
    clean = items_of_the_day()
    assert clean > 0
    capture = opened(sink.url)
    for day in range(3):
        record(lake, capture, *[CALL] * 5, EMBEDDING, run=f"run-{day}")
        ingest(sink.events)
        assert items_of_the_day() == clean
    own = Project().rows("SELECT count(*) AS n FROM trace_events WHERE is_own")
    assert own[0]["n"] > 0
    stripped = [event | {"properties": dict(event["properties"])} for event in sink.events]
    for number, event in enumerate(stripped):
        del event["properties"][OWN_TRAFFIC_PROPERTY]
        event["uuid"] = f"stripped-{number}"
    ingest(stripped)
    assert items_of_the_day() > clean, "the marker is what keeps them out"


# --- when it is off -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", " ", "0", "false", "False", "no", "NO", "off", " off "])
def test_these_do_not_opt_out(value: str | None, caplog: pytest.LogCaptureFixture) -> None:
    assert not is_opted_out(value)
    assert not caplog.records


@pytest.mark.parametrize("value", ["1", "true", "True", "TRUE", "yes", "on", " On ", "YES\n"])
def test_these_opt_out(value: str, caplog: pytest.LogCaptureFixture, sink: Sink) -> None:
    assert is_opted_out(value)
    environ = {"POSTHOG_API_KEY": KEY, "POSTHOG_HOST": sink.url, "OPT_OUT_CAPTURE": value}
    assert open_capture(environ) is None
    assert not caplog.records


@pytest.mark.parametrize("value", ["maybe", "2", "tru", "none", "-1", "y\x1b[31m\nforged"])
def test_anything_else_opts_out_and_says_so_once(value: str, caplog: pytest.LogCaptureFixture) -> None:
    environ = {"POSTHOG_API_KEY": KEY, "OPT_OUT_CAPTURE": value}
    assert [open_capture(environ) for _ in range(3)] == [None] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    message = caplog.records[0].getMessage()
    assert "OPT_OUT_CAPTURE" in message
    assert message.isprintable()


@pytest.mark.parametrize("name", ["POSTHOG_API_KEY", "POSTHOG_PROJECT_API_KEY"])
def test_a_key_turns_it_on_and_one_client_serves_the_process(name: str, sink: Sink) -> None:
    environ = {name: f" {KEY} ", "POSTHOG_HOST": sink.url}
    first = open_capture(environ)
    assert first is not None
    assert open_capture(environ) is first


def test_without_a_key_nothing_is_opened_and_nothing_said(caplog: pytest.LogCaptureFixture) -> None:
    for environ in ({}, {"POSTHOG_API_KEY": "  "}, {"POSTHOG_HOST": "http://127.0.0.1:9"}, {"OPT_OUT_CAPTURE": "eh"}):
        assert open_capture(environ) is None
    assert not caplog.records


@pytest.mark.parametrize(
    "environ",
    [
        {"POSTHOG_API_KEY": "phx_personalKey0123456789"},
        {"POSTHOG_API_KEY": "phc_with blank"},
        {"POSTHOG_API_KEY": "phc_two\nlines"},
        {"POSTHOG_HOST": "https://user:hunter2secret@posthog.example"},
        {"POSTHOG_HOST": "posthog.example"},
        {"POSTHOG_HOST": "http://[broken"},
    ],
)
def test_settings_that_cannot_be_right_are_told_without_their_value(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert [open_capture({"POSTHOG_API_KEY": KEY} | environ) for _ in range(2)] == [None, None]
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith(next(iter(environ)))
    for secret in ("phx_", "phc_", "hunter2"):
        assert secret not in said


def test_a_missing_sdk_is_one_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "posthog", None)
    assert [open_capture({"POSTHOG_API_KEY": KEY}) for _ in range(3)] == [None] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "llma-assets[posthog]" in caplog.text


# --- when the endpoint is dead (F31) ----------------------------------------------------------


def test_a_dead_endpoint_changes_neither_record_nor_duration(
    lake: Lake, sink: Sink, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{free.getsockname()[1]}"
    for host, status, hang_s in ((refused, 200, 0), (sink.url, 500, 0), (sink.url, 401, 0), (sink.url, 200, 20.0)):
        sink.status, sink.hang_s = status, hang_s
        monkeypatch.setattr(capture_module, "_open", {})
        before = len(recorded())
        capture = opened(host)
        waits = [record(lake, capture, CALL, EMBEDDING, FAILED, run=f"{host} {status} {n}") for n in range(4)]
        assert waits[0] < 1.0 + 0.8, (host, status, hang_s)
        assert sum(waits) < 1.0 + 1.5, "a process waits for a dead endpoint once"
        assert len(recorded()) - before == 16
    assert KEY not in caplog.text


@pytest.mark.parametrize("method", ["flush", "capture"])
def test_an_sdk_that_raises_is_not_noticed(
    method: str, lake: Lake, sink: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import posthog

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"telemetry is broken, key {KEY}\nsecond line")

    monkeypatch.setattr(posthog.Client, method, broken)
    assert record(lake, opened(sink.url), CALL) < 1.0
    assert len(recorded()) == 2
    assert KEY not in caplog.text


def test_a_flush_that_never_returns_is_left_behind(lake: Lake, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    import posthog

    monkeypatch.setattr(posthog.Client, "flush", lambda *_, **__: time.sleep(30))
    capture = opened(sink.url)
    assert 0.9 < record(lake, capture, CALL) < 1.8
    assert record(lake, capture, CALL) < 0.5


def test_the_key_is_in_no_log_even_if_the_server_echoes_it(
    lake: Lake, sink: Sink, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S20: the SDK logs the body of a refusal, and the body of the request holds the key."""
    sink.status, sink.echo = 400, True
    # Each kind of trouble is said once in a process, and another test may have had it already.
    monkeypatch.setattr(logging.getLogger("posthog"), "filters", [])
    capture_module._sdk_log.cache_clear()
    with caplog.at_level(logging.DEBUG):
        record(lake, opened(sink.url), CALL)
    assert any(KEY.encode() in body for body in sink.bodies)
    said = [record.getMessage() for record in caplog.records if record.name == "posthog"]
    assert len(said) >= 1
    assert all("\n" not in text for text in said)
    assert KEY not in caplog.text
    assert KEY not in repr(opened(sink.url))
    ours = [
        log_filter
        for log_filter in logging.getLogger("posthog").filters
        if isinstance(log_filter, capture_module._SdkLog)
    ]
    assert len(ours) == 1, "no filter for each client"


def test_events_beyond_the_queue_are_dropped_without_waiting(
    lake: Lake, sink: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink.hang_s = 20.0
    monkeypatch.setattr(capture_module, "MAX_QUEUED", 50)
    assert record(lake, opened(sink.url), *[replace(CALL, subject=f"trace {n}") for n in range(500)]) < 2.5
    assert len(recorded()) == 501
    full = [record for record in caplog.records if "full" in record.getMessage()]
    assert len(full) == 1, "said once, not for each event"


PROGRAM = """
import sys, time
from datetime import UTC, date, datetime
from llma_assets.lake import Lake
from llma_assets.llm.call_record import CallRecord
from llma_assets.llm.capture import open_capture
from llma_assets.llm.recorder import Recorder
from llma_assets.llm.task import LlmTask
from llma_assets.team_day import TeamDay

capture = open_capture()
assert (capture is not None) == bool(int(sys.argv[2]))
now = lambda: datetime.now(UTC)
recorder = Recorder(Lake(sys.argv[1]), LlmTask("a", TeamDay("acme", date(2026, 3, 10))), capture, now)
for _ in range(300):
    recorder.call(CallRecord(now(), "chat", "m", "p", "s", 1, 0.1, 1, 0, 1, 0.0, "stop", None))
recorder.close("ok", {})
print(time.time())
"""


@pytest.mark.parametrize("kind", ["works", "hangs", "is refused"])
def test_a_process_ends_promptly_whatever_the_endpoint_does(kind: str, sink: Sink, tmp_path: Path) -> None:
    sink.hang_s = 60.0 if kind == "hangs" else 0.0
    environ = os.environ | {"POSTHOG_API_KEY": KEY, "POSTHOG_HOST": sink.url}
    if kind == "is refused":
        environ["POSTHOG_HOST"] = "http://127.0.0.1:9"
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "lake"), "1"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    # Only the end is measured: how long the imports take depends on the machine.
    ended_after_s = time.time() - float(done.stdout)
    assert done.returncode == 0, done.stderr
    assert ended_after_s < 3.0
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if kind == "works":
        assert len(sink.events) == 301
