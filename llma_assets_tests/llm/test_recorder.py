"""The table `llm_calls` and its views: every call once, sums that agree, nothing raised, no content unasked."""

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llma_assets.cli.project import Project
from llma_assets.lake import Lake
from llma_assets.llm.call_record import CallRecord
from llma_assets.llm.recorder import NullRecorder, Recorder
from llma_assets.llm.task import LlmTask
from llma_assets.team_day import TeamDay

DAY = TeamDay("acme", date(2026, 3, 10))
TASK = LlmTask("trace_summaries", DAY, "run-1")
AT = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)
CALL = CallRecord(AT, "chat", "gpt-4.1-mini", "openai", "trace t1", 1, 2.5, 1_000, 200, 100, 0.001, "stop", None)
EMBEDDING = replace(CALL, kind="embedding", model="text-embedding-3-large", output_tokens=None, subject="128 texts")
FAILED = replace(
    CALL, input_tokens=None, cached_input_tokens=None, output_tokens=None, cost_usd=None, attempts=5, error="HTTP 500"
)
SECRET_TEXT = "the customer's own words"


def recorder(lake: Lake, task: LlmTask = TASK, now: datetime = AT) -> Recorder:
    return Recorder(lake, task, None, lambda: now)


def rows(query: str) -> list[dict[str, Any]]:
    return Project().rows(query)


def written(lake: Lake) -> list[Path]:
    return [Path(path) for path in lake.files("llm_calls", DAY)]


def test_every_call_is_a_row_and_every_task_one_more(lake: Lake) -> None:
    one = recorder(lake)
    one.call(CALL)
    one.call(EMBEDDING)
    one.flush()
    one.flush()
    one.call(FAILED)
    one.close("partial", {"items": 3, "cache_hits": 7, "retried": 4})
    found = rows("SELECT * FROM llm_calls ORDER BY event, attempts")
    assert [row["event"] for row in found] == ["$ai_embedding", "$ai_generation", "$ai_generation", "$ai_trace"]
    assert {row["trace_id"] for row in found} == {TASK.trace_id}
    assert len({row["uuid"] for row in found}) == 4
    assert [row["is_error"] for row in found] == [False, False, True, False]
    assert found[1]["called_at"] == AT
    assert (found[1]["cached_input_tokens"], found[1]["stop_reason"]) == (200, "stop")
    trace = found[3]
    assert (trace["outcome"], trace["items"], trace["cache_hits"]) == ("partial", 3, 7)
    assert (trace["calls"], trace["calls_failed"], trace["calls_unpriced"], trace["attempts"]) == (3, 1, 0, 7)
    assert (trace["input_tokens"], trace["output_tokens"]) == (2_000, 100)
    assert trace["cost_usd"] == pytest.approx(0.002)
    assert len(written(lake)) == 2, "one file a flush that had something to write"


def test_a_closed_recorder_takes_no_more(lake: Lake) -> None:
    one = recorder(lake)
    one.close("ok", {})
    one.call(CALL)
    one.close("failed: again", {})
    one.flush()
    assert rows("SELECT event, outcome FROM llm_calls") == [{"event": "$ai_trace", "outcome": "ok"}]


def test_spend_by_asset_day_team_and_model(lake: Lake) -> None:
    """What is not known is counted apart, and never a cost of 0."""
    one = recorder(lake)
    unpriced = replace(CALL, model="house-model", provider="vllm", cost_usd=None)
    for record in (CALL, replace(CALL, cost_usd=0.002), FAILED, replace(CALL, is_batch=True), unpriced):
        one.call(record)
    one.close("ok", {"items": 5})
    other = recorder(lake, LlmTask("embeddings", TeamDay("other", DAY.day)))
    other.call(EMBEDDING)
    other.close("ok", {"items": 128})
    found = rows("SELECT * FROM llm_spend ORDER BY team_id, model, is_batch")
    figures = [
        (r["team_id"], r["asset"], r["model"], r["is_batch"], r["calls"], r["calls_failed"], r["calls_unpriced"])
        for r in found
    ]
    assert figures == [
        ("acme", "trace_summaries", "gpt-4.1-mini", False, 3, 1, 0),
        ("acme", "trace_summaries", "gpt-4.1-mini", True, 1, 0, 0),
        ("acme", "trace_summaries", "house-model", False, 1, 0, 1),
        ("other", "embeddings", "text-embedding-3-large", False, 1, 0, 0),
    ]
    assert [row["cost_usd"] for row in found] == [pytest.approx(0.003), 0.001, None, 0.001]
    assert (found[0]["input_tokens"], found[0]["cached_input_tokens"], found[0]["attempts"]) == (2_000, 400, 7)
    assert all(row["date"] == DAY.day for row in found)
    (total,) = rows("SELECT sum(cost_usd) AS calls, (SELECT sum(cost_usd) FROM llm_asset_runs) AS runs FROM llm_spend")
    assert total["calls"] == pytest.approx(total["runs"])


def test_the_views_are_empty_where_nothing_was_recorded() -> None:
    for view in ("llm_calls", "llm_spend", "llm_asset_runs"):
        assert rows(f"SELECT count(*) AS n FROM {view}") == [{"n": 0}]


def test_the_latest_run_of_an_asset_is_shown(lake: Lake) -> None:
    for hour, outcome in enumerate(["failed: no key", "partial", "ok"]):
        again = recorder(lake, LlmTask("trace_summaries", DAY, f"run-{hour}"), AT + timedelta(hours=hour))
        again.close(outcome, {"items": hour})
    recorder(lake, LlmTask("cluster_labels", DAY, "run-2")).close("ok", {})
    found = rows("SELECT asset, clustering_job, outcome, items FROM llm_asset_runs ORDER BY asset")
    assert [tuple(row.values()) for row in found] == [
        ("cluster_labels", None, "ok", None),
        ("trace_summaries", None, "ok", 2),
    ]


