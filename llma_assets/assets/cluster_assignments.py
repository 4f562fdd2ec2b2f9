"""cluster_assignments: which items of the window belong together."""

from collections.abc import Iterator
from typing import Any, cast

import dagster as dg
from pydantic import Field

from llma_assets.assets.materialization import materialize, team_day_asset
from llma_assets.clustering.result import ClusteringParams
from llma_assets.clustering_jobs import clustering_jobs
from llma_assets.reporting.stage_report import StageReport
from llma_assets.resources.event_source import EventSourceResource
from llma_assets.resources.lake import LakeResource
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_assignments import STAGE, ClusterWindow
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import CLUSTERING_METHODS, ClusteringMethod


class ClusterConfig(dg.Config):
    """What a person may change for one run; None means: as the settings say."""

    # Dagster's config knows no Literal.
    method: str | None = Field(None, pattern=f"^({'|'.join(CLUSTERING_METHODS)})$", description="Clustering method.")
    lookback_days: int | None = Field(None, ge=1, le=90, description="Days of the window, its own day included.")
    max_samples: int | None = Field(None, ge=20, le=10_000, description="Items that the clustering learns from.")
    min_items: int | None = Field(None, ge=2, le=10_000, description="Items below which nothing is clustered.")
    min_cluster_size: int | None = Field(
        None, ge=2, description="hdbscan, umap: distinct items in the smallest cluster."
    )
    hold_clusters: bool | None = Field(
        None, description="hdbscan: whether clusters of the run before stay where items are grouped as well by them."
    )
    k_min: int = Field(3, ge=2, le=50, description="kmeans: fewest clusters tried.")
    k_max: int = Field(6, ge=2, le=50, description="kmeans: most clusters tried.")
    run_label: str = Field("", pattern=r"^[A-Za-z0-9-]{0,32}$", description="Appended to the clustering run's id.")


@team_day_asset(STAGE, kinds={"scikitlearn", "parquet"})
def cluster_assignments(
    context: dg.AssetExecutionContext,
    config: ClusterConfig,
    lake: LakeResource,
    event_source: EventSourceResource,
) -> Iterator[Any]:
    """Clusters over the window that ends with the day. Grain: one row a clustering run (one for each enabled
    clustering job) with its clusters and all items of the window that its filters match nested; those beyond the
    sample are assigned to its clusters. Guarantee: seeded by team, day, job and level, so the same vectors and the same
    run before give the same clusters; clusters of that run stay where items are grouped as well by them, and the map
    stays where its map was; a window below the minimum is written as skipped, with its count.
    """
    settings = load_settings()
    params = ClusteringParams(
        method=cast(ClusteringMethod, config.method or settings.cluster_method),
        min_cluster_size=config.min_cluster_size,
        k_min=config.k_min,
        k_max=config.k_max,
    )

    def stage(team_day: TeamDay) -> StageReport:
        return ClusterWindow(
            lake=lake.open(),
            jobs=clustering_jobs(team_day.team, settings),
            params=params,
            window_days=config.lookback_days or settings.window_days,
            version_days=settings.window_days,
            max_samples=config.max_samples or settings.max_samples,
            min_items=config.min_items or settings.min_items_of(team_day.team),
            log=context.log,
            run_label=config.run_label,
            hold_clusters=settings.hold_clusters if config.hold_clusters is None else config.hold_clusters,
            source=event_source.open(),
        ).run(team_day)

    yield from materialize(context, stage)
