"""The tables that the UI shows of a day: its clusters, and what changed; hostile titles stay text."""

from datetime import date
from typing import Any

import pyarrow as pa

from llma_assets.assets.materialization import metadata
from llma_assets.emission.identity import clustering_run_id
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.reporting.stage_report import StageReport
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS
from llma_assets.tables.cluster_labels import CLUSTER_LABELS
from llma_assets.team_day import TeamDay
from llma_assets_tests.stages.pipeline import LOG, match_clusters, measure
from llma_assets_tests.stages.planted import items, plant

DAYS = [TeamDay("acme", date(2026, 1, n)) for n in (1, 2)]
NIGHTS = [
    items("flight", 0, 40, 0) | items("refund", 0, 30, 1) | items("bag", 0, 20, 2),
    items("flight", 0, 20, 0) | items("flight", 20, 45, 3) | items("refund", 0, 33, 2) | items("seat", 0, 20, 1)
    | items("odd", 0, 3, -1),
]  # fmt: skip


def emit(lake: Lake, number: int) -> StageReport:
    day = DAYS[number]
    plant(lake, day, NIGHTS[number])
    match_clusters(lake, day)
    measure(lake, day)
    LabelClusters(lake, KeywordLabeler(), LOG).run(day)
    return EmitEvents(lake, LOG).run(day)


def rows(report: StageReport, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in report.tables[table].to_pylist()]


def test_clusters_are_listed_largest_first_with_what_they_were_before(lake: Lake) -> None:
    first, second = emit(lake, 0), emit(lake, 1)
    columns = ("items", "share", "change", "before", "errors", "level")
    assert rows(first, "clusters", *columns) == [
        (40, "44.4%", "born", None, "0.0%", "trace"),
        (30, "33.3%", "born", None, "0.0%", "trace"),
        (20, "22.2%", "born", None, "0.0%", "trace"),
    ]
    assert rows(second, "clusters", *columns) == [
        (33, "32.7%", "kept", 30, "0.0%", "trace"),
        (25, "24.8%", "split", None, "0.0%", "trace"),
        (20, "19.8%", "kept", 40, "0.0%", "trace"),
        (20, "19.8%", "born", None, "0.0%", "trace"),
        (3, "3.0%", None, None, "0.0%", "trace"),
    ]
    assert "Refund" in rows(second, "clusters", "cluster")[0][0]
    assert rows(second, "clusters", "cluster")[-1] == ("Outliers",)


def test_changes_name_what_was_born_split_and_died(lake: Lake) -> None:
    first, second = emit(lake, 0), emit(lake, 1)
    assert first.tables["changes"].num_rows == 0, "there is no run before"
    found = rows(second, "changes", "change", "cluster", "items", "before", "out_of")
    titles = [row[0] for row in rows(first, "clusters", "cluster")]
    assert [(change, items, before, out_of) for change, _, items, before, out_of in found] == [
        ("born", 20, None, None), ("split", 25, 40, titles[0]), ("died", None, 20, None),
    ]  # fmt: skip
    assert "Seat" in found[0][1]
    assert found[2][1] == titles[2], "one that died has the name that it had"


def test_a_title_cannot_break_out_of_its_cell(lake: Lake) -> None:
    """S12: markup, image beacons, links and cell ends of a title are shown as they are."""
    emit(lake, 0)
    labels = lake.read("cluster_labels", DAYS[0]).to_pylist()
    hostile = "a | ![x](https://evil.example/x) <img src=x> `b` {{c}}"
    labels[0]["title"] = hostile
    lake.write("cluster_labels", DAYS[0], pa.Table.from_pylist(labels, CLUSTER_LABELS.schema))
    shown = metadata(EmitEvents(lake, LOG).run(DAYS[0]))
    table = shown["clusters"].value
    (line,) = [line for line in table.splitlines() if "evil" in line]
    assert "\\!\\[x\\]\\(https:\u2060//evil.example/x\\) \\<img src=x\\> \\`b\\`" in line
    assert line.count("|") - line.count("\\|") == 9, "eight cells"
    assert shown["changes"].value == "none"


def test_each_run_has_its_map_and_those_left_out_are_named(lake: Lake) -> None:
    day, planted = DAYS[0], []
    for size, job_id in enumerate(["", "b", "c", "d", "e", "f"], start=3):
        run_id = clustering_run_id(day.team, "trace", day.end, job_id)
        run = plant(lake, day, items("flight", 0, size, 0)) | {"job_id": job_id, "clustering_run_id": run_id}
        planted.append(run)
    shown = {}
    for runs in (planted[:2], planted):
        lake.write("cluster_assignments", day, pa.Table.from_pylist(runs, CLUSTER_ASSIGNMENTS.schema), str(len(runs)))
        match_clusters(lake, day)
        report = LabelClusters(lake, KeywordLabeler(), LOG).run(day)
        pictures = [draw() or b"" for draw in report.pictures]
        assert len(set(pictures)) == len(pictures), "each of another run"
        told = metadata(report)
        assert told["map"].value.count("![cluster map](data:image/png;base64,iVBORw") == len(pictures)
        shown[len(runs)] = len(pictures), told.get("maps_left_out")
    left_out = f"{planted[1]['clustering_run_id']}, {planted[0]['clustering_run_id']}"
    assert shown == {2: (2, None), 6: (4, left_out)}
    assert sum(map(len, pictures)) < 200_000, "they stay in the event log"
