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
    """

    asset: str
    team_day: TeamDay
    dagster_run_id: str = ""

    @property
    def trace_id(self) -> str:
        """UUIDv5 of the ingredients: all calls of the task share it, and the same task has the same one."""
        # The empty part at the end was once a clustering job: without it, the ids of recorded calls would change.
        parts = ["llm", self.asset, str(self.team_day), self.dagster_run_id, ""]
        return str(uuid.uuid5(NAMESPACE, "/".join(parts)))
