"""How far the clusters of a run are from those of the run before."""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from llma_assets.findings.facts import RunFacts
from llma_assets.findings.finding import Finding, Kind

_NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Drift:
    """Figures of the way from one run to the next, each 0 (the same) to 1.

    Attributes:
        js_distance: Jensen-Shannon distance (base 2) of the shares of the items; clusters that were kept from,
            split from or merged into each other count as one, noise as one more.
        born_share: of the later items, those in clusters that were born.
        died_share: of the earlier items, those in clusters that died.
        mean_shift: cosine distance of the two mean vectors of what is in clusters, up to 2; None without vectors.
    """

    js_distance: float
    born_share: float
    died_share: float
    mean_shift: float | None


def drift(
    later: Mapping[int, int],
    earlier: Mapping[int, int],
    later_noise: int,
    earlier_noise: int,
    edges: Sequence[tuple[int | None, int | None]],
    mean_shift: float | None = None,
) -> Drift | None:
    """The drift between two runs.

    Args:
        later, earlier: size of each cluster by id.
        edges: (cluster id, earlier cluster id) of the lineage; None on one side for born and died ones.

    Returns:
        None where one of the runs has no clusters: there is nothing to compare.
    """
    if not later or not earlier:
        return None
    family = _families(later, earlier, edges)
    now = Counter[Hashable]({_NOISE: later_noise})
    before = Counter[Hashable]({_NOISE: earlier_noise})
    for cluster_id, size in later.items():
        now[family["later", cluster_id]] += size
    for cluster_id, size in earlier.items():
        before[family["earlier", cluster_id]] += size
    born = sum(later[now_id] for now_id, was in edges if now_id is not None and was is None)
    died = sum(earlier[was] for now_id, was in edges if now_id is None and was is not None)
    return Drift(
        js_distance=round(js_distance(now, before), 6),
        born_share=round(born / now.total(), 6),
        died_share=round(died / before.total(), 6),
        mean_shift=mean_shift,
    )


def js_distance(left: Mapping[Hashable, int], other: Mapping[Hashable, int]) -> float:
    """Jensen-Shannon distance (base 2, 0 to 1) of two distributions given as counts (Lin 1991; Endres 2003)."""
    total, other_total = sum(left.values()), sum(other.values())
    divergence = 0.0
    for key in left.keys() | other.keys():
        p, q = left.get(key, 0) / total, other.get(key, 0) / other_total
        middle = (p + q) / 2
        divergence += sum(x / 2 * math.log2(x / middle) for x in (p, q) if x)
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def drift_findings(found: Drift | None, limit: float, run: RunFacts) -> Iterator[Finding]:
    """A finding where the drift to `run` is above the limit."""
    if found is None or found.js_distance <= limit:
        return
    text = (
        f"The {run.subject} clusters are far from those of the run before: distance {found.js_distance:.2f}, "
        f"at most {limit:.2f} is expected; {found.born_share:.0%} of the items are in clusters that were born, "
        f"{found.died_share:.0%} were in clusters that died"
    )
    yield Finding(
        kind=Kind.DRIFT,
        team=run.team,
        day=run.day,
        subject=run.subject,
        since=run.day,
        text=text,
        level=run.level,
        clustering_run_id=run.clustering_run_id,
        figures=asdict(found) | {"limit_distance": limit},
    )


def _families(
    later: Mapping[int, int], earlier: Mapping[int, int], edges: Sequence[tuple[int | None, int | None]]
) -> dict[Hashable, Hashable]:
    """A representative for each cluster: the same for those that a chain of edges links."""
    parent: dict[Hashable, Hashable] = {("later", cluster_id): ("later", cluster_id) for cluster_id in later}
    parent |= {("earlier", cluster_id): ("earlier", cluster_id) for cluster_id in earlier}

    def root(node: Hashable) -> Hashable:
        while parent[node] != node:
            node = parent[node]
        return node

    for now_id, was in edges:
        if now_id is not None and was is not None:
            parent[root(("later", now_id))] = root(("earlier", was))
    return {node: root(node) for node in parent}
