"""Reads what a model was given and what it answered as a list of messages, whatever SDK wrote it."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from llma_assets.traces.content import MAX_DEPTH, Part, read_call, read_part, read_parts, text_part
from llma_assets.traces.json_values import has_content, json_text, parse_json
from llma_assets.traces.safe_text import block, one_line

# Providers allow 64; what is longer is cut, not dropped.
MAX_TOOL_CHARS = 100
_ROLES = {
    "human": "user",
    "humanmessage": "user",
    "humanmessagechunk": "user",
    "input": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "systemmessage": "system",
    "developer": "system",
    "function": "tool",
    "toolmessage": "tool",
    "functionmessage": "tool",
    "chatmessage": "user",
}
_LANGCHAIN_TYPES = frozenset({"human", "ai", "system", "tool", "function", "remove", *_ROLES}) - {
    "input",
    "model",
    "bot",
}
# Keys under which an object holds messages; the first one that is a list counts.
_MESSAGE_KEYS = ("messages", "contents", "choices", "candidates", "chat_history", "generations")
_SYSTEM_KEYS = ("system", "instructions", "system_instruction", "systemInstruction", "system_prompt")
# An object of one such key holds nothing but that text or message list.
_WRAPPER_KEYS = frozenset(
    [
        "input",
        "output",
        "inputs",
        "outputs",
        "question",
        "query",
        "prompt",
        "text",
        "content",
        "answer",
        "response",
        "result",
        "message",
        "messages",
        "completion",
        "user_input",
        "request",
        "reply",
        "data",
        "value",
        "args",
        "kwargs",
    ]
)


class Message(NamedTuple):
    """One message: who, and what in order. `key` is equal for messages that read the same."""

    role: str
    parts: tuple[Part, ...]
    key: object


def make_message(role: str, parts: list[Part]) -> Message:
    parts = [part for part in parts if part.text or part.kind == "call"] or [Part("placeholder", "(no content)")]
    # Ids differ between SDK layers that show the same message; a lone text is the same text as a state or a
    # tool's result, so it can be referred to instead of printed again.
    if len(parts) == 1 and parts[0].kind in ("text", "result"):
        return Message(role, tuple(parts), parts[0].text)
    return Message(role, tuple(parts), tuple((part.kind, part.name, part.text) for part in parts))


def read_messages(value: Any, default_role: str, depth: int = 0) -> list[Message]:
    """Messages of an `$ai_input`, `$ai_output_choices` or `…_state` value. Any JSON value goes in.

    Args:
        default_role: role of what names none, such as a plain string.
    """
    if value is None:
        return []
    if isinstance(value, str):
        parsed = parse_json(value) if depth < MAX_DEPTH else None
        if parsed is not None and _holds_messages(parsed):
            return read_messages(parsed, default_role, depth + 1)
        shown = block(value)
        return [make_message(default_role, [text_part(shown)])] if shown else []
    if isinstance(value, list):
        return _read_list(value, default_role, depth)
    if isinstance(value, dict):
        return _read_object(value, default_role, depth)
    return [make_message(default_role, [text_part(json_text(value))])]


def called_tools(messages: Iterable[Message]) -> Iterator[str]:
    """Names of the tools that messages call, call by call, each at most `MAX_TOOL_CHARS` long."""
    for message in messages:
        for part in message.parts:
            if part.kind == "call":
                yield part.name[:MAX_TOOL_CHARS]


def message_count(value: Any) -> int:
    """How long a history is, without reading it: tells the order of generations that carry the same time."""
    if isinstance(value, (list, str)):
        return len(value)
    if isinstance(value, dict):
        for key in _MESSAGE_KEYS:
            if isinstance(value.get(key), list):
                return len(value[key])
    return 0


def _holds_messages(value: Any) -> bool:
    """Whether a decoded string is a conversation (or a response object), and not merely some JSON text."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value[:3]) and is_message(value[0])
    return isinstance(value, dict) and (is_message(value) or any(isinstance(value.get(k), list) for k in _MESSAGE_KEYS))


def is_message(item: Any) -> bool:
    """Whether an object is one message (or one Responses item, or a choice that wraps a message)."""
    if not isinstance(item, dict):
        return False
    if isinstance(item.get("role"), str) or isinstance(item.get("message"), dict) or _is_constructor(item):
        return True
    if any(key.startswith("message.") for key in item if isinstance(key, str)):
        return True
    kind = item.get("type")
    if not isinstance(kind, str):
        return False
    if kind.lower() in _LANGCHAIN_TYPES:
        return "content" in item or isinstance(item.get("data"), dict)
    return kind == "reasoning" or kind.endswith(("_call", "_call_output"))


