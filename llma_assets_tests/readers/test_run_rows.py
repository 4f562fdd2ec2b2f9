"""Rows of a clustering run: of these clusters, on this day, and of no others."""

from datetime import date

import pyarrow as pa

from llma_assets.lake import Lake
from llma_assets.readers.run_rows import RunKey, rows_of_run, runs_with_items
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE
from llma_assets.team_day import TeamDay

DAY = TeamDay("acme", date(2026, 3, 9))
RUN = RunKey(DAY, "run", "new")


def test_rows_of_other_runs_and_of_earlier_clusters_are_left_out(lake: Lake) -> None:
    assert rows_of_run(lake, CLUSTER_LINEAGE, RUN) == []
    kept = [("run", "old"), ("run", "new"), ("other", "new"), ("run", "new")]
    rows = [
        CLUSTER_LINEAGE.blank()
        | {"team_id": DAY.team, "date": DAY.day, "level": "trace", "job_id": "", "change": "born"}
        | {"clustering_run_id": run_id, "content_hash": content_hash, "cluster_id": number}
        for number, (run_id, content_hash) in enumerate(kept)
    ]
    lake.write("cluster_lineage", DAY, CLUSTER_LINEAGE.arrow(rows))
    assert [row["cluster_id"] for row in rows_of_run(lake, CLUSTER_LINEAGE, RUN)] == [1, 3]
    assert len(rows_of_run(lake, CLUSTER_LINEAGE, RUN, [])) == 2
    assert RUN.rows(rows) == [rows[1], rows[3]]


def test_an_edge_tells_the_run_before_it() -> None:
    edge = CLUSTER_LINEAGE.blank()
    edge["team_id"] = "acme"
    assert RunKey.before(edge) is None
    edge |= {"earlier_date": DAY.day, "earlier_clustering_run_id": "run", "earlier_content_hash": "new"}
    assert RunKey.before(edge) == RUN
    row = {"team_id": "acme", "date": DAY.day, "clustering_run_id": "run", "content_hash": "new"}
    assert RunKey.of(row) == RUN


def test_runs_without_items_do_not_count() -> None:
    assert runs_with_items(pa.table({"level": ["a", "b"], "items_analyzed": [0, 3]})) == [
        {"level": "b", "items_analyzed": 3}
    ]
