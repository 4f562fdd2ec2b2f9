"""llma_assets: LLM traces as named clusters. `import llma_assets as llma` is the Python API (docs/python.md)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llma_assets.version import __version__

__all__ = [
    "LlmaError",
    "OpenLake",
    "TextCluster",
    "TextClustering",
    "__version__",
    "cluster",
    "cluster_texts",
    "embed",
    "open_lake",
]

if TYPE_CHECKING:
    from llma_assets.api import (
        LlmaError,
        OpenLake,
        TextCluster,
        TextClustering,
        cluster,
        cluster_texts,
        embed,
        open_lake,
    )
else:
    # Every start of `llma` and of a worker imports this package: the API is imported when it is asked for.
    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its API is {', '.join(__all__)}")
        return getattr(import_module("llma_assets.api"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
