"""A file that a person names: written beside its place, renamed when it is whole, never over another by mistake."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from llma_assets.errors import InputRejected
from llma_assets.lake import Lake
from llma_assets.lake.store import beside_path, commit_beside


def checked_out(text: str, lake: Lake, force: bool) -> Path:
    """Where `--out` says that a file goes.

    Raises:
        InputRejected: it is no name of a file, a link, a folder or a device; its folder is not there; it is inside the
            lake, whose tables are whatever lies there; or there is such a file and `force` is not set.
    """
    if not text.strip() or "\0" in text:
        raise InputRejected(f"--out: {text!r} is no path; name a file")
    path = Path(text)
    if path.name in ("", "..") or text.endswith(("/", os.sep)):
        raise InputRejected(f"--out: {text!r} is a folder; name a file in it")
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        kind = None
    except (OSError, ValueError) as error:
        raise InputRejected(f"--out: {text!r} cannot be looked at: {error}") from None
    if not path.parent.is_dir():
        raise InputRejected(f"--out: {str(path.parent)!r} is no folder; make it first")
    if kind is not None and stat.S_ISLNK(kind):
        raise InputRejected(f"--out: {text!r} is a link; name the file that it leads to")
    if kind is not None and not stat.S_ISREG(kind):
        raise InputRejected(f"--out: {text!r} is a folder or a device; name a file")
    target = path.parent.resolve() / path.name
    if lake.is_local and target.is_relative_to(lake.root):
        raise InputRejected(f"--out: {text!r} is inside the lake {lake.root}; name a file elsewhere")
    if kind is not None and not force:
        raise InputRejected(f"--out: {text!r} is there already; --force replaces it")
    return target


@contextmanager
def out_file(target: Path) -> Iterator[BinaryIO]:
    """A file that takes its place at `target` when the block ends, and leaves nothing where it fails."""
    beside = beside_path(target)
    # Nothing that somebody left or put there is followed or written over.
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        commit_beside(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
