"""The stage cluster_report: many clusters and runs keep to the size of a page."""

import itertools

import pyarrow as pa

from llma_assets.emission.identity import clustering_run_id
from llma_assets.explorer import packing
from llma_assets.explorer.content import Content
from llma_assets.explorer.page import render_page
from llma_assets.explorer.report import report
from llma_assets.lake import Lake
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
from llma_assets_tests.stages.pipeline import match_clusters
from llma_assets_tests.stages.planted import items, plant
from llma_assets_tests.stages.report_day import DAYS, build, finish, page


def test_many_clusters_of_many_days_pass_no_size(lake: Lake) -> None:
    """Their history gives way, before the items do."""
    clusters: dict[str, int] = {}
    for number in range(150):
        clusters |= items(f"t{number}", 0, 2, number)
    for day in DAYS:
        plant(lake, day, clusters)
        match_clusters(lake, day)
    finish(lake, DAYS[-1])
    shown = {}
    for limit in (1_200_000, 6_000_000):
        assert build(lake, DAYS[-1], report_max_bytes=limit).figures["page_bytes"] <= limit
        (run,) = page(lake, DAYS[-1]).report["runs"]
        shown[limit] = len(run["earlier"]), run["items_shown"] > 0
    assert shown == {1_200_000: (1, True), 6_000_000: (8, True)}


def test_more_clusters_than_fit_give_up_details_and_then_runs(lake: Lake) -> None:
    """Five jobs at two levels; the page's own style and script are most of these small limits."""
    day, jobs = DAYS[-1], ["", "b", "c", "d", "e"]
    rows = []
    for job_id, level in itertools.product(jobs, ("trace", "generation")):
        of_job: dict[str, int] = {}
        for number in range(20 if job_id == "e" else 10):
            of_job |= items(f"t{number}", 0, 2, number)
        run_id = clustering_run_id(day.team, level, day.end, job_id)
        row = plant(lake, day, of_job) | {"job_id": job_id, "level": level, "clustering_run_id": run_id}
        rows.append(row | {"job_name": job_id or f"Default - {level}"})
    lake.write("cluster_assignments", day, pa.Table.from_pylist(rows, CLUSTER_ASSIGNMENTS.schema), "several")
    finish(lake, day)
    labels = lake.read("cluster_labels", day)
    long = [row | {"description": "All about it. " * 150} for row in labels.to_pylist()]
    lake.write("cluster_labels", day, pa.Table.from_pylist(long, labels.schema))
    bare = len(render_page(report(day.team, str(day.day), "", Content.TEXT, []), []))
    shown = []
    for limit in (6_000_000, *(int((bare + room) / 0.75) for room in (200_000, 60_000, 25_000)), bare + 15_000):
        assert build(lake, day, report_max_bytes=limit).figures["page_bytes"] <= limit
        runs = page(lake, day).report["runs"]
        warnings = " ".join(runs[0]["warnings"])
        is_described = all(cluster["description"] for run in runs for cluster in run["clusters"])
        assert is_described != ("Descriptions" in warnings)
        assert (len(runs) < 10) == (f"{10 - len(runs)} of 10 clustering runs" in warnings)
        assert "" in {run["job_id"] for run in runs}, "those of the default jobs stay longest"
        shown.append((is_described, len(runs)))
        assert lake.read("cluster_report", day)["items"].to_pylist() == [sum(row["items_analyzed"] for row in rows)]
    assert shown[:2] == [(True, 10), (False, 10)]
    assert 10 > shown[2][1] > shown[3][1] == 2 > shown[4][1] == 1


def test_the_tag_of_a_chunk_takes_no_more_than_is_counted() -> None:
    empty = report("acme", "2026-03-08", "0", Content.TEXT, [])
    chunks = [b"x" * 100] * 2_000
    added = len(render_page(empty, chunks)) - len(render_page(empty, []))
    assert added <= sum(map(packing.page_bytes, chunks))
