"""Reads the content of one message, whatever SDK wrote it: never fails, never blank, never a Python repr."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from llma_assets.traces.json_values import MAX_ITEMS, has_content, json_text, parse_json
from llma_assets.traces.safe_text import block, is_readable, media_placeholder, one_line

# Content nests (a tool result holds parts, which hold JSON strings of parts); real traces need three levels.
MAX_DEPTH = 6
# Parts of one message that are shown; runs of text count as one.
MAX_PARTS = 100

PartKind = Literal["text", "thinking", "call", "result", "placeholder"]


class Part(NamedTuple):
    """One piece of a message, its text printable and bounded.

    Attributes:
        text: the text, the call's arguments, the tool's result, or the placeholder.
        name: the tool, for `call` and, where known, `result`.
        call_id: pairs a call with its result; empty where the SDK gave none.
        readable: whether a person finds content in it (not only a placeholder).
    """

    kind: PartKind
    text: str
    name: str = ""
    call_id: str = ""
    is_error: bool = False
    readable: bool = False


def read_parts(value: Any, depth: int = 0) -> list[Part]:
    """Parts of a message's `content`, in order. Any JSON value goes in."""
    if value is None:
        return []
    if isinstance(value, str):
        return _read_string(value, depth)
    if isinstance(value, dict):
        return read_part(value, depth)
    if isinstance(value, list):
        return _read_list(value, depth)
    return [text_part(json_text(value))]


def text_part(text: str, kind: PartKind = "text") -> Part:
    shown = block(text)
    return Part(kind, shown, readable=is_readable(shown))


def _read_string(value: str, depth: int) -> list[Part]:
    if depth < MAX_DEPTH:
        parsed = parse_json(value)
        if _is_part(parsed) or (isinstance(parsed, list) and parsed and all(map(_is_part, parsed))):
            return read_parts(parsed, depth + 1)
    shown = block(value)
    return [Part("text", shown, readable=is_readable(shown))] if shown else []


def _read_list(items: list[Any], depth: int) -> list[Part]:
    parts: list[Part] = []
    run: list[str] = []
    for position, item in enumerate(items):
        plain = _plain_text(item)
        if plain is not None:
            run.append(plain)
            continue
        if run:
            parts += _text_run(run)
            run = []
        if len(parts) >= MAX_PARTS:
            return [*parts, Part("placeholder", f"… ({len(items) - position} more parts) …")]
        parts += read_parts(item, depth + 1) if depth < MAX_DEPTH else [text_part(json_text(item))]
    return parts + _text_run(run)


def _text_run(run: list[str]) -> list[Part]:
    if len(run) == 1:
        return _read_string(run[0], MAX_DEPTH)
    text = "\n".join(run).strip()
    return [text_part(text)] if text else []


_TEXT_TYPES = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})


def _plain_text(item: Any) -> str | None:
    """The text of a part that is nothing but text, else None."""
    if isinstance(item, str):
        return item
    if isinstance(item, dict) and not item.get("thought"):
        kind = item.get("type")
        if (isinstance(kind, str) and kind in _TEXT_TYPES) or (kind is None and "text" in item):
            for key in ("text", "content"):
                if isinstance(item.get(key), str):
                    text: str = item[key]
                    return text
    return None


# --- one part -----------------------------------------------------------------------------------


def read_part(part: dict[str, Any], depth: int) -> list[Part]:
    """What one typed part holds. An unknown type becomes a short typed placeholder with its JSON."""
    kind = _kind(part)
    reader = _READERS.get(kind)
    if reader is not None:
        return list(reader(part, depth + 1))
    if kind.endswith("_call_output"):
        return list(_result(part, depth + 1))
    if kind.startswith("tool-") or kind == "dynamic-tool":
        return list(_vercel_ui_tool(part, depth + 1))
    if kind.endswith("_call"):
        return list(_call(part, depth + 1))
    if kind.endswith("_tool_result"):
        return list(_result(part, depth + 1))
    return list(_by_keys(part, depth + 1, kind))


def _kind(part: dict[str, Any]) -> str:
    kind = part.get("type")
    return kind if isinstance(kind, str) else ""


# Keys that mark a part without a `type` (Gemini, LangChain, the OpenAI function envelope).
_KEYED: tuple[tuple[str, str], ...] = (
    ("function_call", "function_call"),
    ("functionCall", "function_call"),
    ("function_response", "function_response"),
    ("functionResponse", "function_response"),
    ("inline_data", "inline"),
    ("inlineData", "inline"),
    ("file_data", "inline"),
    ("fileData", "inline"),
    ("executable_code", "code"),
    ("executableCode", "code"),
    ("code_execution_result", "code_result"),
    ("codeExecutionResult", "code_result"),
)


def _is_part(value: Any) -> bool:
    """Whether a JSON value is surely a content part, and not an object that merely has a `type`."""
    if not isinstance(value, dict):
        return False
    kind = _kind(value)
    if kind in _TEXT_TYPES:
        return isinstance(value.get("text", value.get("content")), str)
    return kind in _SURE_TYPES or (not kind and any(isinstance(value.get(key), dict) for key, _ in _KEYED))


