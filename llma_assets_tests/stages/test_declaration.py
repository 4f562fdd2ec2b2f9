"""What follows from the declarations of assets: their order, what is emptied with one, their code versions."""

from dataclasses import replace

from llma_assets.stages import cluster_report
from llma_assets.stages.declaration import STAGES, Days, in_order, made_from
from llma_assets.tables import TABLES


def test_each_stage_comes_after_those_that_it_is_made_from() -> None:
    names = [stage.table.name for stage in in_order()]
    assert sorted(names) == sorted(STAGES)
    for stage in STAGES.values():
        for table in stage.reads.keys() & STAGES:
            assert names.index(table) < names.index(stage.table.name)


def test_what_is_emptied_with_a_partition_ends_where_windows_begin() -> None:
    assert "embeddings" in made_from("trace_summaries")
    assert not [name for name in made_from("trace_summaries") if name.startswith("cluster_")]
    assert made_from("embeddings") == []
    assert set(made_from("cluster_assignments")) == {
        name for name in STAGES if name.startswith("cluster_") and name != "cluster_assignments"
    }
    assert made_from("cluster_assignments")[-1] == "cluster_lineage"


def test_the_code_version_moves_with_a_version_that_decides_bytes() -> None:
    assert cluster_report.REPORT_VERSION in cluster_report.STAGE.code_version.split("/")
    try:
        raised = replace(cluster_report.STAGE, versions=("99",))
        assert raised.code_version != cluster_report.STAGE.code_version
    finally:
        STAGES["cluster_report"] = cluster_report.STAGE


def test_every_stage_reads_tables_that_there_are() -> None:
    for stage in STAGES.values():
        assert set(stage.reads) <= set(TABLES)
        assert set(stage.reads.values()) <= set(Days)
        assert all(stage.versions)
