"""One module an asset, named after it: read partitions, call the pure core, write one partition, report. No Dagster.

An asset is a stage plus Dagster's words for it; `llma` and the tests can call a stage without Dagster.
"""

from importlib import import_module
from pkgutil import iter_modules

# A stage is a file of this folder: nothing else lists them.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
