"""Which parts of the protocol the test server knows, and how it words its refusal of the others.

The wordings are those of OpenAI, Azure OpenAI, vLLM, llama.cpp and LM Studio.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llma_assets_tests.llm.server_protocol import Refused, Reply

Wording = Literal["openai", "azure", "vllm", "llama_cpp", "lm_studio"]
FORMATS = ("json_schema", "json_object", "text")


@dataclass
class Abilities:
    """Flags that a test sets.

    Attributes:
        response_formats: those that are known.
        ignores_format: an unknown format is passed over in silence, and the JSON comes with prose around it.
        length_parameter: the one that is known, or both.
        wording: whose refusals these are.
        any_model: every model name is known.
        key: the only key that is taken; None takes any.
    """

    response_formats: set[str] = field(default_factory=lambda: set(FORMATS))
    ignores_format: bool = False
    length_parameter: Literal["both", "max_tokens", "max_completion_tokens"] = "both"
    wording: Wording = "openai"
    any_model: bool = False
    key: str | None = None

    def check_key(self, headers: Mapping[str, str]) -> None:
        """Bearer token, or Azure's header."""
        bearer = headers.get("authorization", "")
        given = headers.get("api-key") or (bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else "")
        if not given or (self.key is not None and given != self.key):
            # As OpenAI does, it repeats part of the key.
            message = f"Incorrect API key provided: {given[:8]}****{given[-4:]}."
            raise Refused(Reply(401, "invalid_api_key", message=message))

    def check_length(self, body: Mapping[str, Any]) -> None:
        """Refuse the name of the length limit that this server does not know."""
        if self.length_parameter == "both":
            return
        wrong = "max_tokens" if self.length_parameter == "max_completion_tokens" else "max_completion_tokens"
        if wrong not in body:
            return
        unknown = f"Unsupported parameter: '{wrong}' is not supported with this model."
        if self.wording == "vllm":
            detail = {"type": "extra_forbidden", "loc": ("body", wrong), "msg": "Extra inputs are not permitted"}
            raise Refused(_flat(f"[{detail}]"))
        if self.wording == "azure":
            raise Refused(_in_error(400, f"Unrecognized request argument supplied: {wrong}", param=None, code=None))
        raise Refused(
            _in_error(400, f"{unknown} Use '{self.length_parameter}' instead.", wrong, "unsupported_parameter")
        )

    def check_format(self, wanted: str) -> bool:
        """Refuse a format that is not known; False if it is passed over instead."""
        if wanted in self.response_formats:
            return True
        if self.ignores_format:
            return False
        known = " or ".join(f'"{format_}"' for format_ in FORMATS if format_ in self.response_formats)
        if self.wording == "vllm":
            detail = {
                "type": "literal_error",
                "loc": ("body", "response_format", "type"),
                "msg": f"Input should be {known}".replace('"', "'"),
                "input": wanted,
            }
            raise Refused(_flat(f"[{detail}]"))
        if self.wording == "llama_cpp":
            message = f"response_format type must be one of {known}, but got: {wanted}"
            raise Refused(
                Reply(500, body=json.dumps({"error": {"code": 500, "message": message, "type": "server_error"}}))
            )
        if self.wording == "lm_studio":
            message = f"'response_format.type' must be {known}".replace('"', "'")
            raise Refused(Reply(400, body=json.dumps({"error": message})))
        if self.wording == "azure":
            since = "2024-08-01-preview"
            message = f"response_format value as {wanted} is enabled only for api versions {since} and later"
            raise Refused(_in_error(400, message, None, "BadRequest"))
        message = f"Invalid parameter: 'response_format' of type '{wanted}' is not supported with this model."
        raise Refused(_in_error(400, message, "response_format", None))


def _in_error(status: int, message: str, param: str | None, code: str | None) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Reply(status, body=json.dumps({"error": error}))


def _flat(message: str) -> Reply:
    """vLLM's older shape: no `error` around it, and the status as the code."""
    error = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
    return Reply(400, body=json.dumps(error))
