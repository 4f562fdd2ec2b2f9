"""Short DuckDB connections with explicit limits. DuckDB is the query engine, never the store."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster_duckdb import DuckDBResource

from llma_assets.lake import Lake
from llma_assets.settings import Settings


def duckdb_resource(settings: Settings) -> DuckDBResource:
    """An in-memory DuckDB with the settings' memory and thread limits, spilling to the temp folder."""
    return DuckDBResource(
        database=":memory:",
        connection_config={
            "memory_limit": settings.duckdb_memory_limit,
            "threads": settings.duckdb_threads,
            "temp_directory": f"{tempfile.gettempdir()}/llma-duckdb",
            # Nothing that needs an extension is used, and none may be fetched at run time.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


@contextmanager
def connect(duckdb: DuckDBResource, lake: Lake) -> Iterator[Any]:
    """A connection that can read `lake`, wherever it is, and takes every day for a UTC day."""
    with duckdb.get_connection() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if not lake.is_local:
            connection.register_filesystem(lake.fs)
        yield connection
