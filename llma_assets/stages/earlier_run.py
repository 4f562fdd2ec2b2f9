"""What earlier clustering runs say of the items of a window: where they were on the map, and who was with whom."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.clustering.anchors import Anchors
from llma_assets.clustering.holding import Earlier
from llma_assets.clustering.result import ALGORITHM_VERSION, UNSEEN
from llma_assets.lake import Lake
from llma_assets.team_day import TeamDay

TABLE = "cluster_assignments"
_KIND = [
    "level",
    "job_id",
    "embedding_model",
    "method",
    "algorithm_version",
    "clustering_run_id",
    "content_hash",
    "items_learned",
]


@dataclass(frozen=True, slots=True)
class EarlierClusters:
    """Clusters of an earlier run, and which run that was."""

    found: Earlier
    clustering_run_id: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """The runs of one clustering job over vectors of one model on the days of a window before its own, newest first.

    Attributes:
        run: a row of `cluster_assignments`, of which level, job and method count.
        model: that made the vectors; a run over another model's says nothing.
    """

    lake: Lake
    team_day: TeamDay
    window_days: int
    run: Mapping[str, Any]
    model: str

    def places(self, item_ids: Sequence[str]) -> Anchors | None:
        """Where `item_ids` were on the newest map, so that they stay there."""
        for _, items in self._runs():
            x, y = (items.field(name).to_pylist() for name in ("x", "y"))
            places = dict(zip(items.field("item_id").to_pylist(), zip(x, y, strict=True), strict=True))
            known = [row for row, item_id in enumerate(item_ids) if item_id in places]
            xy = np.array([places[item_ids[row]] for row in known], dtype=np.float64).reshape(-1, 2)
            return Anchors(np.array(known, dtype=np.int64), xy)
        return None

    def clusters(self, item_ids: Sequence[str]) -> EarlierClusters | None:
        """Who was with whom in the newest run of the same method and version: others do not group alike."""
        for kind, items in self._runs():
            if (kind["method"], kind["algorithm_version"]) == (self.run["method"], ALGORITHM_VERSION):
                ids = items.field("item_id").to_pylist()
                cluster_of = dict(zip(ids, items.field("cluster_id").to_pylist(), strict=True))
                labels = np.array([cluster_of.get(item_id, UNSEEN) for item_id in item_ids], np.int32)
                found = Earlier(labels, kind["items_learned"] or 0)
                return EarlierClusters(found, kind["clustering_run_id"], kind["content_hash"])
        return None

    def _runs(self) -> Iterator[tuple[dict[str, Any], pa.StructArray]]:
        """What each run is, and its items."""
        wanted = {"level": str(self.run["level"]), "job_id": self.run["job_id"], "embedding_model": self.model}
        for days in range(1, self.window_days):
            earlier = TeamDay(self.team_day.team, self.team_day.day - timedelta(days=days))
            if not self.lake.exists(TABLE, earlier):
                continue
            rows = self.lake.read(TABLE, earlier, [*_KIND, "items"])
            for name, value in wanted.items():
                rows = rows.filter(pc.equal(rows[name], value))
            if rows.num_rows:
                yield rows.select(_KIND).to_pylist()[0], rows["items"][0].values