def _by_keys(part: dict[str, Any], depth: int, kind: str) -> Iterator[Part]:
    for key, meaning in _KEYED:
        inner = part.get(key)
        if isinstance(inner, dict):
            if meaning == "function_call":
                yield from _call(inner, depth)
            elif meaning == "function_response":
                yield from _result(inner, depth)
            elif meaning == "inline":
                yield from _media(inner, depth)
            elif meaning == "code":
                yield from _code(inner)
            else:
                yield from _result({"content": inner.get("output")}, depth)
            return
    if isinstance(part.get("function"), dict):
        yield from _call(part, depth)
        return
    text = part.get("text", part.get("content") if not kind else None)
    if isinstance(text, str):
        yield text_part(text, "thinking" if part.get("thought") is True else "text")
        return
    yield _unknown(part, kind)


def _unknown(part: dict[str, Any], kind: str) -> Part:
    body = {key: value for key, value in part.items() if key != "type"} if kind else part
    shown = block(json_text(body)) if body else ""
    if not kind:
        return Part("text", shown, readable=has_content(body)) if shown else Part("placeholder", "[empty object]")
    label = f"[{one_line(kind, 60)}]"
    return Part("placeholder", f"{label} {shown}".strip(), readable=False)


def _text(part: dict[str, Any], depth: int) -> Iterator[Part]:
    inner = part.get("text", part.get("content"))
    yield from read_parts(inner, depth) if depth < MAX_DEPTH else [text_part(json_text(inner))]


def _thinking(part: dict[str, Any], depth: int) -> Iterator[Part]:
    for key in ("thinking", "reasoning", "text", "content", "summary"):
        inner = part.get(key)
        if inner and depth < MAX_DEPTH:
            for piece in read_parts(inner, depth):
                yield piece._replace(kind="thinking") if piece.kind == "text" else piece
            return
    yield Part("placeholder", "[reasoning, not readable]")


def _refusal(part: dict[str, Any], _depth: int) -> Iterator[Part]:
    text = part.get("refusal")
    yield text_part(f"(refusal) {text}" if isinstance(text, str) else "(refusal)")


def _call(part: dict[str, Any], _depth: int) -> Iterator[Part]:
    yield read_call(part)


def _result(part: dict[str, Any], depth: int) -> Iterator[Part]:
    """Results of Anthropic, OpenAI Responses, Gemini, OTel and Vercel."""
    name = _first_text(part, "name", "toolName", "tool_name")
    call_id = _first_text(part, "tool_use_id", "call_id", "tool_call_id", "toolCallId", "id")
    value = _first_present(part, "content", "output", "result", "response", "error")
    failed = part.get("is_error") is True or part.get("isError") is True or part.get("status") in ("error", "failed")
    shown = block(result_text(value, depth))
    yield Part("result", shown or "(empty)", name, call_id, failed, has_content(value))


def _vercel_invocation(part: dict[str, Any], depth: int) -> Iterator[Part]:
    inner = part.get("toolInvocation")
    inner = inner if isinstance(inner, dict) else part
    yield read_call(inner)
    if inner.get("result") is not None:
        yield from _result(inner, depth)


def _vercel_ui_tool(part: dict[str, Any], depth: int) -> Iterator[Part]:
    name = _first_text(part, "toolName") or _kind(part).removeprefix("tool-")
    if any(key in part for key in ("input", "args", "state")) or "output" not in part:
        yield read_call({**part, "toolName": name})
    if part.get("output") is not None or part.get("errorText"):
        failed = bool(part.get("errorText"))
        output = part["errorText"] if failed else part["output"]
        yield from _result({"toolName": name, "toolCallId": part.get("toolCallId"), "content": output}, depth)


def _code(part: dict[str, Any]) -> Iterator[Part]:
    yield read_call({"name": "code", "arguments": part.get("code")})


def _reference(part: dict[str, Any], _depth: int) -> Iterator[Part]:
    where = _first_text(part, "url", "uri", "title", "filename", "name")
    yield Part("placeholder", f"[{one_line(_kind(part), 60)}{': ' if where else ''}{one_line(where, 200)}]")


def _media(part: dict[str, Any], _depth: int) -> Iterator[Part]:
    """Images, sound, documents and files: type and size, or the address; the text of a text document."""
    holder = part
    for key in ("source", "image_url", "input_audio", "file", "audio", "video_url", "image", "data"):
        if isinstance(part.get(key), dict):
            holder = part[key]
            break
    if holder.get("type") == "text" and isinstance(holder.get("data"), str):
        yield text_part(holder["data"])
        return
    transcript = _first_text(holder, "transcript")
    if transcript:
        yield text_part(transcript)
        return
    kind = _first_text(holder, "media_type", "mime_type", "mimeType", "mediaType", "format")
    name = _first_text(part, "filename", "title", "name") or _first_text(holder, "filename", "file_name")
    kind = kind or _kind(part).removeprefix("input_").removesuffix("_url") or "media"
    if name:
        kind = f"{kind} {one_line(name, 100)}"
    value = _first_present(
        holder, "data", "base64", "file_data", "url", "image_url", "image", "uri", "file_uri", "fileUri"
    )
    value = value if isinstance(value, str) else ""
    if value.startswith("data:"):
        yield Part("placeholder", block(value) if ";base64," in value[:400] else media_placeholder(kind, 0))
    elif value.startswith(("http://", "https://", "gs://", "s3://")):
        yield Part("placeholder", f"[{one_line(kind, 120)} {one_line(value, 200)}]")
    else:
        yield Part("placeholder", media_placeholder(kind, len(value)))


