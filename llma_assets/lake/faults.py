"""A hook for tests that kill the process at a named point of a write.

`LLMA_KILL_AT=<name>` makes the process send itself SIGKILL when it reaches that point, so that a
test can prove what a reader sees afterwards. Unset, it costs one dictionary look-up.
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


def kill_point(name: str) -> None:
    """Die here if the environment names this point."""
    wanted = os.environ.get("LLMA_KILL_AT")
    if wanted and wanted == name:
        os.kill(os.getpid(), signal.SIGKILL)
