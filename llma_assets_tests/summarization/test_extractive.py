"""The summary without a model: says what the trace says, and points at the lines that say it."""

import re
from typing import Any

import pytest
from hypothesis import given, settings

from llma_assets.summarization import signals
from llma_assets.summarization.extractive import summarize
from llma_assets.summarization.flow import flow_labels
from llma_assets.summarization.summary import Summary
from llma_assets.traces.event import Event
from llma_assets.traces.lines import MIN_CHARS
from llma_assets.traces.representation import TextRepresentation
from llma_assets.traces.text import render_generation, render_trace
from llma_assets_tests.traces.test_text import any_events
from llma_assets_tests.traces.trace_events import TRACE, event, generation, real_traces

POLICY = {"role": "system", "content": "Cancel all tickets of the airline whenever somebody wants it. " * 3}


def check(shown: TextRepresentation, summary: Summary) -> None:
    assert summary.title and len(summary.title.split()) <= 10
    assert len(summary.bullets) <= 10 and len(summary.notes) <= 5
    lines = {int(line.split(":")[0][1:]) for line in shown.text.splitlines()}
    for note in (*summary.bullets, *summary.notes):
        assert note.text.strip() and "\n" not in note.text
        note.text.encode("utf-8")
        assert re.fullmatch(r"|L\d+(-\d+)?(, L\d+(-\d+)?)*", note.line_refs)
        assert all(int(number) in lines for number in re.findall(r"\d+", note.line_refs))


