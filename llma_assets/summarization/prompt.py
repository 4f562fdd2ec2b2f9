"""Builds the prompt for one summary, and the schema of its answer. Texts of prompts come from the caller."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llma_assets.traces.representation import TextRepresentation

SCHEMA_NAME = "trace_summary"
# Bullets by mode: fewest and most.
BULLETS = {"minimal": (3, 5), "detailed": (5, 10)}
MAX_NOTES = 5
MAX_TITLE_WORDS = 10
MAX_STEPS = 12
# As much of an answer that cannot be used as is shown to its author again.
MAX_REPEATED_CHARS = 4_000

_PLACE = re.compile(r"\{\{(\w+)\}\}")

ChatMessage = dict[str, str]


def fill(template: str, values: Mapping[str, object]) -> str:
    """Puts values in the places `{{name}}` of a template, in one pass: a value is never read as a template.

    Raises:
        KeyError: the template names a value that is not given.
    """
    return _PLACE.sub(lambda match: str(values[match[1]]), template)


def without_fence(text: str, fence: str) -> str:
    """The text without the mark that is to enclose it: nothing in it can end the enclosure."""
    return text.replace(fence, "[mark]")


def build_messages(prompt: Mapping[str, str], text: TextRepresentation, mode: str, fence: str) -> list[ChatMessage]:
    """Messages that ask for the summary of one item.

    Args:
        prompt: sections `system` and `user` of a prompt file.
        mode: `minimal` or `detailed`.
        fence: a mark that nobody could foresee, new for every call; the text stands between two of it.
    """
    least, most = BULLETS[mode]
    values = {
        "fence": fence,
        "title_words": MAX_TITLE_WORDS,
        "steps": MAX_STEPS,
        "bullets_min": least,
        "bullets_max": most,
        "notes": MAX_NOTES,
        "text": without_fence(text.text, fence),
    }
    return [
        {"role": "system", "content": fill(prompt["system"], values)},
        {"role": "user", "content": fill(prompt["user"], values)},
    ]


def repair_messages(
    prompt: Mapping[str, str], messages: Sequence[ChatMessage], answer: str, values: Mapping[str, object]
) -> list[ChatMessage]:
    """The same conversation, with the answer that cannot be used and what is wrong with it.

    Args:
        prompt: holds the section `repair`.
        answer: as the model gave it; only its start is repeated.
        values: for the places of that section, such as `problem`.
    """
    # Some servers refuse an empty message.
    said = answer[:MAX_REPEATED_CHARS].encode("utf-8", "replace").decode("utf-8") or "(nothing)"
    return [
        *messages,
        {"role": "assistant", "content": said},
        {"role": "user", "content": fill(prompt["repair"], values)},
    ]


def summary_schema() -> dict[str, Any]:
    """Strict JSON schema of a summary.

    Counts and lengths are not in it, because not every server knows those keywords: `response.read_summary` checks
    them.
    """
    statements = {
        "type": "array",
        "items": _strict_object({"text": {"type": "string"}, "line_refs": {"type": "string"}}),
    }
    return _strict_object(
        {
            "title": {"type": "string"},
            "flow_steps": {"type": "array", "items": {"type": "string"}},
            "summary_bullets": statements,
            "interesting_notes": statements,
        }
    )


def _strict_object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
