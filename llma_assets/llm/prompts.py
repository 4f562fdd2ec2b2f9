"""Reads the prompts. The file name carries the version, and the version is part of the cache key."""

import re
from functools import cache
from importlib.resources import files

from llma_assets.errors import InputRejected

_SECTION = re.compile(r"^=== (\w+) ===\n", re.MULTILINE)


@cache
def load_prompt(version: str) -> dict[str, str]:
    """The sections of `prompts/<version>.md`, such as `system`, `user` and `repair`.

    Raises:
        InputRejected: there is no such file.
    """
    path = files("llma_assets") / "prompts" / f"{version}.md"
    if not path.is_file():
        raise InputRejected(f"prompt version {version!r} is not a file in llma_assets/prompts")
    _, *parts = _SECTION.split(path.read_text(encoding="utf-8"))
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
