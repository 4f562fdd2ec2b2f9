"""Pure: finds the JSON object in what a model answered."""

import json
from typing import Any

from llma_assets.errors import InputRejected

# A summary has about 5,000 characters, names for a hundred clusters about 50,000.
MAX_ANSWER_CHARS = 400_000


def read_object(content: str) -> dict[str, Any]:
    """The first JSON object of an answer. Code fences and prose around it are passed over.

    Raises:
        InputRejected: there is none. The message tells the model what is wrong and quotes nothing.
    """
    if not content.strip():
        raise InputRejected("the answer is empty")
    if len(content) > MAX_ANSWER_CHARS:
        raise InputRejected(f"the answer has {len(content)} characters; the limit is {MAX_ANSWER_CHARS}")
    start = content.find("{")
    if start < 0:
        raise InputRejected("the answer holds no JSON object")
    try:
        value, _ = json.JSONDecoder().raw_decode(content, start)
    except (ValueError, RecursionError):
        raise InputRejected("the answer is not valid JSON") from None
    if not isinstance(value, dict):
        raise InputRejected("the answer is not a JSON object")
    return value
