"""The one-line facts about an event: its tag, its name, its numbers, its error."""

import math
from typing import Any

from llma_assets.traces.content import read_parts
from llma_assets.traces.event import Event
from llma_assets.traces.json_values import json_text, parse_json
from llma_assets.traces.safe_text import block, one_line

TAGS = {
    "$ai_generation": "GEN",
    "$ai_span": "SPAN",
    "$ai_embedding": "EMBED",
    "$ai_evaluation": "EVAL",
}
_MAX_SIGNATURES = 5


def tag_of(event: Event) -> str:
    return TAGS.get(event.event, "EVENT")


def name_of(event: Event) -> str:
    """The event's own name, else what it is about, else its kind. Never empty."""
    keys: tuple[str, ...] = ("$ai_span_name", "$ai_model")
    if event.event == "$ai_trace":
        keys = ("$ai_trace_name", "$ai_span_name")
    elif event.event == "$ai_evaluation":
        keys = ("$ai_evaluation_name", "$ai_span_name")
    elif event.event == "$ai_metric":
        keys = ("$ai_metric_name",)
    for key in keys:
        value = event.properties.get(key)
        if isinstance(value, str):
            name = one_line(value)
            if name:
                return name
    kind = one_line(event.event.removeprefix("$ai_"), 80)
    return kind.replace("_", " ") or "event"


def summary_of(event: Event) -> str:
    """`[GEN] gpt-4o (0.45s, $0.0023)`: name and only those parts that exist."""
    properties = event.properties
    name = name_of(event)
    facts = []
    latency = number(properties.get("$ai_latency"))
    if latency is not None:
        facts.append(f"{latency:.2f}s")
    first_token = number(properties.get("$ai_time_to_first_token"))
    if first_token is not None:
        facts.append(f"TTFT {first_token:.2f}s")
    cost = number(properties.get("$ai_total_cost_usd"))
    if cost is not None:
        facts.append(_dollars(cost))
    model = properties.get("$ai_model")
    if isinstance(model, str) and (model := one_line(model, 100)) and model != name:
        facts.append(model)
    if failed(event):
        facts.append("ERROR")
    return f"[{tag_of(event)}] {name}" + (f" ({', '.join(facts)})" if facts else "")


def number(value: Any) -> float | None:
    """A finite number of at least 0 and below 10^12, from a number or its string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) and 0 <= result < 1e12 else None


def _dollars(cost: float) -> str:
    return f"${cost:.4f}" if cost >= 0.0001 or cost == 0 else f"${cost:.2g}"


def failed(event: Event) -> bool:
    flag = event.properties.get("$ai_is_error")
    if (
        flag is True
        or (isinstance(flag, str) and flag.strip().lower() in ("true", "1"))
        or (flag == 1 and flag is not False)
    ):
        return True
    status = number(event.properties.get("$ai_http_status"))
    return status is not None and 400 <= status < 600


def error_text(event: Event) -> str:
    """What went wrong, or the empty string. An error flag alone says so in words."""
    error = event.properties.get("$ai_error")
    if isinstance(error, str):
        parsed = parse_json(error)
        error = parsed if isinstance(parsed, dict) else error
    if isinstance(error, dict):
        for key in ("message", "error", "detail", "msg"):
            inner = error.get(key)
            inner = inner.get("message") if isinstance(inner, dict) else inner
            if isinstance(inner, str) and inner.strip():
                return block(inner)
    if isinstance(error, str) and error.strip():
        return block(error)
    if error not in (None, "", {}, [], False):
        return block("\n".join(part.text for part in read_parts(error)) or json_text(error))
    return ""


def tools_line(tools: Any) -> str:
    """`TOOLS: f(a: string), g()` for up to five, `TOOLS: 14 offered` for more; empty for none."""
    if isinstance(tools, str):
        tools = parse_json(tools)
    if isinstance(tools, dict):
        inner = tools.get("tools")
        named = [{"name": name, **body} for name, body in tools.items() if isinstance(body, dict)]
        tools = inner if isinstance(inner, list) else named
    if not isinstance(tools, list):
        return ""
    offered: list[Any] = []
    for tool in tools:
        declared = (
            tool.get("functionDeclarations", tool.get("function_declarations")) if isinstance(tool, dict) else None
        )
        offered += declared if isinstance(declared, list) else [tool]
    if not offered:
        return ""
    if len(offered) > _MAX_SIGNATURES:
        return f"TOOLS: {len(offered)} offered"
    return one_line("TOOLS: " + ", ".join(map(_signature, offered)), 1_000)


def _signature(tool: Any) -> str:
    if isinstance(tool, str):
        return one_line(tool, 100) or "unnamed"
    if not isinstance(tool, dict):
        return "unnamed"
    body = tool["function"] if isinstance(tool.get("function"), dict) else tool
    name = body.get("name") or tool.get("type")
    name = (one_line(name, 100) if isinstance(name, str) else "") or "unnamed"
    for key in ("parameters", "input_schema", "inputSchema", "args_schema", "schema"):
        schema = body.get(key)
        if isinstance(schema, dict):
            inner = schema.get("jsonSchema")
            schema = inner if isinstance(inner, dict) else schema
            return f"{name}({_fields(schema)})"
    return f"{name}()"


def _fields(schema: dict[str, Any]) -> str:
    fields = schema.get("properties")
    if not isinstance(fields, dict):
        return ""
    required = schema.get("required")
    required = required if isinstance(required, list) else []
    shown = []
    for key, body in list(fields.items())[:12]:
        kind = body.get("type") if isinstance(body, dict) else None
        optional = "" if key in required else "?"
        shown.append(
            f"{one_line(str(key), 60)}{optional}" + (f": {one_line(kind, 30)}" if isinstance(kind, str) else "")
        )
    return ", ".join(shown) + (", …" if len(fields) > 12 else "")
