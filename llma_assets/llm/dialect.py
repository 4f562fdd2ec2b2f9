"""What a server understands of OpenAI's protocol: found out by its refusals, once, and remembered for the run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

# From the strictest to the plainest.
_FORMATS = ("json_schema", "json_object", "text")
_REJECTED = (400, 404, 415, 422, 500, 501)
_ABOUT_FORMAT = ("response_format", "json_schema", "json_object", "structured output", "guided", "grammar")
_ABOUT_LENGTH = ("max_completion_tokens", "max completion tokens")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a structured answer is asked for.

    Attributes:
        answer_format: `json_schema` (the server enforces it), `json_object`, or `text`.
        length_key: the name under which the length of the answer is bounded.
    """

    answer_format: str = "json_schema"
    length_key: str = "max_completion_tokens"

    def request(
        self, messages: Sequence[Mapping[str, str]], schema_name: str, schema: Mapping[str, Any], max_tokens: int
    ) -> dict[str, Any]:
        """The arguments of a chat completion. Where the server does not enforce the schema, the model is told it."""
        wanted: dict[str, Any] = {"messages": [dict(message) for message in messages], self.length_key: max_tokens}
        if self.answer_format == "json_schema":
            described = {"name": schema_name, "strict": True, "schema": dict(schema)}
            return wanted | {"response_format": {"type": "json_schema", "json_schema": described}}
        first = wanted["messages"][0]
        first["content"] += f"\n\nThe JSON object must be valid under this JSON schema:\n{json.dumps(schema)}"
        return wanted | ({"response_format": {"type": "json_object"}} if self.answer_format == "json_object" else {})

    def plainer(self, status: int, param: str | None, message: str) -> "Dialect | None":
        """A dialect that avoids what the server refuses; None if the refusal is about something else.

        Args:
            status: of the HTTP answer.
            param, message: what the server says about it.
        """
        if status not in _REJECTED:
            return None
        said = f"{param or ''} {message}".lower()
        if self.length_key == "max_completion_tokens" and any(word in said for word in _ABOUT_LENGTH):
            return replace(self, length_key="max_tokens")
        if any(word in said for word in _ABOUT_FORMAT) and self.answer_format != _FORMATS[-1]:
            return replace(self, answer_format=_FORMATS[_FORMATS.index(self.answer_format) + 1])
        return None
