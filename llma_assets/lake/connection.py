"""Short DuckDB connections with explicit limits. DuckDB is the query engine, never the store."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from llma_assets.lake.store import Lake
from llma_assets.settings import Settings


def duckdb_config(settings: Settings) -> dict[str, Any]:
    """The settings' memory and thread limits, and spilling to the temp folder."""
    return {
        "memory_limit": settings.duckdb_memory_limit,
        "threads": settings.duckdb_threads,
        "temp_directory": f"{tempfile.gettempdir()}/llma-duckdb",
        # Nothing that needs an extension is used, and none may be fetched at run time.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


@contextmanager
def connect(lake: Lake, settings: Settings) -> Iterator[Any]:
    """A connection of its own, in memory, that can read `lake`."""
    import duckdb

    with prepared(duckdb.connect(":memory:", config=duckdb_config(settings)), lake) as connection:
        yield connection


@contextmanager
def prepared(opened: AbstractContextManager[Any], lake: Lake) -> Iterator[Any]:
    """A connection that can read `lake`, wherever it is, and takes every day for a UTC day."""
    with opened as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if not lake.is_local:
            connection.register_filesystem(lake.fs)
        yield connection
