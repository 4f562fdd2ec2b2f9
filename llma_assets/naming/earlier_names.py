"""The names of the run before, as far as the clusters of today keep them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import cast

import pyarrow.compute as pc

from llma_assets.errors import PartitionMissing
from llma_assets.labeling.label import ClusterEvidence, Label
from llma_assets.labeling.naming import NameReason, Origin, cosine_of, name_reason, origins
from llma_assets.labeling.response import same_titles
from llma_assets.lake import Lake
from llma_assets.readers.cluster_names import ClusterNames
from llma_assets.readers.run_rows import RunKey, rows_of_run
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.cluster_labels import ClusterLabelRow
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE, LineageEdgeRow
from llma_assets.team_day import TeamDay


@dataclass(frozen=True, slots=True)
class EarlierName:
    """What a cluster's origin says about its name.

    Attributes:
        reason: why it has the name that it gets.
        previous_title: of its origin; None where that has none.
        row: the label to keep; None where it is named in this run.
        first: date, clustering run and cluster that the kept name was made for.
    """

    reason: NameReason
    previous_title: str | None
    row: ClusterLabelRow | None = None
    first: tuple[date, str, int] | None = None


@dataclass(frozen=True, slots=True)
class EarlierNames:
    """Decides which names of the run before are kept.

    Attributes:
        model, prompt_version: of the labeler that names what is not kept.
        min_users: the minimum of distinct users; a name that was made under a lower one is not known.
    """

    lake: Lake
    model: str | None
    prompt_version: str | None
    min_users: int = 0
    _centroids: dict[tuple[date, str], dict[int, list[float]]] = field(default_factory=dict)
    _before: dict[str, tuple[Sequence[LineageEdgeRow], dict[int, ClusterLabelRow]]] = field(default_factory=dict)

    def of(self, run: ClusteringRunRow, evidence: Sequence[ClusterEvidence]) -> dict[int, EarlierName]:
        """For each cluster of `run`, a row of `cluster_assignments`.

        Raises:
            PartitionMissing: the lineage of that day was not written, or is of other clusters.
        """
        found = origins(*self.before(run), [cluster.cluster_id for cluster in evidence])
        centroids = {cluster["cluster_id"]: cluster["centroid"] for cluster in run["clusters"]}
        names: dict[int, EarlierName] = {}
        for cluster in evidence:
            origin = found[cluster.cluster_id]
            first = _first_naming(origin)
            named = None if first is None else self._centroid(run["team_id"], *first)
            cosine = cosine_of(centroids.get(cluster.cluster_id), named)
            reason = name_reason(origin, cluster, cosine, self.model, self.prompt_version)
            if reason == NameReason.KEPT:
                names[cluster.cluster_id] = EarlierName(reason, origin.title, origin.label, first)
            else:
                names[cluster.cluster_id] = EarlierName(reason, origin.title)
        return names

    def before(self, run: ClusteringRunRow) -> tuple[Sequence[LineageEdgeRow], dict[int, ClusterLabelRow]]:
        """The edges of `run` to the run before, and the labels of that by cluster.

        Raises:
            PartitionMissing: as `of` does.
        """
        run_id = run["clustering_run_id"]
        if run_id not in self._before:
            edges = self._edges(run)
            self._before[run_id] = edges, self._labels(edges)
        return self._before[run_id]

    def _edges(self, run: ClusteringRunRow) -> Sequence[LineageEdgeRow]:
        key = RunKey.of(run)
        edges = rows_of_run(self.lake, CLUSTER_LINEAGE, key)
        if not edges:
            raise PartitionMissing(f"cluster_lineage {key.team_day} is of other clusters; run cluster_lineage first")
        return edges

    def _labels(self, edges: Sequence[LineageEdgeRow]) -> dict[int, ClusterLabelRow]:
        """Labels of the earlier run, if it was named as it was when the edges were made."""
        earlier = RunKey.before(edges[0])
        rows = ClusterNames(self.lake, self.min_users).meeting_minimum(earlier) if earlier else []
        return {row["cluster_id"]: row for row in rows}

    def _centroid(self, team: str, day: date, run_id: str, cluster_id: int) -> list[float] | None:
        if (day, run_id) not in self._centroids:
            team_day, found = TeamDay(team, day), {}
            if self.lake.exists("cluster_assignments", team_day):
                table = self.lake.read("cluster_assignments", team_day, ["clustering_run_id", "clusters"])
                for row in table.filter(pc.equal(table["clustering_run_id"], run_id)).to_pylist():
                    found = {cluster["cluster_id"]: cluster["centroid"] for cluster in row["clusters"]}
            self._centroids[day, run_id] = found
        return self._centroids[day, run_id].get(cluster_id)


def label_of(row: ClusterLabelRow, cluster_id: int) -> Label:
    """The label that a row of `cluster_labels` holds, for a cluster of today; it costs nothing again."""
    return Label(cluster_id, row["title"], row["description"], row["source"], tuple(row["keywords"]), row["reason"])


def without_clashes(standing: Mapping[int, Label], others: Mapping[int, Label]) -> dict[int, Label]:
    """`others` without those that have the title of one that stands."""
    titles = {cluster_id: label.title for cluster_id, label in {**standing, **others}.items()}
    clashing = set(same_titles(titles))
    return {cluster_id: label for cluster_id, label in others.items() if cluster_id not in clashing}


def _first_naming(origin: Origin) -> tuple[date, str, int] | None:
    edge, label = origin.edge, origin.label
    if edge is None or label is None:
        return None
    first = (edge["earlier_date"], edge["earlier_clustering_run_id"], edge["earlier_cluster_id"])
    if label["carried_from"] is not None:
        first = (label["named_date"], label["carried_from"], label["carried_cluster_id"])
    # An edge with an origin, and a name that was carried, have all three.
    return cast("tuple[date, str, int]", first)
