"""What tests of the test server itself ask it."""

from typing import Any

from llma_assets_tests.llm.server_answers import CHAT_MODEL

STRICT = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
FENCE = "=== 0123456789abcdef0123 ==="
FIELDS = "Answer with one JSON object: title, flow_steps, summary_bullets, interesting_notes"


def schema_format(schema: dict[str, Any], name: str = "trace_summary") -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def messages(system: str = f"between {FENCE}. {FIELDS}", asked: str = "sell the house") -> list[dict[str, str]]:
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": f"{FENCE}\nL1: X\nL2:   [1] user: {asked}\n{FENCE}\n"},
    ]


def batch_line(custom_id: str, asked: str = "sell the house", **changes: Any) -> dict[str, Any]:
    """One request of a batch, as a line of its file."""
    body = {"model": CHAT_MODEL, "messages": messages(asked=asked), "response_format": schema_format(STRICT)}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body} | changes
