"""Texts that no renderer would wish for, through the whole of trace_summaries; and files that unpack without end."""

import gzip
import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llma_assets.errors import InputRejected
from llma_assets.ingest import ingest_file
from llma_assets.lake import Lake
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import NOW
from llma_assets_tests.stages.pipeline import source, summarize

DAY = TeamDay("acme", date(2026, 3, 9))
AT = datetime(2026, 3, 9, 10, tzinfo=UTC)
# Characters that steer a terminal or a reader; a row of the table holds none of them.
STEERING = set(map(chr, (*range(32), 127, *range(0x80, 0xA0), 0x200B, 0x202E, 0x2066, 0xFEFF))) - {"\n"}

Ingest = Callable[..., Any]


def generation(name: str, content: Any, at: datetime = AT, **properties: Any) -> dict[str, Any]:
    said = {"$ai_trace_id": name, "$ai_input": content, "$ai_input_tokens": 7, "$ai_total_cost_usd": 0.5}
    return {
        "uuid": f"u-{name}",
        "event": "$ai_generation",
        "distinct_id": "user",
        "timestamp": at.isoformat(),
        "properties": said | properties,
    }


def of_user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def traces(
    lake: Lake, now: datetime = NOW, summarizer: ExtractiveSummarizer | None = None
) -> dict[str, dict[str, Any]]:
    summarize(lake, DAY, summarizer, now)
    found = lake.read("trace_summaries", DAY).to_pylist()
    return {row["item_id"]: row for row in found if row["level"] == "trace"}


