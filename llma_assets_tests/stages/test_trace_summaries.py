"""trace_summaries: every item once, with a reason where there is no summary; nothing is made twice."""

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llma_assets.cli.project import Project
from llma_assets.lake import Lake
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import OWN_TRAFFIC_PROPERTY, Level
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import run_day, source, summarize

AIRLINE = TeamDay("acme", date(2026, 3, 9))
Ingest = Callable[..., Any]


def generation(
    trace_id: str, at: datetime, text: str | None = "How do I reset my password?", **properties: Any
) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}] if text is not None else None
    return {
        "uuid": f"{trace_id}-{at.isoformat()}",
        "event": "$ai_generation",
        "distinct_id": "user",
        "timestamp": at.isoformat(),
        "properties": {"$ai_trace_id": trace_id, "$ai_input": messages} | properties,
    }


def rows(lake: Lake, day: TeamDay) -> list[dict[str, Any]]:
    return lake.read("trace_summaries", day).to_pylist()


def test_each_item_of_real_traces_is_there_once_with_text_and_metrics(lake: Lake, ingest: Ingest) -> None:
    events = demo_events("airline", 12, "2026-03-09")
    ingest(events)
    report = summarize(lake, AIRLINE)
    found = rows(lake, AIRLINE)
    traces = {event["properties"]["$ai_trace_id"] for event in events}
    generations = {event["uuid"] for event in events if event["event"] == "$ai_generation"}
    assert {row["item_id"] for row in found if row["level"] == Level.TRACE} == traces
    assert {row["item_id"] for row in found if row["level"] == Level.GENERATION} == generations
    assert len(found) == len(traces) + len(generations) == report.rows_in
    summarized = [row for row in found if row["status"] == "summarized"]
    assert all(row["title"] and row["summary_bullets"] and row["flow_diagram"] for row in summarized)
    expected = sum(event["properties"].get("$ai_total_cost_usd") or 0 for event in events)
    total = sum(row["item_cost_usd"] or 0 for row in found if row["level"] == Level.TRACE)
    assert total == pytest.approx(expected)
    assert expected > 0


def test_a_rerun_is_byte_identical_and_summarizes_nothing(lake: Lake, ingest: Ingest) -> None:
    ingest(demo_events("airline", 6, "2026-03-09"))
    first = summarize(lake, AIRLINE)

    class Untouched(ExtractiveSummarizer):
        def summarize(self, items: Any, keep: Any = None) -> Any:
            assert list(items) == []
            return iter(())

    second = summarize(lake, AIRLINE, Untouched())
    assert second.written.sha256 == first.written.sha256
    assert second.figures["cache_hits"] == first.figures["summaries_generated"]


@pytest.mark.parametrize("changed", ["model", "mode", "prompt_version"])
def test_another_model_mode_or_prompt_summarizes_again(lake: Lake, ingest: Ingest, changed: str) -> None:
    ingest(demo_events("assistant", 4, "2025-06-02"))
    day = TeamDay("acme", date(2025, 6, 2))
    summarize(lake, day)
    other = ExtractiveSummarizer()
    setattr(other, changed, "other")
    assert summarize(lake, day, other).figures["cache_hits"] == 0
    assert {row[changed] for row in rows(lake, day) if row["status"] == "summarized"} == {"other"}


def test_late_events_summarize_that_trace_again_and_no_other(lake: Lake, ingest: Ingest) -> None:
    at = datetime(2026, 3, 9, 10, tzinfo=UTC)
    ingest([generation("a", at), generation("b", at)])
    summarize(lake, AIRLINE)
    ingest([generation("a", at + timedelta(minutes=5), "And how do I change my e-mail address?")])
    report = summarize(lake, AIRLINE)
    # Trace b and the generations of before are kept; trace a and the new generation are made.
    assert report.figures["cache_hits"] == 3
    assert report.figures["summaries_generated"] == 5


