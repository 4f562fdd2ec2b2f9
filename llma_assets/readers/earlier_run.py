"""What earlier clustering runs say of the items of a window: where they were on the map, and who was with whom."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llma_assets.clustering.anchors import Anchors
from llma_assets.clustering.reconciliation import EarlierLabels
from llma_assets.clustering.result import ALGORITHM_VERSION, UNSEEN, ClusteringParams
from llma_assets.emission.identity import clustering_run_id
from llma_assets.lake import Lake
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.team_day import TeamDay

TABLE = "cluster_assignments"
_COLUMNS = ["level", "job_id", "embedding_model", "method", "algorithm_version", "clustering_run_id", "content_hash"]
_COLUMNS += ["items_learned", "params", "items"]


@dataclass(frozen=True, slots=True)
class EarlierClusters:
    """Clusters of an earlier run, and which run that was."""

    found: EarlierLabels
    clustering_run_id: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """What was there before a clustering run.

    Attributes:
        places: of the items on the newest earlier map, so that they stay there.
        clusters: of the newest earlier run that is like this one, so that they stay.
    """

    places: Anchors | None = None
    clusters: EarlierClusters | None = None


def read_earlier_runs(
    lake: Lake,
    window: Sequence[TeamDay],
    run: ClusteringRunRow,
    params: ClusteringParams,
    model: str,
    item_ids: Sequence[str],
    learned: int,
) -> EarlierRuns:
    """Ask the runs of the same job over vectors of the same model, on the days of the window before its last.

    Clusters are taken of the newest run by the same method, version and smallest size that is no trial under a label
    and learned from about as many items.

    Args:
        run: a row of `cluster_assignments`, of which level and job count.
        learned: how many items this run learns from.
    """
    places, clusters = None, None
    for day, row, items in _earlier(lake, window, run, model):
        if places is None:
            places = _places(items, item_ids)
        if _is_like(row, day, params):
            found = EarlierLabels(_labels(items, item_ids), row["items_learned"] or 0)
            if found.is_comparable(learned):
                clusters = EarlierClusters(found, row["clustering_run_id"], row["content_hash"])
                break
    return EarlierRuns(places, clusters)


def _earlier(
    lake: Lake, window: Sequence[TeamDay], run: ClusteringRunRow, model: str
) -> Iterator[tuple[TeamDay, ClusteringRunRow, pa.StructArray]]:
    """Day, row and items of each run, the newest first."""
    wanted = {"level": str(run["level"]), "job_id": run["job_id"], "embedding_model": model}
    for day in reversed(window[:-1]):
        if not lake.exists(TABLE, day):
            continue
        rows = lake.read(TABLE, day, _COLUMNS)
        for name, value in wanted.items():
            rows = rows.filter(pc.equal(rows[name], value))
        if rows.num_rows:
            yield day, rows.drop_columns("items").to_pylist()[0], rows["items"][0].values


def _is_like(row: ClusteringRunRow, day: TeamDay, params: ClusteringParams) -> bool:
    """Whether the run made clusters as this one does; others do not group alike."""
    made_by = (row["method"], row["algorithm_version"], json.loads(row["params"]).get("given_min_cluster_size"))
    is_trial = row["clustering_run_id"] != clustering_run_id(day.team, row["level"], day.end, row["job_id"])
    return made_by == (params.method, ALGORITHM_VERSION, params.min_cluster_size) and not is_trial


def _places(items: pa.StructArray, item_ids: Sequence[str]) -> Anchors:
    x, y = (items.field(name).to_pylist() for name in ("x", "y"))
    places = dict(zip(items.field("item_id").to_pylist(), zip(x, y, strict=True), strict=True))
    known = [row for row, item_id in enumerate(item_ids) if item_id in places]
    xy = np.array([places[item_ids[row]] for row in known], dtype=np.float64).reshape(-1, 2)
    return Anchors(np.array(known, dtype=np.int64), xy)


def _labels(items: pa.StructArray, item_ids: Sequence[str]) -> np.ndarray:
    ids = items.field("item_id").to_pylist()
    cluster_of = dict(zip(ids, items.field("cluster_id").to_pylist(), strict=True))
    return np.array([cluster_of.get(item_id, UNSEEN) for item_id in item_ids], np.int32)
