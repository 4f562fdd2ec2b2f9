"""Figures of quality that a test takes for known."""

from llma_assets.clustering.result import Clustering
from llma_assets.clustering.themes import Themes


def figure(found: Clustering | Themes, name: str) -> float:
    """A figure of what was found, which is to have one."""
    value = found.quality[name]
    assert value is not None, name
    return value