def test_duplicates_and_shuffled_rows_change_no_byte(lake: Lake, ingest: Ingest) -> None:
    """F23 and F24: deliveries repeated one to five times, in any order and several files."""
    events = demo_events("assistant", 25, "2025-06-03")
    day = TeamDay("acme", date(2025, 6, 3))
    ingest(events)
    clean = summarize(lake, day)
    generator = random.Random(7)
    repeated = [event for event in events for _ in range(generator.randint(1, 5))]
    generator.shuffle(repeated)
    ingest(repeated[: len(repeated) // 2], "twin")
    ingest(repeated[len(repeated) // 2 :], "twin", NOW + timedelta(hours=1))
    summarize(lake, TeamDay("twin", day.day))
    twin = lake.read("trace_summaries", TeamDay("twin", day.day)).to_pylist()
    own = {"team_id": None, "batch_run_id": None, "event_uuid": None}
    assert [row | own for row in twin] == [row | own for row in rows(lake, day)]
    assert clean.items > 0


def test_the_latest_delivery_of_a_uuid_wins(lake: Lake, ingest: Ingest) -> None:
    at = datetime(2026, 3, 9, 10, tzinfo=UTC)
    first = generation("a", at, "Old words about billing")
    ingest([first])
    ingest(
        [first | {"properties": {"$ai_trace_id": "a", "$ai_input": "New words about shipping"}}],
        at=NOW + timedelta(days=1),
    )
    summarize(lake, AIRLINE, now=NOW + timedelta(days=2))
    titles = {row["title"] for row in rows(lake, AIRLINE)}
    assert any("shipping" in title for title in titles)
    assert not any("billing" in title for title in titles)


def test_a_trace_over_midnight_belongs_to_the_day_it_began(lake: Lake, ingest: Ingest) -> None:
    """B18 and B10: first event at 23:59, the last two days later; and one exactly at midnight."""
    begin = datetime(2026, 3, 9, 23, 59, 59, 999999, tzinfo=UTC)
    ingest(
        [
            generation("long", begin, "Book a flight"),
            generation("long", begin + timedelta(days=2), "Please cancel the flight to Boston that I booked"),
        ]
    )
    ingest([generation("midnight", datetime(2026, 3, 10, tzinfo=UTC))])
    days = [TeamDay("acme", date(2026, 3, n)) for n in (9, 10, 11)]
    for day in days:
        summarize(lake, day)
    traces = [[row["item_id"] for row in rows(lake, day) if row["level"] == Level.TRACE] for day in days]
    assert traces == [["long"], ["midnight"], []]
    (long,) = [row for row in rows(lake, days[0]) if row["item_id"] == "long"]
    assert long["event_count"] == 2
    assert "flight to Boston" in json.dumps(long["summary_bullets"])


def test_what_cannot_be_summarized_says_why(lake: Lake, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_MAX_TRACES_PER_HOUR", "2")
    now = datetime(2026, 3, 9, 12, tzinfo=UTC)
    ingest([generation("empty", now - timedelta(hours=5), None)])
    ingest([generation("fresh", now - timedelta(minutes=10))], at=now)
    ingest([generation(f"t{n}", now - timedelta(hours=3, seconds=-n)) for n in range(5)])
    report = summarize(lake, AIRLINE, now=now)
    reasons = {row["item_id"]: row["reason"] for row in rows(lake, AIRLINE) if row["level"] == Level.TRACE}
    assert reasons.pop("empty") == "no_text"
    assert reasons.pop("fresh") == "not_finished"
    assert sorted(reason or "" for reason in reasons.values()) == ["", "", "not_sampled", "not_sampled", "not_sampled"]
    assert sum(report.counts.values()) == report.rows_in == 14


def test_hostile_ids_stay_apart_and_whole(lake: Lake, ingest: Ingest) -> None:
    """B8, B17, S15: ids that look like SQL, paths, patterns; case and Unicode are kept distinct."""
    ids = [
        "'; DROP TABLE x; --",
        "..",
        ".",
        "a/b",
        "a\\b",
        "a|b",
        "a:b",
        "100%",
        "Ä",
        "ä",
        "a",
        "A",
        "*.parquet",
        "$day",
    ]
    at = datetime(2026, 3, 9, 10, tzinfo=UTC)
    ingest([generation(item_id, at, f"question {n} about refunds") for n, item_id in enumerate(ids)])
    ingest([generation("a", at, "the other team's question")], "other")
    summarize(lake, AIRLINE)
    assert {row["item_id"] for row in rows(lake, AIRLINE) if row["level"] == Level.TRACE} == set(ids)
    assert "other team" not in json.dumps([row["title"] for row in rows(lake, AIRLINE)])


def test_cycles_orphans_and_missing_traces_are_read_once(lake: Lake, ingest: Ingest) -> None:
    """B16: self parents, cycles, orphans, no $ai_trace event."""
    at = datetime(2026, 3, 9, 10, tzinfo=UTC)
    tangle = [
        generation(
            "t", at + timedelta(seconds=n), f"message number {n}", **{"$ai_span_id": f"s{n}", "$ai_parent_id": parent}
        )
        for n, parent in enumerate(["s0", "s2", "s1", "nowhere", "s3"])
    ]
    ingest(tangle)
    summarize(lake, AIRLINE)
    (trace,) = [row for row in rows(lake, AIRLINE) if row["level"] == Level.TRACE]
    assert trace["event_count"] == 5
    assert trace["status"] == "summarized"


def test_own_events_fed_back_for_three_days_change_no_count(lake: Lake, ingest: Ingest) -> None:
    """B19: what we emitted, and our own recorded calls, come back with the customer's events."""
    ingest(demo_events("assistant", 25, "2025-06-02"))
    day = TeamDay("acme", date(2025, 6, 2))
    run_day(lake, "acme", [day.day])
    project = Project()
    count = "SELECT event, count(*) AS n FROM events GROUP BY event ORDER BY event"
    status = "SELECT * FROM team_day_status"
    before, shown = project.rows(count), project.rows(status)
    partition = lake.read("trace_summaries", day)
    for n in range(3):
        emitted = project.rows("SELECT * FROM events WHERE event LIKE '%summary' OR event LIKE '%clusters'")
        assert {row["event"] for row in emitted} >= {"$ai_trace_summary", "$ai_trace_clusters"}
        back = [
            row | {"timestamp": row["timestamp"].isoformat(), "properties": json.loads(row["properties"])}
            for row in emitted
        ]
        own = generation(
            f"own{n}", datetime(2025, 6, 2, 12, n, tzinfo=UTC), "Summarize", **{OWN_TRAFFIC_PROPERTY: True}
        )
        ingest([*back, own], at=NOW + timedelta(days=n))
        summarize(lake, day)
        assert lake.read("trace_summaries", day).equals(partition)
        assert project.rows(status) == shown
        calls = [
            row | {"n": row["n"] - n - 1} if row["event"] == "$ai_generation" else row for row in project.rows(count)
        ]
        assert calls == before, "the recorded call itself is an event; nothing else is new"
    assert [one.day for one in source(lake).day_stats("acme", NOW, list(Level))] == [day.day]


def test_a_redelivery_under_another_trace_leaves_the_old_one(lake: Lake, ingest: Ingest) -> None:
    at = datetime(2026, 3, 9, 10, tzinfo=UTC)
    moved = generation("old", at + timedelta(minutes=1), "a question about secret vouchers")
    ingest([generation("old", at, "a question about parking"), moved])
    moved = moved | {"properties": moved["properties"] | {"$ai_trace_id": "new"}}
    ingest([moved], at=NOW + timedelta(hours=1))
    summarize(lake, AIRLINE)
    (old,) = [row for row in rows(lake, AIRLINE) if row["item_id"] == "old"]
    assert old["event_count"] == 1
    assert "vouchers" not in json.dumps(old["summary_bullets"])


class Interrupted(ExtractiveSummarizer):
    """Stops as Ctrl-C would, after some items."""

    def __init__(self, after: int):
        super().__init__()
        self._after = after

    def summarize(self, items: Any, keep: Any = None) -> Any:
        for n, outcome in enumerate(super().summarize(items)):
            if n == self._after:
                raise KeyboardInterrupt
            keep(outcome)
            yield outcome


def test_what_was_finished_before_an_interrupt_is_never_made_again(
    lake: Lake, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3: also in a partition that held older summaries of the same items."""
    monkeypatch.setenv("LLMA_MAX_GENERATIONS_PER_HOUR", "100")
    at = datetime(2026, 3, 9, 10, tzinfo=UTC)
    ingest([generation(f"t{n}", at, f"an old question number {n} about parking") for n in range(10)])
    summarize(lake, AIRLINE)
    later = [
        generation(f"t{n}", at + timedelta(minutes=1), f"a new question number {n} about seats") for n in range(10)
    ]
    ingest(later, at=NOW + timedelta(hours=1))
    with pytest.raises(KeyboardInterrupt):
        summarize(lake, AIRLINE, Interrupted(15))
    assert {row["event_count"] for row in rows(lake, AIRLINE)} == {1}, "the old partition is still whole"
    # 10 traces with two generations each; ten old generations are kept, fifteen were made before the interrupt.
    report = summarize(lake, AIRLINE)
    assert report.figures["summaries_generated"] == 30
    assert report.figures["cache_hits"] == 25


def test_a_damaged_checkpoint_costs_its_work_not_the_partition(lake: Lake, ingest: Ingest) -> None:
    at = datetime(2026, 3, 9, 10, tzinfo=UTC)
    ingest([generation(f"t{n}", at, f"question number {n} about parking") for n in range(10)])
    with pytest.raises(KeyboardInterrupt):
        summarize(lake, AIRLINE, Interrupted(5))
    (journal,) = Path(lake.root, ".checkpoints").rglob("*.arrows")
    journal.write_bytes(b"no journal at all")
    report = summarize(lake, AIRLINE)
    assert (report.figures["summaries_generated"], report.figures["cache_hits"]) == (20, 0)


def test_the_versions_of_the_source_and_of_the_partition_agree(lake: Lake, ingest: Ingest) -> None:
    ingest(demo_events("airline", 8))
    for stats in source(lake).day_stats("acme", NOW, list(Level)):
        day = TeamDay("acme", stats.day)
        summarize(lake, day)
        assert lake.source_version("trace_summaries", day) == stats.source_version != ""
