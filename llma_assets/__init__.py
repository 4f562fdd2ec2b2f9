"""llma_assets: a Dagster code location that turns LLM traces into named clusters."""

__version__ = "0.1.0"
