"""A lake that is no folder of this machine: stages, views and page work on it as on a folder."""

import json
from datetime import date
from pathlib import Path

import pytest

from llma_assets.cli.project import Project
from llma_assets.ingest import ingest_file
from llma_assets.lake import Lake
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_alerts import FindAlerts
from llma_assets.stages.cluster_report import BuildReport
from llma_assets.tables.cluster_report import REPORT_PAGE
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import NOW, demo_events
from llma_assets_tests.stages.pipeline import LOG, run_day, source

DAY = TeamDay("acme", date(2026, 3, 8))


def test_a_day_on_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_LAKE_URL", f"memory://{tmp_path.name}/lake")
    monkeypatch.setenv("LLMA_JOBS_FILE", str(tmp_path / "jobs.yaml"))
    (tmp_path / "jobs.yaml").write_text(
        "teams: {acme: {jobs: [{id: some, name: Some, level: trace, filters: [$ai_model is_set]}]}}"
    )
    settings = load_settings()
    lake = Lake(settings.lake)
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in demo_events("airline", 30, DAY.day.isoformat())))
    ingest_file(lake, path, DAY.team, NOW)
    run_day(lake, DAY.team, [DAY.day])
    FindAlerts(lake, source(lake), settings, NOW, LOG).run(DAY)
    page = BuildReport(lake, source(lake), settings, LOG).run(DAY)
    assert page.counts["texts"] > 0 and lake.fs.exists(lake.path("cluster_report", DAY, REPORT_PAGE))
    told = "SELECT job_id, items_analyzed, m.item_count FROM runs JOIN run_metrics AS m USING (clustering_run_id)"
    assert Project().rows(f"{told} WHERE runs.team_id = 'acme' AND runs.date = '2026-03-08' ORDER BY ALL") == [
        {"job_id": "", "items_analyzed": 30, "item_count": 30},
        {"job_id": "some", "items_analyzed": 30, "item_count": 30},
    ]
    assert not Path(settings.home, "trace_events").exists()
