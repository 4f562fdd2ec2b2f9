"""embeddings: one row a summarized item."""

from llma_assets.tables.columns import Float32, Int32, ItemColumns, PartitionColumns
from llma_assets.tables.table import Table


class EmbeddingRow(PartitionColumns, ItemColumns):
    """An item with its vector."""

    status: str
    reason: str | None
    model: str
    dim: Int32
    content_hash: str
    embedding: list[Float32] | None


EMBEDDINGS = Table("embeddings", EmbeddingRow)
