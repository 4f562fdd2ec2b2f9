"""cluster_report: one row a page."""

from llma_assets.tables.columns import PartitionColumns
from llma_assets.tables.table import Table

REPORT_PAGE = "report.html"


class ClusterReportRow(PartitionColumns):
    """The explorer's page of a (team, day), beside which it lies; one row, or none where there is nothing to show."""

    # Path under the lake's root.
    file: str
    sha256: str
    bytes: int
    # text, summaries or none: how much of the traces the page tells.
    content: str
    # Of all clustering runs of the day.
    items: int
    # In the file; the rest only counts in its figures.
    items_shown: int
    # Items with a summary in the file; of these, with the whole text and with a part of it.
    details: int
    texts: int
    excerpts: int


CLUSTER_REPORT = Table("cluster_report", ClusterReportRow, files=(REPORT_PAGE,))
