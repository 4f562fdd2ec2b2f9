"""The Dagster instance that the command line and the UI share, and runs started in this process."""

import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg

from llma_assets.errors import InputRejected
from llma_assets.partitions import TEAM_PARTITIONS_NAME, partition_key
from llma_assets.settings import Settings
from llma_assets.team_day import TeamDay


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME, or a folder in LLMA_HOME; made and given our dagster.yaml where it has none."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / ".dagster").resolve()
    if set("*?[") & set(str(home)):
        # Dagster reads its settings by a file pattern, and would silently find none.
        raise InputRejected(f"LLMA_HOME or DAGSTER_HOME: {home} holds one of * ? [, which Dagster cannot take")
    home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK):
        raise InputRejected(f"LLMA_HOME or DAGSTER_HOME: {home} cannot be written")
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
    """Run `job` for one partition in this process; a failed run is returned, not raised.

    Raises:
        KeyboardInterrupt: it was interrupted; its run is marked as ended, what it finished is kept.
    """
    from llma_assets.definitions import defs

    # It warns that a check gave no result where its asset, waiting for a batch, had nothing to check.
    logging.getLogger("dagster._core.execution.plan.active").setLevel(logging.ERROR)
    if team_day.team not in instance.get_dynamic_partitions(TEAM_PARTITIONS_NAME):
        instance.add_dynamic_partitions(TEAM_PARTITIONS_NAME, [team_day.team])
    loggers = {"loggers": {"console": {"config": {"log_level": log_level}}}}
    run_id = str(uuid.uuid4())
    with interrupts_kept() as interrupted:
        try:
            result = defs.resolve_job_def(job).execute_in_process(
                instance=instance,
                partition_key=partition_key(team_day),
                run_config=loggers | dict(run_config or {}),
                tags=dict(tags or {}),
                raise_on_error=False,
                run_id=run_id,
            )
            if interrupted():
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            run = instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                instance.report_run_canceled(run)
            raise
    return result


@contextmanager
def interrupts_kept() -> Iterator[Callable[[], bool]]:
    """Tell whether SIGINT or SIGTERM arrived, even where Dagster caught it for a step or forgot it.

    Only the main thread hears signals; in another one nothing is ever told.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def arrived() -> bool:
        try:
            return bool({signal.SIGINT, signal.SIGTERM} & set(reader.recv(1_024)))
        except BlockingIOError:
            return False

    try:
        yield arrived
    finally:
        signal.set_wakeup_fd(before)
        reader.close()
        writer.close()
