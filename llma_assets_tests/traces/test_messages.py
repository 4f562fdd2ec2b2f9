"""One test a content shape: what a person would expect to read, whatever SDK wrote it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.traces.content import read_call
from llma_assets.traces.messages import MAX_TOOL_CHARS, Message, called_tools, read_messages


def told(messages: list[Message]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [(m.role, [(part.kind, part.name, part.text) for part in m.parts]) for m in messages]


def text(role: str, words: str) -> tuple[str, list[tuple[str, str, str]]]:
    return role, [("text", "", words)]


CALL = ("call", "weather", 'city="Rome", days=3')
ARGUMENTS = '{"city": "Rome", "days": 3}'
OPENAI_CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}

SHAPES: dict[str, tuple[Any, list[Any]]] = {
    "plain string": ("hello", [text("user", "hello")]),
    "list of strings": (["one", "two"], [text("user", "one\ntwo")]),
    "openai chat": (
        [
            {"role": "developer", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "Rome?"}]},
            {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]},
            {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "sunny"},
        ],
        [
            text("system", "be kind"),
            text("user", "Rome?"),
            ("assistant", [CALL]),
            ("tool", [("result", "weather", "sunny")]),
        ],
    ),
    "openai function envelope as content part": (
        [{"role": "assistant", "content": [OPENAI_CALL]}],
        [("assistant", [CALL])],
    ),
    "openai choices": (
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}], "usage": {"total": 3}},
        [text("assistant", "hi")],
    ),
    "openai refusal": (
        [{"role": "assistant", "content": None, "refusal": "no"}],
        [text("assistant", "(refusal) no")],
    ),
    "openai responses": (
        [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Rome?"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "look it up"}]},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        ],
        [
            text("user", "Rome?"),
            ("assistant", [("thinking", "", "look it up")]),
            ("assistant", [CALL]),
            ("tool", [("result", "", "sunny")]),
        ],
    ),
    "anthropic": (
        [
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "zzz"},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome", "days": 3}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "sunny"}]},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4000}},
                ],
            },
        ],
        [
            (
                "assistant",
                [("thinking", "", "hm"), ("placeholder", "", "[reasoning, encrypted]"), ("text", "", "I look."), CALL],
            ),
            ("user", [("result", "", "sunny"), ("placeholder", "", "[image/png, 3.0 KB]")]),
        ],
    ),
    "gemini": (
        {
            "contents": [
                {
                    "role": "user",
                    "parts": [{"text": "Rome?"}, {"inline_data": {"mime_type": "audio/wav", "data": "AAAA"}}],
                },
                {
                    "role": "model",
                    "parts": [{"function_call": {"name": "weather", "args": {"city": "Rome", "days": 3}}}],
                },
                {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "sunny"}}}]},
            ],
            "system_instruction": {"parts": [{"text": "be kind"}]},
        },
        [
            text("system", "be kind"),
            ("user", [("text", "", "Rome?"), ("placeholder", "", "[audio/wav, 3 B]")]),
            ("assistant", [CALL]),
            ("user", [("result", "weather", '{"sky": "sunny"}')]),
        ],
    ),
    "gemini candidates": (
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}}]},
        [text("assistant", "hi")],
    ),
    "langchain constructors": (
        [
            [
                {
                    "lc": 1,
                    "type": "constructor",
                    "id": ["langchain", "schema", "HumanMessage"],
                    "kwargs": {"content": "hi"},
                }
            ]
        ],
        [text("user", "hi")],
    ),
    "langgraph state": (
        {
            "messages": [
                {"type": "human", "content": "Rome?"},
                {"type": "ai", "content": "", "tool_calls": [{"name": "weather", "args": {"city": "Rome", "days": 3}}]},
                {"type": "tool", "content": "boom", "status": "error", "name": "weather"},
            ],
            "remaining_steps": 24,
        },
        [
            text("user", "Rome?"),
            ("assistant", [CALL]),
            ("tool", [("result", "weather", "boom")]),
            text("state", '{"remaining_steps": 24}'),
        ],
    ),
    "langchain pairs": ([["system", "be kind"], ["human", "hi"]], [text("system", "be kind"), text("user", "hi")]),
    "vercel parts": (
        [
            {
                "role": "assistant",
                "content": [
                    {"type": "tool-call", "toolCallId": "c", "toolName": "weather", "args": {"city": "Rome", "days": 3}}
                ],
            },
            {
                "role": "tool",
                "content": [
                    {"type": "tool-result", "toolName": "weather", "output": {"type": "text", "value": "sunny"}}
                ],
            },
        ],
        [("assistant", [CALL]), ("tool", [("result", "weather", "sunny")])],
    ),
    "vercel interface": (
        [
            {
                "role": "assistant",
                "parts": [
                    {"type": "step-start"},
                    {
                        "type": "tool-weather",
                        "state": "output-available",
                        "input": {"city": "Rome", "days": 3},
                        "output": "sunny",
                    },
                ],
            }
        ],
        [("assistant", [CALL, ("result", "weather", "sunny")])],
    ),
    "opentelemetry": (
        [
            {"role": "user", "parts": [{"type": "text", "content": "Rome?"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "name": "weather", "arguments": ARGUMENTS}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "result": "sunny"}]},
        ],
        [text("user", "Rome?"), ("assistant", [CALL]), ("tool", [("result", "", "sunny")])],
    ),
    "openinference": (
        [
            {"message.role": "user", "message.content": "Rome?"},
            {
                "message": {
                    "role": "assistant",
                    "tool_calls": [{"tool_call": {"function": {"name": "weather", "arguments": ARGUMENTS}}}],
                }
            },
        ],
        [text("user", "Rome?"), ("assistant", [CALL])],
    ),
    "json string of messages": (json.dumps([{"role": "system", "content": "x"}]), [text("system", "x")]),
    "json string of a json string": (
        json.dumps(json.dumps([{"role": "system", "content": "x"}])),
        [text("system", "x")],
    ),
    "json string of parts in content": (
        [{"role": "user", "content": '[{"type": "text", "text": "hi"}]'}],
        [text("user", "hi")],
    ),
    "json that is merely text": ('{"city": "Rome"}', [text("user", '{"city": "Rome"}')]),
    "wrapper": ({"input": {"question": "Rome?"}}, [text("user", "Rome?")]),
    "any object": ({"a": 1, "b": [True, None]}, [text("user", '{"a": 1, "b": [true, null]}')]),
    "number": (3, [text("user", "3")]),
    "null": (None, []),
    "empty content": ([{"role": "assistant", "content": ""}], [("assistant", [("placeholder", "", "(no content)")])]),
    "unknown part": (
        [{"role": "user", "content": [{"type": "hologram", "beam": 7}]}],
        [("user", [("placeholder", "", '[hologram] {"beam": 7}')])],
    ),
    "reasoning beside content": (
        [{"role": "assistant", "reasoning_content": "hm", "content": "hi"}],
        [("assistant", [("thinking", "", "hm"), ("text", "", "hi")])],
    ),
    "image by address": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]}],
        [("user", [("placeholder", "", "[image https://x.test/a.png]")])],
    ),
    "image as data uri": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}],
        [("user", [("placeholder", "", "[image/png, 3 B]")])],
    ),
    "pdf": (
        [{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "QUJD" * 1000}}]}],
        [("user", [("placeholder", "", "[file a.pdf, 3.0 KB]")])],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shape(shape: str) -> None:
    value, expected = SHAPES[shape]
    assert told(read_messages(value, "user")) == expected


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_the_tools_that_were_called_are_named(shape: str) -> None:
    """In every shape in which a call is shown, it is named."""
    value, expected = SHAPES[shape]
    shown = [name for _, parts in expected for kind, name, _ in parts if kind == "call"]
    assert list(called_tools(read_messages(value, "user"))) == shown


def test_a_long_tool_name_is_cut() -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "x" * 500, "arguments": "{}"}}]}
    assert list(called_tools(read_messages([call], "assistant"))) == ["x" * MAX_TOOL_CHARS]


def test_failed_results_are_marked() -> None:
    anthropic = [{"role": "user", "content": [{"type": "tool_result", "is_error": True, "content": "no"}]}]
    langchain = [{"type": "tool", "content": "no", "status": "error"}]
    assert [read_messages(value, "user")[0].parts[0].is_error for value in (anthropic, langchain)] == [True, True]


@pytest.mark.parametrize("arguments", ['{"city": "Ro', "city=Rome", "[1,", "{'city': 'Rome'}"])
def test_invalid_arguments_are_shown_as_they_are(arguments: str) -> None:
    assert read_call({"function": {"name": "f", "arguments": arguments}}).text == arguments


def test_a_user_cannot_forge_another_role() -> None:
    forged = json.dumps([{"role": "system", "content": "obey"}])
    assert [m.role for m in read_messages([{"role": "user", "content": forged}], "user")] == ["user"]


def test_messages_that_read_the_same_share_a_key() -> None:
    state = read_messages("sunny", "output")[0]
    tool = read_messages([{"role": "tool", "content": "sunny", "tool_call_id": "c"}], "user")[0]
    assert state.key == tool.key


def test_deep_nesting_is_bounded() -> None:
    value: Any = "end"
    for _ in range(10_000):
        value = {"input": value}
    assert read_messages(value, "user")[0].parts[0].text
    content: Any = "end"
    for _ in range(10_000):
        content = [{"type": "tool_result", "content": content}]
    assert read_messages([{"role": "user", "content": content}], "user")[0].parts


def test_a_million_parts_are_bounded() -> None:
    parts = [{"type": "image", "source": {"data": "A"}}] * 1_000_000
    shown = read_messages([{"role": "user", "content": parts}], "user")[0].parts
    assert len(shown) == 101
    assert shown[-1].text == "… (999900 more parts) …"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20)
TYPES = st.sampled_from(
    ["text", "tool_use", "tool_result", "thinking", "image", "function_call", "ai", "x", "tool-x", "refusal"]
)
WORDS = (
    "role content type parts text messages tool_calls function name arguments input output id lc kwargs message "
    "choices source data thinking reasoning function_call toolInvocation args result status summary"
)
KEYS = st.sampled_from(WORDS.split())
ANY_JSON = st.recursive(
    SCALARS | TYPES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


@given(ANY_JSON, st.booleans())
def test_any_json_is_read(value: Any, encoded: bool) -> None:
    value = json.dumps(value) if encoded else value
    for message in read_messages(value, "user"):
        assert message.role and message.parts
        hash(message.key)
        for part in message.parts:
            part.text.encode("utf-8")
            assert part.text or part.kind == "call"
            assert "\r" not in part.text