def talk(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": words} for role, words in turns]


def chat(*turns: tuple[str, Any]) -> list[Event]:
    return [generation([POLICY, *talk(*turns[:-1])], talk(turns[-1]), span="g")]


def texts(summary: Summary) -> list[str]:
    return [note.text for note in summary.bullets]


def test_a_greeting_and_the_policy_are_not_the_request() -> None:
    shown = render_trace(
        chat(
            ("user", "Hi there!"),
            ("assistant", "How can I help?"),
            ("user", "I need some help with my reservation."),
            ("assistant", "Which one?"),
            ("user", "My user ID is mia_1."),
            ("assistant", "Thanks."),
            ("user", "I'd like to move my flight to Seattle to May 24."),
            ("assistant", "Done: you fly on May 24. Is there anything else?"),
        )
    )
    summary = summarize(shown)
    check(shown, summary)
    assert summary.title == "Move my flight to Seattle to May 24"
    assert (
        texts(summary)
        == [
            "User asked: Move my flight to Seattle to May 24.",
            "Ended with: Done: you fly on May 24.",
        ]
        or texts(summary)[-1] == "Answered: Done: you fly on May 24."
    )
    assert summary.notes == ()


def test_further_requests_are_told_and_repetitions_are_not() -> None:
    shown = render_trace(
        chat(
            ("user", "Cancel my trip to Rome."),
            ("assistant", "No."),
            ("user", "Please cancel the trip to Rome!"),
            ("assistant", "No."),
            ("user", "Then add two checked bags and a window seat."),
            ("assistant", "Added."),
        )
    )
    assert texts(summarize(shown)) == [
        "User asked: Cancel my trip to Rome.",
        "Then asked: Add two checked bags and a window seat.",
        "Ended with: Added.",
    ]


def tool_trace() -> list[Event]:
    calls = [
        {"id": "1", "function": {"name": "get_order", "arguments": '{"id": "A1"}'}},
        {"id": "2", "function": {"name": "cancel_order", "arguments": '{"id": "A1"}'}},
    ]
    asked = talk(("user", "Cancel order A1, this is ridiculous!"))
    failed = {"role": "tool", "tool_call_id": "2", "content": "Error: order already shipped"}
    found = {"role": "tool", "tool_call_id": "1", "content": '{"error": null, "id": "A1"}'}
    called = {"role": "assistant", "content": None, "tool_calls": calls}
    answer = talk(("assistant", "I'm sorry, I cannot cancel it. Have a nice day!"))
    return [
        generation(asked, [called], span="g1"),
        generation([*asked, called, found, failed], answer, span="g2", at=1),
    ]


def test_tools_failures_and_feelings() -> None:
    shown = render_trace(tool_trace())
    summary = summarize(shown)
    check(shown, summary)
    assert 'Did: cancel_order(id="A1")' in texts(summary)
    assert "Called tools: get_order, cancel_order" in texts(summary)
    assert "cancel_order failed: Error: order already shipped" in texts(summary)
    assert "Answered: I'm sorry, I cannot cancel it." in texts(summary)
    assert [note.text for note in summary.notes] == [
        "1 of 2 tool results report a failure",
        "Strong feeling in the user's words: ridiculous",
        "The assistant declined or could not do what was asked",
    ]
    failure = next(note for note in summary.bullets if "failed" in note.text)
    line = next(line for line in shown.text.splitlines() if "already shipped" in line)
    assert failure.line_refs == f"L{int(line[1:].split(':')[0])}"
    assert flow_labels(summary.flow_diagram) == [
        "Cancel order A1, this is ridiculous",
        "get_order",
        "cancel_order (failed)",
        "Declined",
    ]


def test_handover_is_the_outcome() -> None:
    call = {"function": {"name": "transfer_to_human_agents", "arguments": '{"summary": "Wants a refund for a delay"}'}}
    shown = render_trace(
        [
            generation(
                talk(("user", "Refund my delayed flight")), [{"role": "assistant", "tool_calls": [call]}], span="g"
            )
        ]
    )
    summary = summarize(shown)
    assert "Handed over to a human agent: Wants a refund for a delay" in texts(summary)
    assert flow_labels(summary.flow_diagram)[-1] == "Handed over to a human agent"


def test_an_error_without_an_answer() -> None:
    events = [
        event(
            "generation",
            {"$ai_input": "Summarize the report", "$ai_error": "quota exceeded", "$ai_model": "m"},
            span="g",
        )
    ]
    summary = summarize(render_trace(events))
    assert summary.title == "Summarize the report"
    assert "Error in m: quota exceeded" in texts(summary)
    assert summary.notes[0].text == "1 events ended in an error"


def test_spans_alone_are_steps() -> None:
    events = [
        event(
            "trace",
            {
                "$ai_span_name": "rag",
                "$ai_input_state": {"question": "Who wrote Faust?"},
                "$ai_output_state": "Goethe did.",
            },
        ),
        event("span", {"$ai_span_name": "retrieve"}, span="a", parent=TRACE, at=1),
        event("span", {"$ai_span_name": "rerank"}, span="b", parent=TRACE, at=2),
    ]
    shown = render_trace(events)
    summary = summarize(shown)
    check(shown, summary)
    assert summary.title == "Who wrote Faust"
    assert texts(summary) == ["User asked: Who wrote Faust?", "Ran steps: retrieve, rerank", "Answered: Goethe did."]


def test_minimal_keeps_the_most_telling() -> None:
    turns: list[tuple[str, Any]] = []
    for wish in ("book a table in Rome", "find a hotel in Oslo", "rent a car in Lima", "buy train tickets to Paris"):
        turns += [("user", f"I want to {wish}."), ("assistant", f"Working on: {wish}.")]
    events = [*tool_trace(), generation(talk(*turns[:-1]), talk(turns[-1]), span="g3", at=2)]
    shown = render_trace(events)
    minimal, detailed = summarize(shown, "minimal"), summarize(shown)
    assert len(minimal.bullets) == 5 < len(detailed.bullets)
    assert [note for note in detailed.bullets if note in minimal.bullets] == list(minimal.bullets)
    assert minimal.bullets[0].text.startswith("User asked: ") and minimal.bullets[-1].text.startswith("Ended with: ")


REAL_TITLES = [summarize(render_trace(events)).title for events in real_traces()]


def test_real_titles() -> None:
    assert REAL_TITLES == [
        "Change my upcoming round‑trip",
        "What's the likely cause of this bad output",
        "Write a python function to calculate the series",
        "Write a Python function that takes user input",
        "Create dqa chatbot that will answer the questions from csv",
        "What is an API that can be used to classify",
        "Identify an API capable of converting spoken language",
    ]


@pytest.mark.parametrize("number", range(len(REAL_TITLES)))
def test_real_traces(number: int) -> None:
    events = real_traces()[number]
    shown = render_trace(events)
    check(shown, summarize(shown))
    assert summarize(render_trace(events[::-1])) == summarize(shown)


@settings(max_examples=100, deadline=None)
@given(any_events())
def test_any_trace_is_summarized(events: list[Event]) -> None:
    for shown in (render_trace(events, MIN_CHARS), render_generation(events[0], MIN_CHARS)):
        for mode in ("minimal", "detailed"):
            check(shown, summarize(shown, mode))


@pytest.mark.parametrize(
    ("sentence", "score"),
    [
        ("Thanks!", 0),
        ("My user ID is mia_kim_4397.", 1),
        ("I don't have the reservation number with me.", 1),
        ("I need some help with my flight.", 1),
        ("Can you help me with that?", 0),
        ("I'd like to make some changes to my trip.", 3),
        ("Act as a chef.", 3),
        ("I want to cancel my flight to Rome.", 4),
        ("My luggage is lost.", 4),
    ],
)
def test_request_score(sentence: str, score: int) -> None:
    assert signals.request_score(sentence) == score


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        ("Error: not found", True),
        ('{"error": "no such user"}', True),
        ('{"success": false}', True),
        ("Traceback (most recent call last)", True),
        ('{"error": null, "rows": 3}', False),
        ("No errors found", False),
        ("available", False),
    ],
)
def test_reports_failure(result: str, failed: bool) -> None:
    assert signals.reports_failure(result) is failed
