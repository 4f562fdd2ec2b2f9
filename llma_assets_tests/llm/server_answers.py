"""Honest answers: made from the text that is sent, by whoever looks at nothing else.

A prompt that lacks the trace, or a schema that is not strict, therefore gives a wrong answer or a refusal.
"""

import base64
import hashlib
import json
import re
import struct
from typing import Any

from llma_assets_tests.llm.server_abilities import Abilities
from llma_assets_tests.llm.server_protocol import CHAT, EMBEDDINGS, Altered, Refused, Reply, Request

CHAT_MODEL = "small-chat"
EMBEDDING_MODEL = "small-vectors"
DIM = 32
# What the code under test expects of models that it knows by name.
_KNOWN_DIMS = {"text-embedding-3-large": 3072, "text-embedding-3-small": 1536, "text-embedding-ada-002": 1536}
_CHARS_PER_TOKEN = 4


def answer(request: Request, altered: Altered, abilities: Abilities) -> dict[str, Any]:
    """The answer to a call to a model.

    Raises:
        Refused: the real server would not take it.
    """
    # Azure's paths name the deployment, and its version is in the query.
    prefix = request.path.removesuffix(CHAT).removesuffix(EMBEDDINGS)
    if not request.is_model_call or (prefix != "/v1" and "api-version" not in request.query):
        raise Refused(Reply(404, "not_found"))
    is_any_model = abilities.any_model or prefix != "/v1"
    if request.path.endswith(EMBEDDINGS):
        return _embeddings(request.body, altered, is_any_model)
    return _completion(request, altered, abilities, is_any_model)


def _completion(request: Request, altered: Altered, abilities: Abilities, is_any_model: bool) -> dict[str, Any]:
    body = request.body
    if body.get("model") != CHAT_MODEL and not is_any_model:
        raise Refused(Reply(404, "model_not_found"))
    abilities.check_length(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(message.get("content") for message in messages):
        raise Refused(Reply(400, "invalid_request_error", message="'messages' is invalid", param="messages"))
    content, finish_reason = _content(body, messages, abilities), altered.finish_reason
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if limit is not None and len(content) // _CHARS_PER_TOKEN > limit:
        content, finish_reason = content[: limit * _CHARS_PER_TOKEN], "length"
    changed = altered.change(content)
    said = changed if altered.refusal is None else None
    read, written = len(request.text) // _CHARS_PER_TOKEN, len(said or "") // _CHARS_PER_TOKEN
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said, "refusal": altered.refusal},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def _content(body: dict[str, Any], messages: list[dict[str, Any]], abilities: Abilities) -> str:
    wanted = body.get("response_format") or {"type": "text"}
    is_known = abilities.check_format(wanted["type"])
    text = _enclosed(messages)
    if is_known and wanted["type"] == "json_schema":
        described = wanted["json_schema"]
        if not described.get("strict"):
            raise Refused(Reply(400, "invalid_request_error"))
        _check_strict(described["schema"])
        honest = {"trace_summary": _summary, "cluster_names": _names}[described["name"]](text)
        return json.dumps({name: honest[name] for name in described["schema"]["properties"]})
    asked = messages[0]["content"]
    if is_known and wanted["type"] == "json_object" and not any("json" in m["content"].lower() for m in messages):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise Refused(Reply(400, None, message=message, param="messages"))
    # Without a schema the instructions alone say what to answer with; what stands in the trace does not.
    if all(name in asked for name in ("title", "flow_steps", "summary_bullets", "interesting_notes")):
        honest = _summary(text)
    elif all(name in asked for name in ("clusters", "cluster_id", "title", "description")):
        honest = _names(text)
    else:
        return "{}" if wanted["type"] == "json_object" and is_known else "What would you like me to do?"
    if is_known and wanted["type"] == "json_object":
        return json.dumps(honest)
    return f"Sure! Here is the JSON object:\n```json\n{json.dumps(honest, indent=2)}\n```\nAnything else?"


