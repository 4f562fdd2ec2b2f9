"""cluster_labels: one row a cluster of a clustering run."""

from datetime import date
from typing import TypedDict

from llma_assets.tables.columns import Int32, PartitionColumns
from llma_assets.tables.table import Table


class ThemeNamingRow(TypedDict):
    """How the name of a theme was made; the same on the row of each of its clusters."""

    # All nullable: pyarrow does not read a null struct whose fields may not be null.
    # keywords, llm, or cluster: a theme of one cluster has that cluster's title.
    source: str | None
    reason: str | None
    # JSON of what the name was made from, as for clusters.
    evidence: str | None
    # Of the labeler that was asked, whether or not its answer was of use.
    model: str | None
    prompt_version: str | None
    # The theme's share of what the calls took; not part of what the rows say of their clusters.
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    # Of the day that the name was made on; earlier than the row's where it was kept.
    named_date: date | None


class ClusterNameColumns(PartitionColumns):
    """The name of a cluster, and what it was made from."""

    clustering_run_id: str
    level: str
    cluster_id: Int32
    size: int
    content_hash: str
    title: str
    description: str
    # keywords, llm, or fixed (the name of the noise group).
    source: str
    reason: str | None
    keywords: list[str]
    # JSON of what the name was made from, kept so that a person can audit it.
    evidence: str
    model: str | None
    prompt_version: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    # Why the cluster has this name: kept from the earlier run, or made now for the reason given.
    name_reason: str | None
    # The title that it had in the earlier run, or the cluster that it was split from.
    previous_title: str | None
    # The run and cluster that a kept name was made for, null where it was made for this one; the evidence is
    # that of its making, too.
    carried_from: str | None
    carried_cluster_id: Int32 | None
    named_date: date | None


class ThemeColumns(TypedDict):
    """The theme of a cluster, repeated on each of its clusters; null for noise."""

    theme_id: Int32 | None
    theme_title: str | None
    theme_description: str | None
    theme_naming: ThemeNamingRow | None


class ClusterLabelRow(ClusterNameColumns, ThemeColumns):
    """The name of a cluster, and of its theme."""

    # The minimum of distinct users that every word of the row meets; null or 0 where there was none.
    min_users: int | None
    # Has a fixed title, because its items come from fewer users than the minimum.
    is_suppressed: bool | None


CLUSTER_LABELS = Table("cluster_labels", ClusterLabelRow)
