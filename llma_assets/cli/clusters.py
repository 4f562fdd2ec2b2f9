"""`llma clusters`: the clusters of one clustering run, from the lake or from a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from llma_assets.cli.output import cell, console, print_json, safe
from llma_assets.cli.project import Project, Rows
from llma_assets.errors import InputRejected
from llma_assets.sql import sql

# An event of ours has at most 900 KiB; a hundred of them are a run of some 400,000 items.
MAX_FILE_BYTES = 100 * 1024 * 1024
_FILES = (".json", ".jsonl", ".ndjson")


def clusters(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A clustering run id, as `llma runs` prints it, or a JSON file.")
    ],
    of_file: Annotated[str | None, typer.Option("--run", help="Which run of a file with several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The clusters of one clustering run by theme, largest first, each with its five top items. A file holds what
    --json or `llma export` printed, or events as PostHog exports them."""
    if run.endswith(_FILES) or "/" in run:
        document = read_file(Path(run), of_file)
    elif of_file is not None:
        raise InputRejected("--run: goes with a file; RUN says which run of the lake is meant")
    else:
        document = run_document(Project(), run)
    if as_json:
        print_json(document)
    else:
        print_clusters(document["run"], document["clusters"], document["themes"])


def read_file(path: Path, run: str | None) -> dict[str, Any]:
    """The clustering run that a file holds.

    Raises:
        InputRejected: there is no such file, it is too large, or holds no run; names what is wrong.
    """
    from llma_assets.emission.cluster_document import read_document

    if not path.is_file():
        raise InputRejected(f"RUN: there is no file {str(path)!r}")
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InputRejected(f"RUN: {str(path)!r} has more than {MAX_FILE_BYTES} bytes")
    return read_document(content, run)


def run_row(project: Project, run: str, field: str = "RUN") -> dict[str, Any]:
    """The row of a clustering run in the view `runs`.

    Raises:
        InputRejected: there is none.
    """
    found = project.rows("SELECT * FROM runs WHERE clustering_run_id = $run", {"run": run})
    if not found:
        raise InputRejected(f"{field}: there is no clustering run {run!r}; `llma runs` lists them")
    return found[0]


def run_document(project: Project, run: str) -> dict[str, Any]:
    """A clustering run of the lake as one JSON document: `run`, `themes`, and `clusters` with their top items."""
    found = run_row(project, run)
    named = project.rows(sql("run_clusters"), {"run": run})
    top = project.rows(
        """
        SELECT cluster_id, rank, item_id, title, distance_to_centroid, trace_timestamp FROM cluster_items
        WHERE clustering_run_id = $run AND rank < 5 ORDER BY cluster_id, rank
        """,
        {"run": run},
    )
    themes = project.rows("SELECT * FROM themes WHERE clustering_run_id = $run ORDER BY theme_id", {"run": run})
    for row in named:
        row["top_items"] = [item for item in top if item["cluster_id"] == row["cluster_id"]]
    if project.settings.min_users_per_cluster:
        # A title is what one user said.
        for item in top:
            item["title"] = None
    return {"run": found, "themes": themes, "clusters": named}


def print_clusters(run: dict[str, Any], named: Rows, themes: Rows) -> None:
    """A clustering run as text: its clusters, under their themes where those are fewer."""
    window = f"{cell(run['window_start'])} to {cell(run['window_end'])} UTC"
    out = console.print
    out(safe(f"{run['clustering_run_id']}  {run['job_name'] or ''}, level {run['level']}"), style="bold", markup=False)
    learned = run["items_learned"] or run["items_analyzed"]
    items = f"{run['items_analyzed']} of {run['items_in_window']} items, learned from {learned}"
    out(safe(f"window {window}; {items}, method {run['method'] or 'unknown'}"), markup=False)
    grouped = len(themes) < sum(theme["clusters"] for theme in themes)
    counts = (
        f"{run['cluster_count']} clusters in {len(themes)} themes" if grouped else f"{run['cluster_count']} clusters"
    )
    noise = "1 item is" if run["items_noise"] == 1 else f"{run['items_noise']} items are"
    out(f"{counts}, {noise} noise", markup=False)
    if run["reason"]:
        least = f", {run['items_in_window']} of {run['min_items']} items" if run["min_items"] is not None else ""
        out(safe(f"{run['status']}: {run['reason']}{least}"), markup=False)
    if not grouped:
        _print_each(named)
        return
    for theme in themes:
        clusters = "1 cluster" if theme["clusters"] == 1 else f"{theme['clusters']} clusters"
        out(f"\n{safe(theme['title'])}", style="bold magenta", markup=False, highlight=False)
        share = f", {theme['share']:.0%}" if theme["share"] is not None else ""
        out(f"theme {theme['theme_id']}: {clusters}, {theme['items']} items{share}", markup=False)
        if theme["clusters"] > 1 and theme["description"]:
            out(safe(theme["description"]), markup=False, highlight=False)
        _print_each([row for row in named if row["theme_id"] == theme["theme_id"]])
    _print_each([row for row in named if row["theme_id"] is None])


def _print_each(named: Rows) -> None:
    """Clusters one under the other."""
    out = console.print
    for row in named:
        noise = "  (NOISE/OUTLIERS)" if row["cluster_id"] == -1 else ""
        out(f"\n[{row['cluster_id']}]{noise}  {safe(row['title'])}", style="bold cyan", markup=False, highlight=False)
        facts = [f"{row['size']} items"]
        facts += [f"{row['share']:.0%}"] if row["share"] is not None else []
        facts += [f"{row['error_count']} with errors"] if row["error_count"] is not None else []
        facts += [f"${row['total_cost']:.4g} in all"] if row["total_cost"] is not None else []
        facts += [f"{row['avg_latency']:.3g} s on average"] if row["avg_latency"] is not None else []
        out("    " + ", ".join(facts), markup=False, highlight=False)
        for line in (row["description"] or "").splitlines():
            out(f"    {safe(line)}", markup=False, highlight=False)
        for item in row["top_items"]:
            distance = "" if item["distance_to_centroid"] is None else f"{item['distance_to_centroid']:.3f}"
            place = f"{item['rank']}. {distance}  {cell(item['trace_timestamp'])}"
            text = f"{place}  {safe(item['title'] or item['item_id'])}"
            out(f"      {text}", style="dim", markup=False, highlight=False, overflow="ellipsis", no_wrap=True)