def _read_list(items: list[Any], default_role: str, depth: int) -> list[Message]:
    if len(items) == 2 and all(isinstance(item, str) for item in items) and items[0].lower() in _PAIR_ROLES:
        return [make_message(_role(items[0]), read_parts(items[1]))]
    messages: list[Message] = []
    loose: list[Any] = []
    for item in items:
        if isinstance(item, list) and depth < MAX_DEPTH:
            messages += _flush(loose, default_role)
            messages += _read_list(item, default_role, depth + 1)
        elif is_message(item) or (isinstance(item, dict) and _envelope(item)):
            messages += _flush(loose, default_role)
            messages += _read_object(item, default_role, depth + 1)
        else:
            loose.append(item)
    return messages + _flush(loose, default_role)


_PAIR_ROLES = frozenset({"human", "ai", "system", "user", "assistant", "tool", "developer"})


def _flush(loose: list[Any], default_role: str) -> list[Message]:
    """Parts that stand beside messages, without a role of their own, make one message."""
    if not loose:
        return []
    parts = read_parts(list(loose))
    loose.clear()
    return [make_message(default_role, parts)] if parts else []


def _envelope(item: dict[str, Any]) -> bool:
    return any(isinstance(item.get(key), list) for key in ("parts", "candidates", "choices")) or isinstance(
        item.get("content"), dict
    )


def _read_object(item: dict[str, Any], default_role: str, depth: int) -> list[Message]:
    if depth >= MAX_DEPTH:
        return [make_message(default_role, [text_part(json_text(item))])]
    if any(isinstance(key, str) and key.startswith("message.") for key in item):
        item = {key.removeprefix("message."): value for key, value in item.items()}
        return [_message(item, _role(str(item.get("role") or default_role)), depth)]
    if _is_constructor(item):
        return _langchain_constructor(item, default_role, depth)
    if isinstance(item.get("role"), str):
        return [_message(item, _role(item["role"]), depth)]
    if isinstance(item.get("message"), dict):
        return _read_object(item["message"], default_role, depth + 1)
    if is_message(item):
        return [_typed_message(item, depth)]
    return _state(item, default_role, depth)


def _is_constructor(item: dict[str, Any]) -> bool:
    return isinstance(item.get("lc"), int) and isinstance(item.get("kwargs"), dict)


def _langchain_constructor(item: dict[str, Any], default_role: str, depth: int) -> list[Message]:
    path = item.get("id")
    name = path[-1] if isinstance(path, list) and path and isinstance(path[-1], str) else ""
    body = item["kwargs"]
    if name.lower() in _LANGCHAIN_TYPES or "content" in body:
        return [_message(body, _role(name) if name.lower() in _ROLES else default_role, depth)]
    return _state(body, default_role, depth + 1)


def _typed_message(item: dict[str, Any], depth: int) -> Message:
    """A LangChain message by its `type`, or an item of the Responses API that has no role."""
    kind = item["type"].lower()
    if kind in _LANGCHAIN_TYPES:
        inner = item.get("data")
        return _message(inner if isinstance(inner, dict) else item, _role(kind), depth)
    role = "tool" if kind.endswith("_output") else "assistant"
    return make_message(role, read_part(item, depth) or [Part("placeholder", f"[{one_line(item['type'], 60)}]")])


def _message(item: dict[str, Any], role: str, depth: int) -> Message:
    parts: list[Part] = []
    for key in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(item.get(key), str) and item[key].strip():
            parts.append(text_part(item[key], "thinking"))
            break
    content = item.get("content")
    if content is None or content == "" or content == []:
        content = item.get("parts")
    if isinstance(content, dict) and (isinstance(content.get("parts"), list) or isinstance(content.get("role"), str)):
        content = content.get("parts", content.get("content"))
    if isinstance(content, list):
        parts += read_parts([inner["message_content"] if _is_flattened(inner) else inner for inner in content], depth)
    else:
        parts += read_parts(content, depth)
    refusal = item.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(text_part(f"(refusal) {refusal}"))
    audio = item.get("audio")
    if isinstance(audio, dict):
        parts += read_part({"type": "audio", "audio": audio}, depth)
    parts += _calls(item)
    if role == "tool":
        parts = _as_result(item, parts)
    return make_message(role, parts)


