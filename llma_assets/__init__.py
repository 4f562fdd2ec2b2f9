"""llma_assets: a Dagster code location that turns LLM traces into named clusters."""

from llma_assets.version import __version__

__all__ = ["__version__"]
