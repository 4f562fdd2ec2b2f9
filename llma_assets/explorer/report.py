"""The data of the explorer: one document a (team, day), with all its clustering runs.

`page.render_page` writes it into an HTML file. Texts of items are not in it, but in chunks beside it, see `packing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from llma_assets.explorer import groups
from llma_assets.explorer.content import Content
from llma_assets.explorer.groups import Json, PastRun
from llma_assets.explorer.items import item_arrays
from llma_assets.tables.cluster_assignments import ClusteringRunRow, ClusterItemRow
from llma_assets.tables.cluster_labels import ClusterLabelRow
from llma_assets.tables.cluster_lineage import LineageEdgeRow
from llma_assets.tables.cluster_metrics import ClusterMetricsRow
from llma_assets.tables.trace_summaries import TraceSummaryRow
from llma_assets.traces.safe_text import one_line
from llma_assets.vocabulary import Level, Reason

# Of the shape of the document; the page refuses another one.
SCHEMA = 1
_Quality = Literal[
    "noise_share",
    "raw_noise_share",
    "largest_share",
    "diversity",
    "silhouette",
    "layout_silhouette",
    "relative_validity",
    "mean_persistence",
    "stability",
    "theme_stability",
]
QUALITY: tuple[_Quality, ...] = get_args(_Quality)
_Count = Literal["items_in_window", "items_analyzed", "items_learned", "items_noise", "method"]
_COUNTS: tuple[_Count, ...] = get_args(_Count)


@dataclass(frozen=True, slots=True)
class RunData:
    """Everything that is told of one clustering run.

    Attributes:
        run: a row of `cluster_assignments` with items.
        labels: rows of `cluster_labels` by cluster id.
        metrics: rows of `cluster_metrics` by kind (`run`, `theme`, `cluster`) and id, None for the run.
        edges: rows of `cluster_lineage`.
        summaries: rows of `trace_summaries` by item id.
        history: this run and those before it that it continues, newest first.
        warnings: what is wrong with the clustering, each a sentence.
    """

    run: ClusteringRunRow
    labels: Mapping[int, ClusterLabelRow]
    metrics: Mapping[tuple[str, int | None], ClusterMetricsRow]
    edges: Sequence[LineageEdgeRow]
    summaries: Mapping[str, TraceSummaryRow]
    history: Sequence[PastRun]
    warnings: Sequence[str] = ()

    def metrics_of_kind(self, kind: str) -> dict[int, ClusterMetricsRow]:
        """Rows of `metrics` of one kind by id."""
        return {number: row for (group, number), row in self.metrics.items() if group == kind and number is not None}


def report(team: str, day: str, version: str, content: Content, runs: Sequence[Json]) -> Json:
    """The whole document; `runs` by `run_document` and `skipped_run`."""
    return {
        "schema": SCHEMA,
        "team": team,
        "date": day,
        "version": version,
        "content": str(content),
        "runs": sorted(runs, key=_place),
    }


def run_document(
    data: RunData, items: Sequence[ClusterItemRow], places: Sequence[list[int] | None], content: Content
) -> Json:
    """One clustering run.

    Args:
        items: those that are shown, in the order of the page; figures are of all of them all the same.
        places: chunk and index of each shown item's detail, or None.
    """
    run, whole = data.run, data.metrics.get(("run", None))
    shown = item_arrays(items, data.summaries, places, content)
    left_out = run["items_analyzed"] - len(items)
    warnings = list(data.warnings)
    if left_out:
        warnings.append(f"{left_out} of {run['items_analyzed']} items are not in this file, to keep it small.")
    compared = ((edge["earlier_clustering_run_id"], edge["earlier_date"]) for edge in data.edges)
    earlier_run_id, earlier_date = next(((run_id, day) for run_id, day in compared if day is not None), (None, None))
    return {
        **_heading(run),
        "status": "clustered",
        **{name: run[name] for name in _COUNTS},
        "items_shown": len(items),
        "quality": {name: run[name] for name in QUALITY},
        "warnings": warnings,
        "earlier_run_id": earlier_run_id,
        "earlier_date": earlier_date and earlier_date.isoformat(),
        "metrics": groups.metrics_of(whole),
        "themes": groups.themes(run, data.labels.values(), data.metrics_of_kind("theme"), content),
        "clusters": groups.clusters(
            run, data.labels, data.metrics_of_kind("cluster"), data.edges, data.history, content
        ),
        "gone": groups.gone(data.edges, data.history),
        "models": shown.models,
        "tools": shown.tools,
        "users": whole["distinct_users"] if whole else shown.users,
        "items": shown.columns,
        "earlier": groups.earlier(data.history),
    }


def skipped_run(run: ClusteringRunRow) -> Json:
    """A clustering run without items, and why."""
    count = f" ({run['items_in_window']} of {run['min_items']})" if run["reason"] == Reason.TOO_FEW_ITEMS else ""
    return {**_heading(run), "status": str(run["status"]), "reason": f"{run['reason']}{count}"}


def _heading(run: ClusteringRunRow) -> Json:
    return {
        "run_id": run["clustering_run_id"],
        "level": run["level"],
        "job_id": run["job_id"],
        "job_name": one_line(run["job_name"]),
        "window_start": _iso(run["window_start"]),
        "window_end": _iso(run["window_end"]),
    }


def _place(run: Json) -> tuple[bool, bool, str, str]:
    """Runs with items first, traces before generations."""
    return run["status"] != "clustered", run["level"] != Level.TRACE, run["job_name"], run["run_id"]


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
