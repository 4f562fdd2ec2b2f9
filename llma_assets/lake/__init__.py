"""The lake: Parquet files by table, team and UTC day. See `store.Lake`."""

from llma_assets.lake.store import Lake, WriteResult

__all__ = ["Lake", "WriteResult"]
