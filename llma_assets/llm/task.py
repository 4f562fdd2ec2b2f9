"""What LLM calls are made for: one asset's work on one partition in one Dagster run."""

import uuid
from dataclasses import dataclass

from llma_assets.emission.identity import NAMESPACE
from llma_assets.team_day import TeamDay


@dataclass(frozen=True, slots=True)
class LlmTask:
    """One asset's work on one (team, day) in one Dagster run.

    Attributes:
        asset: name of the asset that pays.
        team_day: the partition.
        dagster_run_id: empty where the work is not part of a Dagster run.
        clustering_job: id of the clustering job, where the work belongs to one.
    """

    asset: str
    team_day: TeamDay
    dagster_run_id: str = ""
    clustering_job: str | None = None

    @property
    def trace_id(self) -> str:
        """UUIDv5 of the ingredients: all calls of the task share it, and the same task has the same one."""
        parts = ["llm", self.asset, str(self.team_day), self.dagster_run_id, self.clustering_job or ""]
        return str(uuid.uuid5(NAMESPACE, "/".join(parts)))
