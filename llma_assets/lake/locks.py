"""One writer at a time: locks on files, which the kernel drops with the process that holds them."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from llma_assets.errors import InputRejected, PartitionLocked

_LOCK_POLL_S = 0.1


@contextlib.contextmanager
def file_lock(root: str, name: str, timeout_s: float) -> Iterator[None]:
    """Hold the lock `name` of the lake in the local folder `root`.

    Raises:
        PartitionLocked: another live process still holds it after `timeout_s`.
    """
    path = Path(root, ".locks", name)
    if path.name != name:
        raise InputRejected(f"lock: {name!r} is not a file name")
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    while (handle := _try_lock(path)) is None:
        if time.monotonic() >= deadline:
            raise PartitionLocked(f"{name} is held by another process (waited {timeout_s:g} s)")
        time.sleep(_LOCK_POLL_S)
    with handle:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _try_lock(path: Path) -> BinaryIO | None:
    """The lock file, open and locked; None if somebody else has it."""
    import fcntl

    handle = open(path, "ab")  # noqa: SIM115
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The last holder removes the file: then this is a lock on a name that is gone.
        if os.path.samestat(os.fstat(handle.fileno()), path.stat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    handle.close()
    return None
