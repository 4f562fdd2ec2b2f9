"""What a notebook uses, without Dagster: `import llma_assets as llma`. No other package imports from here."""

from llma_assets.api.groups import TextCluster, TextClustering, cluster, cluster_texts, embed
from llma_assets.api.lake import OpenLake, open_lake
from llma_assets.errors import LlmaError

__all__ = ["LlmaError", "OpenLake", "TextCluster", "TextClustering", "cluster", "cluster_texts", "embed", "open_lake"]