def _redacted_thinking(_part: dict[str, Any], _depth: int) -> Iterator[Part]:
    yield Part("placeholder", "[reasoning, encrypted]")


def _silent(_part: dict[str, Any], _depth: int) -> Iterator[Part]:
    yield from ()


_Reader = Callable[[dict[str, Any], int], Iterator[Part]]
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(_TEXT_TYPES, _text),
    **dict.fromkeys(("thinking", "reasoning", "reasoning_content"), _thinking),
    "redacted_thinking": _redacted_thinking,
    "refusal": _refusal,
    **dict.fromkeys(
        ("function", "function_call", "tool_call", "tool-call", "tool_use", "server_tool_use", "mcp_tool_use"), _call
    ),
    **dict.fromkeys(
        ("tool_result", "tool-result", "tool-error", "tool_call_response", "function_response", "mcp_tool_result"),
        _result,
    ),
    "tool-invocation": _vercel_invocation,
    **dict.fromkeys(
        ("image", "image_url", "input_image", "audio", "input_audio", "output_audio", "video", "video_url"), _media
    ),
    **dict.fromkeys(
        ("document", "file", "input_file", "container_upload", "media", "blob", "uri", "inline_data"), _media
    ),
    **dict.fromkeys(("source-url", "source-document", "item_reference", "resource_link"), _reference),
    "step-start": _silent,
}
# A JSON string is taken for parts only if it says so plainly: `image` or `file` could be anybody's object.
_SURE_TYPES = frozenset(
    {"tool_use", "tool_result", "tool-call", "tool-result", "thinking", "image_url", "function_call"}
)


# --- tool calls and results -----------------------------------------------------------------------


def read_call(call: dict[str, Any]) -> Part:
    """A tool call in any envelope; arguments that are not valid JSON are shown as they are."""
    body = call
    for key in ("tool_call", "functionCall", "function_call", "custom", "function"):
        if isinstance(body.get(key), dict):
            body = body[key]
    name = _first_text(body, "name", "toolName", "tool_name") or _first_text(call, "name", "toolName")
    kind = _kind(call)
    name = one_line(name or (kind if kind not in ("function", "function_call") else "") or "unnamed tool", 120)
    call_id = _first_text(call, "id", "call_id", "tool_call_id", "toolCallId")
    arguments = _first_present(body, "arguments", "args", "input", "parameters", "action", "query", "queries", "code")
    shown, readable = format_arguments(arguments)
    return Part("call", shown, name, call_id, readable=readable)


def format_arguments(arguments: Any) -> tuple[str, bool]:
    """`city="Rome", days=3`, and whether there is content in it."""
    if isinstance(arguments, str):
        parsed = parse_json(arguments)
        if parsed is None:
            shown = block(arguments)
            return shown, is_readable(shown)
        arguments = parsed
    if arguments is None or arguments == {} or arguments == []:
        return "", False
    if isinstance(arguments, dict):
        pairs = list(arguments.items())[:MAX_ITEMS]
        text = ", ".join(f"{one_line(str(key), 100)}={json_text(value)}" for key, value in pairs)
        if len(arguments) > len(pairs):
            text += f", … ({len(arguments) - len(pairs)} more)"
        return block(text), has_content(arguments)
    return block(json_text(arguments)), has_content(arguments)


def result_text(value: Any, depth: int = 0) -> str:
    """The text of a tool result: a string as it is, parts as their texts, anything else as JSON."""
    if isinstance(value, str):
        if depth < MAX_DEPTH:
            parsed = parse_json(value)
            if isinstance(parsed, list) and parsed and all(map(_is_part, parsed)):
                return result_text(parsed, depth + 1)
        return value
    if value is None:
        return ""
    if isinstance(value, dict) and value.get("type") in ("text", "json") and "value" in value:
        return result_text(value["value"], depth + 1) if depth < MAX_DEPTH else json_text(value)
    if depth < MAX_DEPTH and isinstance(value, list) and any(map(_is_part, value[:MAX_ITEMS])):
        return "\n".join(part.text for part in read_parts(value, depth + 1))
    return json_text(value)


def _first_text(holder: dict[str, Any], *keys: str) -> str:
    for key in keys:
        value = holder.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def _first_present(holder: dict[str, Any], *keys: str) -> Any:
    for key in keys:
        if holder.get(key) is not None:
            return holder[key]
    return None
