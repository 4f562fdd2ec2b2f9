"""The source of trace events as a Dagster resource."""

from contextlib import AbstractContextManager
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from llma_assets.lake.connection import prepared
from llma_assets.resources.lake import LakeResource
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.sources.lake_event_source import LakeEventSource


class EventSourceResource(dg.ConfigurableResource):
    """Opens the source of a run: events of the lake. Another source is a class that overrides `open`."""

    lake: dg.ResourceDependency[LakeResource]
    duckdb: dg.ResourceDependency[DuckDBResource]

    def open(self) -> TraceEventSource:
        """The source."""
        lake = self.lake.open()

        def connect() -> AbstractContextManager[Any]:
            return prepared(self.duckdb.get_connection(), lake)

        return LakeEventSource(lake, connect)
