"""`llma dev`: Dagster's UI and daemon on this lake."""

import os
import sys
from importlib.resources import files
from typing import Annotated

import typer

from llma_assets.settings import load_settings


def dev(port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000) -> None:
    """Open the Dagster UI (and its daemon) on the lake that LLMA_HOME names."""
    from llma_assets.instance import dagster_home

    dagster_home(load_settings())
    workspace = str(files("llma_assets") / "workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "-w", workspace, "--port", str(port)]
    # Replaced, not wrapped: Ctrl-C and signals reach Dagster itself.
    os.execv(sys.executable, command)
