"""`llma` in this process, with its exit code and what it prints: a start of Python takes longer than most commands."""

import contextlib
import io
import os
import subprocess
import sys
from unittest import mock

from llma_assets.cli.app import main


def llma(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own would give; the environment is afterwards what it was."""
    code: int | str | None = 0
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
        mock.patch.dict(os.environ, environment),
        mock.patch.object(sys, "argv", ["llma", *arguments]),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(arguments, int(code or 0), out.getvalue(), err.getvalue())