def _check_strict(schema: dict[str, Any]) -> None:
    """The rules of strict mode: every object closed, every property required."""
    if schema["type"] == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or schema.get("required") != list(schema["properties"]):
            raise Refused(Reply(400, "invalid_json_schema"))
        for inner in schema["properties"].values():
            _check_strict(inner)
    if schema["type"] == "array":
        _check_strict(schema["items"])


def _enclosed(messages: list[dict[str, Any]]) -> str:
    """What stands between the two marks that the instructions name; nothing if they are not there."""
    if len(messages) < 2:
        return ""
    system, user = messages[0]["content"], messages[1]["content"]
    fence, _, rest = user.partition("\n")
    inside, closing, _ = rest.partition(f"\n{fence}\n")
    return inside if closing and len(fence) > 20 and fence in system else ""


def _summary(text: str) -> dict[str, Any]:
    """What a reader could say who looks at the numbered lines only."""
    lines = re.findall(r"^L0*(\d+): (.*)$", text, re.MULTILINE)
    said = [(number, re.sub(r"^.*?\] (?=\w+: )", "", line)) for number, line in lines if re.search(r"\] \w+: \S", line)]
    asked = [line.removeprefix("user: ") for _, line in said if line.startswith("user: ")]
    nodes = [line.split("] ", 1)[1] for _, line in lines if re.search(r"\[(GEN|SPAN)\] ", line)]
    failed = [(number, line) for number, line in lines if "ERROR" in line]
    return {
        "title": " ".join(asked[0].split()[:8]) if asked else "Nothing was asked",
        "flow_steps": nodes[:6],
        "summary_bullets": [{"text": line[:200], "line_refs": f"L{number}"} for number, line in said[-6:]],
        "interesting_notes": [{"text": f"It failed:{line}", "line_refs": f"L{number}"} for number, line in failed[:3]],
    }


def _names(text: str) -> dict[str, Any]:
    """Names from the terms and the first member of each group."""
    clusters = []
    for block in re.split(r"\n\n(?=GROUP )", text):
        found = re.match(r"GROUP (-?\d+): (\d+) members\nterms: (.*)\nnear:\n- (.*)", block)
        if found:
            terms = " ".join(found[3].split("; ")[:2])
            member, *statements = found[4].split(" | ")
            clusters.append(
                {
                    "cluster_id": int(found[1]),
                    "title": " ".join(f"{terms} {member}".split()[:7]),
                    "description": [f"{found[2]} runs like {member}", *statements[:2], "They end well"],
                }
            )
    return {"clusters": clusters}


def vector(text: str, dim: int = DIM) -> list[float]:
    """A bag of words in `dim` dimensions, not scaled: texts that share words point the same way."""
    row = [0.0] * dim
    for word in re.findall(r"\w+", text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        place = digest[0] if dim <= 256 else int.from_bytes(digest[2:6], "big")
        row[place % dim] += 1.0 if digest[1] % 2 else -1.0
    row[0] += 0.5
    return row


def _embeddings(body: dict[str, Any], altered: Altered, is_any_model: bool) -> dict[str, Any]:
    texts = body["input"]
    if body["model"] != EMBEDDING_MODEL and not is_any_model:
        raise Refused(Reply(404, "model_not_found"))
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused(Reply(400, "invalid_request_error", message="'$.input' is invalid"))
    if len(texts) > 2048:
        raise Refused(Reply(400, "invalid_request_error", message="'$.input' is invalid: at most 2048 items"))
    if any(len(text) > 30_000 for text in texts):
        raise Refused(Reply(400, None, message="This model's maximum context length is 8192 tokens"))
    dim = body.get("dimensions", _KNOWN_DIMS.get(body["model"], DIM))
    honest = [{"object": "embedding", "index": index, "embedding": vector(t, dim)} for index, t in enumerate(texts)]
    rows: list[dict[str, Any]] = [dict(row) for row in altered.change(honest)]
    if body.get("encoding_format") == "base64":
        for row in rows:
            packed = struct.pack(f"<{len(row['embedding'])}f", *row["embedding"])
            row["embedding"] = base64.b64encode(packed).decode()
    tokens = sum(len(text) // _CHARS_PER_TOKEN for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": body["model"], "usage": usage}
