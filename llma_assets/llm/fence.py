"""The mark that encloses hostile text in a prompt."""

import secrets


def new_fence() -> str:
    """A new mark for one call: no text can hold it by chance, and nobody can foresee it."""
    return f"=== {secrets.token_hex(16)} ==="
