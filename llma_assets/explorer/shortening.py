"""What a page leaves out of its clusters where they alone would fill it: their history first, whole runs last."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from llma_assets.explorer.report import RunData
from llma_assets.vocabulary import Level

# Of the file, what clusters may take before their history gives way, and before anything else of them does.
_HISTORY_SHARE, _CLUSTERS_SHARE = 0.5, 0.75
_DETAILS_LEFT_OUT = "Descriptions, keywords, models and tools of clusters are not in this file, to keep it small."


def shortened(data: Sequence[RunData], size: Callable[[Sequence[RunData]], int], max_bytes: int) -> list[RunData]:
    """As much of the runs as leaves room for items.

    Args:
        size: bytes of a page of these runs without any item.
        max_bytes: of the whole page.

    Returns:
        At least one run. Of runs, those of the default jobs stay first, then the largest ones.
    """
    cuts = [(_HISTORY_SHARE, partial(_with_history, runs=runs)) for runs in (7, 4, 2)]
    cuts += [(_CLUSTERS_SHARE, partial(_without_details)), (_CLUSTERS_SHARE, partial(_with_history, runs=1))]
    for share, cut in cuts:
        if size(data) > share * max_bytes:
            data = [cut(run_data) for run_data in data]
    if size(data) <= _CLUSTERS_SHARE * max_bytes:
        return list(data)
    bare = size([])
    room = _CLUSTERS_SHARE * max_bytes - bare
    kept: list[RunData] = []
    for run_data in sorted(data, key=_importance):
        room -= size([run_data]) - bare
        if kept and room < 0:
            break
        kept.append(run_data)
    if len(kept) == len(data):
        return kept
    told = f"{len(data) - len(kept)} of {len(data)} clustering runs of this day are not in this file, to keep it small."
    return [replace(run_data, warnings=[*run_data.warnings, told]) for run_data in kept]


def _with_history(run_data: RunData, runs: int) -> RunData:
    """With so many runs back, the run itself included."""
    return replace(run_data, history=run_data.history[:runs])


def _without_details(run_data: RunData) -> RunData:
    return replace(
        run_data,
        labels={
            cluster_id: label | {"description": "", "keywords": [], "theme_description": ""}
            for cluster_id, label in run_data.labels.items()
        },
        metrics={key: row | {"models": [], "tools": []} for key, row in run_data.metrics.items()},
        warnings=[*run_data.warnings, _DETAILS_LEFT_OUT],
    )


def _importance(run_data: RunData) -> tuple[bool, bool, int, str]:
    run = run_data.run
    return bool(run["job_id"]), run["level"] != Level.TRACE, -run["items_analyzed"], run["clustering_run_id"]
