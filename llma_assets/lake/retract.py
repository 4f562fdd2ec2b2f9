"""When a partition becomes empty, what was made from it must not go on telling the old story."""

from collections.abc import Sequence

from llma_assets.lake import Lake
from llma_assets.tables import TABLES
from llma_assets.tables.cluster_report import REPORT_PAGE
from llma_assets.team_day import TeamDay


def retract(lake: Lake, tables: Sequence[str], team_day: TeamDay, source_version: str) -> None:
    """Replace the partitions that exist by empty ones.

    Called before the empty partition itself is written: the asset check stops the run there, so no
    downstream asset would do it, and a crash in between leaves work that a rerun repeats.
    """
    for table in tables:
        if lake.exists(table, team_day) and lake.read(table, team_day).num_rows:
            with lake.lock(table, team_day):
                if table == "cluster_report":
                    lake.remove(lake.path(table, team_day, REPORT_PAGE))
                lake.write(table, team_day, TABLES[table].schema.empty_table(), source_version)
