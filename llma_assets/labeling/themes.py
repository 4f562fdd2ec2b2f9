"""Which themes of the run before are still there, told from the clusters that were kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from llma_assets.labeling.label import ClusterEvidence
from llma_assets.labeling.minimum_users import FIXED
from llma_assets.labeling.response import is_grounded
from llma_assets.lineage.edge import Change

# A theme of one cluster has the title of that.
OF_CLUSTER = "cluster"
# Of the items of both themes, in clusters that were kept from one to the other.
KEPT_SHARE = 0.5


def same_themes(
    theme_of: Mapping[int, int],
    sizes: Mapping[int, int],
    earlier_theme_of: Mapping[int, int],
    earlier_sizes: Mapping[int, int],
    edges: Sequence[Mapping[str, Any]],
) -> dict[int, int]:
    """The theme of the run before that each theme goes on from; nothing for one that goes on from none.

    Args:
        theme_of, earlier_theme_of: theme of each cluster.
        sizes, earlier_sizes: items of each cluster.
        edges: rows of `cluster_lineage` between the two runs; only what was kept counts.
    """
    items, earlier_items = _items(theme_of, sizes), _items(earlier_theme_of, earlier_sizes)
    shared: dict[tuple[int, int], int] = {}
    earlier_shared: dict[tuple[int, int], int] = {}
    for edge in edges:
        now, before = theme_of.get(edge["cluster_id"]), earlier_theme_of.get(edge["earlier_cluster_id"])
        if edge["change"] == Change.KEPT and now is not None and before is not None:
            pair = (now, before)
            shared[pair] = shared.get(pair, 0) + sizes[edge["cluster_id"]]
            earlier_shared[pair] = earlier_shared.get(pair, 0) + earlier_sizes[edge["earlier_cluster_id"]]
    found: dict[int, int] = {}
    # Two may share exactly half: the smaller id of the earlier run.
    for now, before in sorted(shared, reverse=True):
        is_most = shared[now, before] >= KEPT_SHARE * items[now]
        if is_most and earlier_shared[now, before] >= KEPT_SHARE * earlier_items[before]:
            found[now] = before
    return found


def keeps_theme_name(
    title: str, naming: Mapping[str, Any], evidence: ClusterEvidence, model: str | None, prompt_version: str | None
) -> bool:
    """Whether a theme that goes on keeps its title.

    Args:
        title, naming: `theme_title` and `theme_naming` of the earlier theme.
        evidence: of the theme as it is now.
        model, prompt_version: of the labeler. One without a model replaces no name that a model gave.
    """
    if naming["source"] in (OF_CLUSTER, FIXED) or not is_grounded(title, evidence):
        return False
    if model is None:
        return True
    return naming["source"] == "llm" and (naming["model"], naming["prompt_version"]) == (model, prompt_version)


def _items(theme_of: Mapping[int, int], sizes: Mapping[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for cluster_id, theme_id in theme_of.items():
        found[theme_id] = found.get(theme_id, 0) + sizes[cluster_id]
    return found
