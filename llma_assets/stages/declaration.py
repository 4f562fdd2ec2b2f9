"""What an asset is, said once: its table, what it is made from, its job, what counts as an item of it.

Each stage declares itself. Dagster's assets, jobs and checks are made from it, and so is what is emptied when a
partition becomes empty.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Any

import pyarrow as pa

from llma_assets.lake import Lake
from llma_assets.tables import SCHEMA_VERSION, TABLES, Table
from llma_assets.team_day import TeamDay

STAGES: dict[str, "Stage"] = {}


class Job(StrEnum):
    """The jobs, as the reference has two coordinators: summarize the day, cluster the window."""

    SUMMARIZE = "summarize_traces"
    CLUSTER = "cluster_traces"


class Days(StrEnum):
    """Which days of what it is made from a partition takes."""

    SAME = "same"
    # Those of the window that ends with the day.
    WINDOW = "window"
    # The day, and those before it that an earlier clustering run may be of.
    LINEAGE = "lineage"


@dataclass(frozen=True, slots=True)
class Stage:
    """The declaration of an asset. Making one is what registers it in `STAGES`.

    Attributes:
        reads: tables that it is made from, with their days.
        versions: of the code that decides its bytes: one of them is raised whenever the same input gives others.
        item_column: the column by which items are counted.
        count_items_in: how many items that column holds.
        may_be_empty: whether a partition without rows is nothing to stop a run for.
    """

    table: Table[Any]
    job: Job
    reads: Mapping[str, Days]
    versions: tuple[str, ...]
    item_column: str = "date"
    count_items_in: Callable[[pa.ChunkedArray], int] = len
    may_be_empty: bool = False

    def __post_init__(self) -> None:
        STAGES[self.table.name] = self

    @property
    def code_version(self) -> str:
        """Changes whenever the same input may give other bytes."""
        return "/".join((str(SCHEMA_VERSION), *self.versions))


def count_items(lake: Lake, table: str, team_day: TeamDay) -> int:
    """Items that a partition holds: summarized, embedded, clustered, matched, named, measured or emitted ones.

    Raises:
        PartitionMissing: the partition was never written.
    """
    stage = STAGES[table]
    return stage.count_items_in(lake.read(table, team_day, [stage.item_column])[stage.item_column])


def in_order(stages: Iterable[Stage] | None = None) -> list[Stage]:
    """The stages, each after those that it is made from."""
    chosen = {stage.table.name: stage for stage in (STAGES.values() if stages is None else stages)}
    sorter = TopologicalSorter({name: sorted(chosen.keys() & stage.reads) for name, stage in sorted(chosen.items())})
    return [chosen[name] for name in sorter.static_order()]


def made_from(table: str) -> list[str]:
    """What is made from the partition of `table` of the same day, last first."""
    found = {table}
    for stage in in_order():
        if any(days != Days.WINDOW and name in found for name, days in stage.reads.items()):
            found.add(stage.table.name)
    return [stage.table.name for stage in reversed(in_order()) if stage.table.name in found - {table}]


def retract(lake: Lake, table: str, team_day: TeamDay, source_version: str) -> None:
    """Replace by empty ones the partitions that exist of what is made from this one, which became empty.

    Called before the empty partition itself is written: the asset check stops the run there, so no
    downstream asset would do it, and a crash in between leaves work that a rerun repeats.
    """
    for name in made_from(table):
        if lake.exists(name, team_day) and lake.read(name, team_day).num_rows:
            with lake.lock(name, team_day):
                for beside in TABLES[name].files:
                    lake.remove(lake.path(name, team_day, beside))
                lake.write(name, team_day, TABLES[name].schema.empty_table(), source_version)
