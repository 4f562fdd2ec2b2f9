"""The Dagster instance that the command line and the UI share, and runs started in this process."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg

from llma_assets.partitions import TEAM_PARTITIONS_NAME, partition_key
from llma_assets.settings import Settings
from llma_assets.team_day import TeamDay


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME, or a folder in LLMA_HOME; made and given our dagster.yaml where it has none."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / ".dagster").resolve()
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_bytes((files("llma_assets") / "dagster.yaml").read_bytes())
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that `dagster dev` uses too. Use it as a context manager."""
    return dg.DagsterInstance.from_config(str(dagster_home(settings)))


def execute(
    job: str,
    team_day: TeamDay,
    instance: dg.DagsterInstance,
    *,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    log_level: str = "ERROR",
) -> dg.ExecuteInProcessResult:
    """Run `job` for one partition in this process; a failed run is returned, not raised."""
    from llma_assets.definitions import defs

    if team_day.team not in instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME):
        instance.add_dynamic_partitions(TEAM_PARTITIONS_NAME, [team_day.team])
    loggers = {"loggers": {"console": {"config": {"log_level": log_level}}}}
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition_key(team_day),
        run_config=loggers | dict(run_config or {}),
        tags=dict(tags or {}),
        raise_on_error=False,
    )
