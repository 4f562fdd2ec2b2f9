"""The lake as a Dagster resource."""

import dagster as dg

from llma_assets.lake import Lake
from llma_assets.settings import load_settings


class LakeResource(dg.ConfigurableResource):
    """Where the tables are: a folder or an fsspec URL; by default where the settings say at run time."""

    url: str | None = None
    lock_timeout_s: float = 30.0

    def open(self) -> Lake:
        """The lake. Nothing is written until a table is."""
        return Lake(self.url or load_settings().lake, self.lock_timeout_s)