def test_the_same_ingredients_give_the_same_ids(lake: Lake, tmp_path: Path) -> None:
    assert TASK.trace_id == LlmTask("trace_summaries", DAY, "run-1").trace_id == "892b1cd6-1d14-5a55-9873-cba50bd6ffe7"
    others = [
        replace(TASK, asset="embeddings"),
        replace(TASK, team_day=TeamDay("other", DAY.day)),
        replace(TASK, dagster_run_id="run-2"),
    ]
    assert len({task.trace_id for task in [TASK, *others]}) == 4
    elsewhere = Lake(str(tmp_path / "elsewhere"))
    for place in (lake, elsewhere):
        one = recorder(place)
        one.call(CALL)
        one.close("ok", {})
    assert [p.name for p in written(lake)] == [Path(p).name for p in elsewhere.files("llm_calls", DAY)]
    assert written(lake)[0].read_bytes() == Path(elsewhere.files("llm_calls", DAY)[0]).read_bytes()


def test_a_repeated_step_of_the_same_run_replaces_nothing(lake: Lake) -> None:
    for minutes in (0, 5):
        again = recorder(lake, now=AT + timedelta(minutes=minutes))
        again.call(replace(CALL, called_at=AT + timedelta(minutes=minutes)))
        again.close("ok", {})
    assert rows("SELECT sum(calls)::INT AS n FROM llm_spend") == [{"n": 2}]


def test_content_is_recorded_only_where_a_record_holds_it(lake: Lake) -> None:
    one = recorder(lake)
    one.call(CALL)
    one.flush()
    (path,) = written(lake)
    assert rows("SELECT input, output FROM llm_calls") == [{"input": None, "output": None}]
    assert SECRET_TEXT.encode() not in path.read_bytes()
    one.call(replace(CALL, input=SECRET_TEXT + "\ud800", output="{}"))
    one.close("ok", {})
    asked_for = rows("SELECT input, output FROM llm_calls WHERE input IS NOT NULL")
    assert asked_for == [{"input": SECRET_TEXT + "?", "output": "{}"}]


def test_hostile_ids_and_figures_stay_on_one_line_and_in_range(lake: Lake) -> None:
    """S23, and a server that reports nonsense."""
    one = recorder(lake)
    one.call(
        replace(
            CALL,
            subject="trace t\n2026 ERROR forged\x1b[31m\u202e\ud800",
            error="a\r\nb\x00" + "x" * 2_000,
            stop_reason="stop\n",
            input_tokens=10**30,
            output_tokens=-5,
            cost_usd=float("nan"),
            latency_s=float("inf"),
        )
    )
    one.close("failed: a\nb", {})
    (call,) = rows("SELECT * FROM llm_calls WHERE event = '$ai_generation'")
    assert call["subject"] == "trace t 2026 ERROR forged\ufffd"
    assert call["error"].startswith("a b")
    assert len(call["error"]) <= 500
    assert [call[name] for name in ("input_tokens", "output_tokens", "cost_usd", "latency_s")] == [None] * 4
    (trace,) = rows("SELECT outcome, is_error, error FROM llm_calls WHERE event = '$ai_trace'")
    assert trace == {"outcome": "failed: a b", "is_error": True, "error": "failed: a b"}


def test_calls_from_many_threads_are_all_there(lake: Lake) -> None:
    one = recorder(lake)

    def work(number: int) -> None:
        for step in range(200):
            one.call(replace(CALL, subject=f"trace {number}-{step}"))
            if step % 50 == 0:
                one.flush()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.close("ok", {})
    counted = rows(
        "SELECT count(DISTINCT subject) AS subjects, count(DISTINCT uuid) AS uuids, count(*) AS n FROM llm_calls"
    )
    assert counted == [{"subjects": 1_600, "uuids": 1_601, "n": 1_601}]


def test_a_call_is_noted_in_microseconds(lake: Lake) -> None:
    one = recorder(lake)
    begin = time.perf_counter()
    for _ in range(10_000):
        one.call(CALL)
    # Measured: 0.3 µs a call. The bound leaves room for a busy machine.
    assert (time.perf_counter() - begin) / 10_000 < 50e-6


def test_a_lake_that_cannot_be_written_raises_nothing_and_loses_nothing(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    one = recorder(lake)
    in_the_way = Path(lake.root, "llm_calls")
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            one.call(CALL)
            one.flush()
    assert len(caplog.records) == 1
    assert "trace_summaries" in caplog.text
    in_the_way.unlink()
    one.call(CALL)
    one.close("ok", {})
    assert rows("SELECT calls FROM llm_spend") == [{"calls": 4}]
    assert rows("SELECT calls FROM llm_asset_runs") == [{"calls": 4}]


def test_a_record_of_the_wrong_type_costs_only_itself(lake: Lake) -> None:
    one = recorder(lake)
    one.call(replace(CALL, input_tokens="many"))  # type: ignore[arg-type]
    one.call(CALL)
    one.close("ok", {})
    assert rows("SELECT calls FROM llm_spend") == [{"calls": 1}]


def test_the_null_recorder_writes_nothing(lake: Lake) -> None:
    one = NullRecorder()
    one.call(CALL)
    one.flush()
    one.close("ok", {"items": 1})
    assert written(lake) == []
