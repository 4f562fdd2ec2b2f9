"""A hook for tests that kill the process at a named point of a write.

`LLMA_KILL_AT=<name>` makes the process send itself SIGKILL when it reaches that point, `<name>@3` when it
does for the third time, so that a test can prove what a reader sees afterwards. Unset, it costs one
dictionary look-up.
"""

import os
import signal

# Points of a partition's write; an ingest has four more of its own in `ingest.run`.
KILL_POINTS = (
    "before_write",
    "after_write",
    "before_rename",
    "after_rename",
    "before_checkpoint",
    "after_checkpoint",
    "before_clear",
)


_reached: dict[str, int] = {}


def kill_point(name: str) -> None:
    """Die here if the environment names this point."""
    wanted = os.environ.get("LLMA_KILL_AT")
    if not wanted:
        return
    point, _, time_reached = wanted.partition("@")
    if point == name:
        _reached[name] = _reached.get(name, 0) + 1
        if _reached[name] >= int(time_reached or 1):
            os.kill(os.getpid(), signal.SIGKILL)
