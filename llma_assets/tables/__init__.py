"""The tables of the lake, one file each: the type of a row, from which the Arrow schema follows. `Lake` enforces them.

One Parquet file holds one (team, UTC day) of one table. A table whose schema changes in a way that an old reader would
misread gets a higher `SCHEMA_VERSION`.
"""

from importlib import import_module
from pkgutil import iter_modules

from llma_assets.tables.table import TABLES, Layout, Table

__all__ = ["SCHEMA_VERSION", "TABLES", "Layout", "Table"]

SCHEMA_VERSION = 1

# A table is a file of this folder: nothing else lists them.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
