"""`llma dev`: Dagster's UI and daemon on this lake."""

import os
import subprocess
import sys
from importlib.resources import files
from typing import Annotated
from urllib.parse import urlsplit

import typer

from llma_assets.cli.project import Project
from llma_assets.settings import Settings


def dev(port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000) -> None:
    """Open the Dagster UI (and its daemon) on the lake that LLMA_HOME names."""
    from llma_assets.instance import dagster_home

    project = Project()
    settings = project.settings
    dagster_home(settings)
    project.refresh_views_file()
    _serve_pages(settings)
    workspace = str(files("llma_assets") / "workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "-w", workspace, "--port", str(port)]
    # Replaced, not wrapped: Ctrl-C and signals reach Dagster itself.
    os.execv(sys.executable, command)


def _serve_pages(settings: Settings) -> None:
    """Start what the links to the explorer's pages lead to; it ends with this process."""
    address = urlsplit(settings.report_url)
    if address.hostname in ("127.0.0.1", "localhost") and address.path in ("", "/"):
        command = [sys.executable, "-m", "llma_assets.cli.page_server", str(address.port or 80), str(os.getpid())]
        subprocess.Popen(command)
