"""Reads what clusters are called, and the alerts that say it, as they may be shown under a minimum of users.

Nothing else reads the words of `cluster_labels` and `cluster_alerts` from the lake; a test enforces that. So nobody has
to remember that names from under a lower minimum are suppressed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from llma_assets.labeling.suppression import meets_minimum, suppress_alert_row, suppress_label_row
from llma_assets.lake import Lake
from llma_assets.readers.run_rows import RunKey, rows_of_run
from llma_assets.tables.cluster_alerts import CLUSTER_ALERTS, ClusterAlertRow
from llma_assets.tables.cluster_labels import CLUSTER_LABELS, ClusterLabelRow
from llma_assets.team_day import TeamDay


@dataclass(frozen=True, slots=True)
class ClusterNames:
    """Rows of `cluster_labels` as they may be shown.

    Attributes:
        min_users: the minimum of distinct users; names that were made under a lower one are suppressed. 0: no minimum.
    """

    lake: Lake
    min_users: int

    def of_day(self, team_day: TeamDay) -> list[ClusterLabelRow]:
        """Rows of all runs of a day.

        Raises:
            PartitionMissing: it was never written.
        """
        return self._shown(CLUSTER_LABELS.rows(self.lake.read(CLUSTER_LABELS.name, team_day)))

    def of_run(self, run: RunKey) -> list[ClusterLabelRow]:
        """Rows of a run, as far as they name its clusters as they are now."""
        return self._shown(rows_of_run(self.lake, CLUSTER_LABELS, run))

    def titles(self, run: RunKey) -> dict[int, str]:
        """The title of each cluster of a run."""
        return {row["cluster_id"]: row["title"] for row in self.of_run(run)}

    def meeting_minimum(self, run: RunKey) -> list[ClusterLabelRow]:
        """Rows of a run without those that are suppressed."""
        return [row for row in self.of_run(run) if meets_minimum(row, self.min_users)]

    def _shown(self, rows: Iterable[ClusterLabelRow]) -> list[ClusterLabelRow]:
        return [cast("ClusterLabelRow", suppress_label_row(row, self.min_users)) for row in rows]


def alerts_of(lake: Lake, team_days: Iterable[TeamDay], min_users: int) -> list[ClusterAlertRow]:
    """Rows of `cluster_alerts` of several days as they may be shown; days never written are passed over."""
    rows = CLUSTER_ALERTS.rows(lake.read_days(CLUSTER_ALERTS.name, team_days))
    return [cast("ClusterAlertRow", suppress_alert_row(row, min_users)) for row in rows]