def _is_flattened(inner: Any) -> bool:
    return isinstance(inner, dict) and isinstance(inner.get("message_content"), dict)


def _calls(item: dict[str, Any]) -> list[Part]:
    calls: Any = None
    extra = item.get("additional_kwargs")
    for holder in (item, extra if isinstance(extra, dict) else {}):
        for key in ("tool_calls", "toolCalls", "toolInvocations", "invalid_tool_calls"):
            if isinstance(holder.get(key), list) and holder[key]:
                calls = holder[key]
                break
        if calls is None and isinstance(holder.get("function_call"), dict):
            calls = [holder["function_call"]]
        if calls is not None:
            break
    if calls is None:
        return []
    shown = [read_call(call) if isinstance(call, dict) else _odd_call(call) for call in calls[:100]]
    # LangChain repeats in tool_calls what its content parts already held.
    return [*shown, Part("placeholder", f"… ({len(calls) - 100} more calls) …")] if len(calls) > 100 else shown


def _odd_call(call: Any) -> Part:
    return Part("placeholder", f"[tool call] {block(json_text(call))}")


def _as_result(item: dict[str, Any], parts: list[Part]) -> list[Part]:
    name = item.get("name")
    call_id = item.get("tool_call_id") or item.get("id")
    failed = item.get("status") in ("error", "failed") or item.get("is_error") is True
    return [
        part._replace(
            kind="result",
            name=one_line(name, 120) if isinstance(name, str) else part.name,
            call_id=call_id if isinstance(call_id, str) else "",
            is_error=part.is_error or failed,
        )
        if part.kind == "text"
        else part
        for part in parts
    ]


def _state(item: dict[str, Any], default_role: str, depth: int) -> list[Message]:
    """An object around messages (a request, a response, a LangGraph state), or any other object as JSON."""
    for key in _MESSAGE_KEYS:
        inner = item.get(key)
        if isinstance(inner, list) and inner:
            messages = _system_of(item)
            messages += read_messages(inner, "assistant" if key in _ANSWER_KEYS else default_role, depth + 1)
            return messages + _rest_of(item, key)
    if isinstance(item.get("parts"), list) or isinstance(item.get("content"), dict):
        return [_message(item, default_role, depth)]
    output = item.get("output")
    if isinstance(output, list) and output and (item.get("object") == "response" or is_message(output[0])):
        return read_messages(output, "assistant", depth + 1)
    if len(item) == 1:
        ((key, inner),) = item.items()
        if key in _WRAPPER_KEYS and isinstance(inner, (str, list, dict)):
            return read_messages(inner, default_role, depth + 1)
    if not item:
        return []
    text = item.get("text")
    if isinstance(text, str) and any(isinstance(item.get(key), list) for key in ("toolCalls", "tool_calls")):
        return [_message({**item, "content": text}, default_role, depth)]
    parts = read_part(item, depth) if isinstance(item.get("type"), str) else []
    if not parts:
        shown = block(json_text(item))
        parts = [Part("text", shown, readable=has_content(item))]
    return [make_message(default_role, parts)]


_ANSWER_KEYS = frozenset({"choices", "candidates", "generations"})
# Bookkeeping of a response object that a reader does not need.
_BOOKKEEPING = frozenset(
    [
        "id",
        "object",
        "created",
        "model",
        "usage",
        "system_fingerprint",
        "service_tier",
        "usageMetadata",
        "usage_metadata",
        "modelVersion",
        "llm_output",
        "run",
        "type",
        "responseId",
        "stream",
        "temperature",
        "max_tokens",
        "top_p",
        "tools",
        "tool_choice",
        "metadata",
    ]
)


def _system_of(item: dict[str, Any]) -> list[Message]:
    for key in _SYSTEM_KEYS:
        value = item.get(key)
        if value:
            value = value.get("parts") if isinstance(value, dict) and "parts" in value else value
            parts = read_parts(value)
            return [make_message("system", parts)] if parts else []
    return []


def _rest_of(item: dict[str, Any], used: str) -> list[Message]:
    rest = {
        key: value
        for key, value in item.items()
        if key != used and key not in _BOOKKEEPING and key not in _SYSTEM_KEYS and value not in (None, "", [], {})
    }
    if not rest:
        return []
    return [make_message("state", [Part("text", block(json_text(rest)), readable=has_content(rest))])]


def _role(role: str) -> str:
    known = _ROLES.get(role.lower())
    return known or one_line(role.lower(), 40) or "unknown"