class Reading(ExtractiveSummarizer):
    """Keeps the texts that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}

    def summarize(self, items: Any, keep: Any = None) -> Any:
        def read() -> Any:
            for item in items:
                if item.key[0] == "trace":
                    self.texts[item.key[1]] = item.representation.text
                yield item

        return super().summarize(read(), keep or (lambda outcome: None))


# --- B13 --------------------------------------------------------------------------------------------------------------

ODD = {
    "emoji": "Where is my 🧳 luggage? 👩‍👩‍👧‍👦",
    "right_to_left": "Where is my \u202eeggagul\u202c luggage?",
    "zero_width": "Where\u200b is\ufeff my\u2060 luggage?",
    "combining": "Where is my" + "\u0300\u0301\u0302" * 200 + " luggage?",
    "surrogate": "Where is my \ud800 luggage?",
    "nul": "Where is my \x00 luggage?",
    "ansi": "Where is my \x1b[31mred\x1b[0m \x9b2J luggage?",
    "line_ends": "Where is\r\nmy\x0b\x85 luggage?\u2028",
    "long_line": "Where is my luggage? " + "x" * 1_000_000,
    "many_lines": "Where is my luggage?\n" * 100_000,
}


def test_odd_text_becomes_readable_numbered_and_bounded(
    ingest: Ingest, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_MAX_TEXT_CHARS", "100000")
    ingest([generation(name, of_user(text)) for name, text in ODD.items()])
    reading = Reading()
    rows = traces(lake, summarizer=reading)
    assert set(rows) == set(ODD)
    for name, row in rows.items():
        assert row["status"] == "summarized", name
        text = reading.texts[name]
        assert len(text) <= 100_000 and row["text_repr_length"] == len(text)
        assert "luggage" in text, name
        numbers = [int(line[1:].split(":")[0]) for line in text.split("\n") if line[:1] == "L" and line[1:2].isdigit()]
        assert numbers == sorted(set(numbers)) and numbers[0] == 1
        assert len(numbers) == len(text.split("\n")), "each physical line has its number"
        for shown in (text, json.dumps(row["summary_bullets"], ensure_ascii=False), row["title"], row["flow_diagram"]):
            shown.encode()
            assert not STEERING & set(shown), name


@pytest.mark.parametrize("content", ["", "   \n\t ", "\u200b\u2060", None, [], {}, [{"role": "user", "content": None}]])
def test_text_that_is_none_has_a_reason(ingest: Ingest, lake: Lake, content: Any) -> None:
    ingest([generation("empty", content), generation("good", of_user("Where is my luggage?"))])
    rows = traces(lake, now=AT + timedelta(days=1))
    assert (rows["empty"]["status"], rows["empty"]["reason"]) == ("skipped", "no_text")
    assert rows["good"]["status"] == "summarized"


def test_the_longest_row_that_is_taken_is_summarized_in_seconds(ingest: Ingest, lake: Lake) -> None:
    """A row of the source may have 32 MiB; a longer one is quarantined, and the others stay."""
    ingest([generation("huge", of_user("word " * 5_000_000)), generation("good", of_user("Where is my luggage?"))])
    begun = time.monotonic()
    rows = traces(lake)
    assert time.monotonic() - begun < 20.0
    assert {row["status"] for row in rows.values()} == {"summarized"}
    assert rows["huge"]["text_repr_length"] < 5_000, "a block keeps its head and its tail"
    report = ingest([generation("beyond", of_user("w" * 50_000_000)), *[generation(f"g{n}", "x") for n in range(9)]])
    assert (report.rows_quarantined, report.rows_kept) == (1, 9)


# --- B14 and B15 ------------------------------------------------------------------------------------------------------

MEDIA = {
    "data_uri": [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 500}}],
    "anthropic": [{"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "Zm9v" * 500}}],
    "audio": [{"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg" * 500}}],
    "pdf": [{"type": "file", "file": {"file_data": "data:application/pdf;base64," + "JVBERi0" * 500}}],
    "redacted": "[redacted]",
    "privacy_mode": None,
}


def test_media_without_a_word_has_a_reason_and_keeps_its_metrics(ingest: Ingest, lake: Lake) -> None:
    ingest([generation(name, of_user(content)) for name, content in MEDIA.items()])
    rows = traces(lake, now=AT + timedelta(days=1))
    assert {name: row["reason"] for name, row in rows.items()} == dict.fromkeys(MEDIA, "no_text")
    assert {row["item_cost_usd"] for row in rows.values()} == {0.5}
    assert {row["item_input_tokens"] for row in rows.values()} == {7}


def test_media_beside_words_is_a_short_placeholder(ingest: Ingest, lake: Lake) -> None:
    words = {"type": "text", "text": "What stands on this picture?"}
    ingest(
        [generation(name, of_user([words, *content])) for name, content in MEDIA.items() if isinstance(content, list)]
    )
    reading = Reading()
    rows = traces(lake, summarizer=reading)
    assert {row["status"] for row in rows.values()} == {"summarized"}
    for name, kind in {"data_uri": "image/png", "anthropic": "image/jpeg", "audio": "wav", "pdf": "pdf"}.items():
        assert kind in reading.texts[name], reading.texts[name]
        assert len(reading.texts[name]) < 500


SHAPES = {
    "text": "Where is my luggage?",
    "messages": of_user("Where is my luggage?"),
    "parts": of_user([{"type": "text", "text": "Where is my luggage?"}]),
    "responses": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "my luggage?"}]}],
    "gemini": [{"role": "user", "parts": [{"text": "Where is my luggage?"}]}],
    "langchain": {"messages": [{"type": "human", "content": "Where is my luggage?"}]},
    "otel": [{"role": "user", "parts": [{"type": "text", "content": "Where is my luggage?"}]}],
    "encoded": json.dumps(of_user("Where is my luggage?")),
    "bad_arguments": [
        {"role": "user", "content": "Where is my luggage?"},
        {
            "role": "assistant",
            "tool_calls": [{"type": "function", "function": {"name": "find", "arguments": "{not json"}}],
        },
    ],
    "unknown": of_user([{"type": "hologram", "beam": {"x": 1}}, {"type": "text", "text": "my luggage?"}]),
}


def test_every_shape_of_content_is_summarized_without_a_python_repr(ingest: Ingest, lake: Lake) -> None:
    ingest([generation(name, content) for name, content in SHAPES.items()])
    reading = Reading()
    rows = traces(lake, summarizer=reading)
    for name, text in reading.texts.items():
        assert rows[name]["status"] == "summarized"
        assert "luggage" in text, name
        for repr_mark in ("{'", "None", "True", "<llma", "object at 0x"):
            assert repr_mark not in text, text
    assert set(reading.texts) == set(SHAPES)
    assert "hologram" in reading.texts["unknown"]


# --- B21 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retention_days", "age", "reason"),
    [
        (None, timedelta(days=31), "content_expired"),
        (None, timedelta(days=29), "no_text"),
        ("5", timedelta(days=5, seconds=1), "content_expired"),
        ("5", timedelta(days=5), "no_text"),
    ],
)
def test_old_items_without_text_have_expired(
    ingest: Ingest,
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    retention_days: str | None,
    age: timedelta,
    reason: str,
) -> None:
    """B21: PostHog keeps content for thirty days; what is older was there once, and is not an empty summary."""
    if retention_days:
        monkeypatch.setenv("LLMA_CONTENT_RETENTION_DAYS", retention_days)
    ingest([generation("empty", None), generation("full", of_user("Where is my luggage?"))])
    rows = traces(lake, now=AT + age)
    assert (rows["empty"]["status"], rows["empty"]["reason"], rows["empty"]["title"]) == ("skipped", reason, None)
    assert rows["full"]["status"] == "summarized", "age alone is no reason"


# --- S18 --------------------------------------------------------------------------------------------------------------


def test_a_file_that_unpacks_without_end_is_refused_and_leaves_nothing(lake: Lake, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.jsonl.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        for _ in range(400):
            file.write(b" " * (1 << 20))
    assert bomb.stat().st_size < 4 << 20
    with pytest.raises(InputRejected, match="bomb"):
        ingest_file(lake, bomb, "acme", NOW)
    assert lake.days("trace_events", "acme") == []
    assert source(lake).teams() == []
