"""DuckDB as a Dagster resource."""

from dagster_duckdb import DuckDBResource

from llma_assets.lake.connection import duckdb_config
from llma_assets.settings import Settings


def duckdb_resource(settings: Settings) -> DuckDBResource:
    """An in-memory DuckDB with the settings' limits."""
    return DuckDBResource(database=":memory:", connection_config=duckdb_config(settings))
