"""Dagster's side of (team, day): one day × team partitions definition and the window's mapping.

Dagster accepts any string as a dynamic partition key, so every key is checked by `TeamDay`.
"""

import warnings
from datetime import date

import dagster as dg

from llma_assets.settings import load_settings
from llma_assets.team_day import TeamDay

# Dagster says once for each use that some of its interfaces may still change. They are used on purpose
# and its version is bounded; said in every command, the notice would hide our own.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

TEAM_PARTITIONS_NAME = "team"

_settings = load_settings()

teams_partitions = dg.DynamicPartitionsDefinition(name=TEAM_PARTITIONS_NAME)

# end_offset=1: today has a partition too, which the hourly schedule fills while the day goes on.
days_partitions = dg.DailyPartitionsDefinition(start_date=_settings.start_date.isoformat(), end_offset=1)

team_days_partitions = dg.MultiPartitionsDefinition({"date": days_partitions, "team": teams_partitions})

# The window as declared lineage: a changed day marks the windows that hold it stale.
window_mapping = dg.MultiPartitionMapping(
    {
        "date": dg.DimensionPartitionMapping(
            "date", dg.TimeWindowPartitionMapping(start_offset=1 - _settings.window_days)
        ),
        "team": dg.DimensionPartitionMapping("team", dg.IdentityPartitionMapping()),
    }
)

# Today's clusters beside those of the newest earlier run: one mapping, as Dagster takes one dependency on an asset.
lineage_mapping = dg.MultiPartitionMapping(
    {
        "date": dg.DimensionPartitionMapping(
            "date", dg.TimeWindowPartitionMapping(start_offset=-_settings.lineage_days, end_offset=0)
        ),
        "team": dg.DimensionPartitionMapping("team", dg.IdentityPartitionMapping()),
    }
)


def partition_key(team_day: TeamDay) -> dg.MultiPartitionKey:
    """The key of a (team, day), such as `2026-01-02|42`."""
    return dg.MultiPartitionKey({"date": team_day.day.isoformat(), "team": team_day.team})


def team_day_of(key: str) -> TeamDay:
    """The (team, day) of a key.

    Raises:
        InputRejected: the team part may not name a team.
    """
    day, _, team = str(key).partition("|")
    return TeamDay(team, date.fromisoformat(day))
