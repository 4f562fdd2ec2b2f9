"""Where the items of a window were on the newest earlier map, so that they stay there."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc

from llma_assets.clustering.anchors import Anchors
from llma_assets.lake import Lake
from llma_assets.team_day import TeamDay

TABLE = "cluster_assignments"
_COLUMNS = ["level", "job_id", "embedding_model", "items"]


def earlier_places(
    lake: Lake, team_day: TeamDay, window_days: int, run: Mapping[str, Any], model: str, item_ids: Sequence[str]
) -> Anchors | None:
    """Places of `item_ids` on the newest map of the same clustering job within the days of the window.

    Only the map depends on it, never who is with whom: a day that is run before the days before it has the same
    clusters, on a map of its own.

    Args:
        run: a row of `cluster_assignments`, of which level and job count.
        model: that made the vectors; a map of another model's vectors says nothing.
    """
    for days in range(1, window_days):
        earlier = TeamDay(team_day.team, team_day.day - timedelta(days=days))
        if not lake.exists(TABLE, earlier):
            continue
        rows = lake.read(TABLE, earlier, _COLUMNS)
        for name, value in (("level", str(run["level"])), ("job_id", run["job_id"]), ("embedding_model", model)):
            rows = rows.filter(pc.equal(rows[name], value))
        if rows.num_rows:
            items = rows["items"][0].values
            places = dict(
                zip(
                    items.field("item_id").to_pylist(),
                    zip(items.field("x").to_pylist(), items.field("y").to_pylist(), strict=True),
                    strict=True,
                )
            )
            known = [row for row, item_id in enumerate(item_ids) if item_id in places]
            xy = np.array([places[item_ids[row]] for row in known], dtype=np.float64).reshape(-1, 2)
            return Anchors(np.array(known, dtype=np.int64), xy)
    return None
