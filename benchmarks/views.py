"""The views over 30 days × 20 teams × 500 items a day, whole and as a person asks them; alone, and while a run writes.

`python benchmarks/views.py [LAKE]` makes the lake at LAKE (default: a folder that is deleted afterwards; 20 minutes)
unless it is there already. The traces are those that the demo ships: prompts to an assistant, and one airline agent of
some 20 events in fifty traces, under new ids and times. One team is made by the pipeline's own stages, trace level,
windows of seven days (3,500 items a clustering run); the vectors of equal texts are computed once. The other teams are
the same rows under other names. Each query is asked on a connection of its own, as `llma sql` does, `REPEATS` times;
"whole" reads every column of every row. Results go to results/views.json and results/views.md.
"""

import contextlib
import json
import logging
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llma_assets.clustering.result import ClusteringParams
from llma_assets.clustering_jobs import clustering_jobs
from llma_assets.embedding.embedder import EmbeddedPart, parts_in_order
from llma_assets.embedding.minilm import MiniLMEmbedder
from llma_assets.ingest import ingest_file
from llma_assets.labeling.local import KeywordLabeler
from llma_assets.lake import Lake
from llma_assets.lake.store import PARQUET_OPTIONS
from llma_assets.providers import embedder_of
from llma_assets.queries.views import open_views, query
from llma_assets.settings import Settings, load_settings
from llma_assets.sources.lake_event_source import lake_event_source
from llma_assets.stages.cluster_assignments import ClusterWindow
from llma_assets.stages.cluster_events import EmitEvents
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.cluster_lineage import MatchClusters
from llma_assets.stages.cluster_metrics import MeasureClusters
from llma_assets.stages.embeddings import EmbedDay
from llma_assets.stages.trace_summaries import SummarizeDay
from llma_assets.summarization.local import ExtractiveSummarizer
from llma_assets.tables import TABLES
from llma_assets.team_day import TeamDay
from llma_assets.vocabulary import Level

TEAMS, DAYS, ITEMS_A_DAY, AGENTS_A_DAY = 20, 30, 500, 10
FIRST_DAY = date(2026, 2, 1)
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
NOW = datetime(2026, 3, 10, tzinfo=UTC)
# The others are copies of the first; the writer writes the one that is asked about.
FIRST_TEAM, ASKED_TEAM = "team00", "team07"
REPEATS = 3
RESULTS = Path(__file__).parent / "results"
LOG = logging.getLogger("views")

RUN = f"{ASKED_TEAM}_trace_{LAST_DAY + timedelta(days=1):%Y%m%d}_000000"


class CachedEmbedder:
    """The local embedder, for texts that come again."""

    def __init__(self) -> None:
        self._inner = MiniLMEmbedder()
        self.model, self.dim = self._inner.model, self._inner.dim
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        new = sorted(set(texts) - self._known.keys())
        if new:
            self._known.update(zip(new, self._inner.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def parts(self, texts: Sequence[str], names: Sequence[str] = ()) -> Iterator[EmbeddedPart]:
        return parts_in_order(self.embed, texts)


def make_lake(lake: Lake) -> None:
    """One team through the stages, day after day; then the other teams as copies of its files."""
    agents, prompts = _traces("airline"), _traces("assistant")
    embedder, settings = CachedEmbedder(), load_settings()
    jobs = [job for job in clustering_jobs(FIRST_TEAM, settings) if job.level == Level.TRACE]
    source = lake_event_source(settings, lake)
    days = [TeamDay(FIRST_TEAM, FIRST_DAY + timedelta(days=n)) for n in range(DAYS)]
    for number, day in enumerate(days):
        chosen = [agents[(number * AGENTS_A_DAY + n) % len(agents)] for n in range(AGENTS_A_DAY)]
        left = ITEMS_A_DAY - AGENTS_A_DAY
        chosen += [prompts[(number * left + n) % len(prompts)] for n in range(left)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{day.day}.jsonl")
            path.write_text("".join(_moved(day, n, trace) for n, trace in enumerate(chosen)), encoding="utf-8")
            ingest_file(lake, path, FIRST_TEAM, NOW)
        SummarizeDay(lake, source, ExtractiveSummarizer(), jobs, settings, NOW, LOG).run(day)
        EmbedDay(lake, embedder, embedder_of(settings).recipe, LOG).run(day)
        ClusterWindow(
            lake, jobs, ClusteringParams(), 7, 7, settings.max_samples, settings.min_items, LOG, source=source
        ).run(day)
        MatchClusters(lake, settings.lineage_days, LOG).run(day)
        LabelClusters(lake, KeywordLabeler(), LOG).run(day)
        MeasureClusters(lake, LOG).run(day)
        EmitEvents(lake, LOG).run(day)
        print(day, flush=True)
    for number in range(1, TEAMS):
        _copy_team(lake, f"team{number:02d}")


def _traces(name: str) -> list[list[dict[str, Any]]]:
    table = pq.read_table(str(files("llma_assets.demo") / "data" / f"{name}.parquet"))
    traces: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        event = row | {"properties": json.loads(row["properties"])}
        traces.setdefault(event["properties"]["$ai_trace_id"], []).append(event)
    return [traces[trace_id] for trace_id in sorted(traces)]


def _moved(day: TeamDay, number: int, trace: list[dict[str, Any]]) -> str:
    """The events of one trace as lines, under ids of their own, in that day's turn of it."""
    trace_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{day}/{number}"))
    begin = min(datetime.fromisoformat(event["timestamp"]) for event in trace)
    shift = day.start + timedelta(seconds=number * 82_000 / ITEMS_A_DAY) - begin
    lines = []
    for place, event in enumerate(trace):
        moved = datetime.fromisoformat(event["timestamp"]) + shift
        properties = event["properties"] | {"$ai_trace_id": trace_id}
        lines.append(json.dumps(event | {"uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{trace_id}/{place}")),
                                         "timestamp": moved.isoformat(), "properties": properties}))  # fmt: skip
    return "\n".join(lines) + "\n"


def _copy_team(lake: Lake, team: str) -> None:
    """Every file of the first team, its name replaced by `team` in every text but those of traces."""
    for name, table in TABLES.items():
        for path in Path(lake.root, name, f"team={FIRST_TEAM}").rglob("*.parquet"):
            rows = pq.read_table(path, partitioning=None)
            for place, field in enumerate(table.schema):
                if pa.types.is_string(field.type) and (name, field.name) != ("trace_events", "properties"):
                    named = pc.replace_substring(rows[field.name], FIRST_TEAM, team)
                    rows = rows.set_column(place, rows.schema.field(field.name), named)
            target = Path(str(path).replace(f"team={FIRST_TEAM}", f"team={team}"))
            target.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, target, **PARQUET_OPTIONS)


# How the views are asked: by team, by day, by run; every query names what `llma` or docs/questions.md would.
ASKED = {
    "runs of a team": "SELECT * FROM runs WHERE team_id = 'team07' ORDER BY window_end DESC",
    "clusters of a run": "SELECT * FROM clusters WHERE clustering_run_id = $run",
    "clusters of a team and day": "SELECT * FROM clusters WHERE team_id = 'team07' AND date = $day",
    "themes of a team and day": "SELECT * FROM themes WHERE team_id = 'team07' AND date = $day",
    "top items of a cluster": "SELECT rank, item_id, title FROM cluster_items WHERE clustering_run_id = $run "
    "AND cluster_id = 0 ORDER BY rank LIMIT 5",
    "dearest clusters of a day": "SELECT * FROM cluster_metrics WHERE team_id = 'team07' AND date = $day "
    "ORDER BY total_cost DESC",
    "metrics of a team's runs": "SELECT * FROM run_metrics WHERE team_id = 'team07' ORDER BY date",
    "changes of a day": "SELECT * FROM cluster_changes WHERE team_id = 'team07' AND date = $day",
    "lineages of a team": "SELECT * FROM cluster_lineages WHERE team_id = 'team07'",
    "status of a team": "SELECT * FROM team_day_status WHERE team_id = 'team07'",
    "models of a team since a day": "SELECT properties->>'$.\"$ai_model\"' AS model, count(*) FROM events "
    "WHERE team_id = 'team07' AND event = '$ai_generation' AND timestamp >= $day GROUP BY 1",
}


def main(folder: Path) -> None:
    """Make the lake where there is none, ask everything alone and beside a writer, write the results."""
    os.environ["LLMA_HOME"] = str(folder)
    lake = Lake(str(folder))
    if not lake.teams("cluster_events"):
        make_lake(lake)
    settings = load_settings()
    names = [
        name
        for path in sorted((files("llma_assets.sql") / "views").iterdir(), key=lambda path: path.name)
        for name in re.findall(r"CREATE VIEW (\w+)", path.read_text(encoding="utf-8"))
    ]
    whole = {f"{name}, whole": f"SELECT count(*), bit_xor(hash(v)) FROM {name} AS v" for name in names}
    alone = {name: measure(lake, settings, text) for name, text in (whole | ASKED).items()}
    with writing(lake):
        beside = {name: measure(lake, settings, text) for name, text in (whole | ASKED).items()}
    facts = {
        "cores": os.cpu_count(), "python": sys.version.split()[0], "duckdb": version("duckdb"),
        "teams": TEAMS, "days": DAYS, "items_a_day": ITEMS_A_DAY, "repeats": REPEATS,
        "alone": alone, "beside_a_writer": beside,
    }  # fmt: skip
    (RESULTS / "views.json").write_text(json.dumps(facts, indent=1) + "\n")
    (RESULTS / "views.md").write_text(_markdown(facts))


def measure(lake: Lake, settings: Settings, text: str) -> dict[str, float]:
    """Medians over `REPEATS`, each on a connection of its own: to make it, and to be answered."""
    named = {"run": RUN, "day": LAST_DAY}
    parameters = {name: value for name, value in named.items() if f"${name}" in text}
    opened, wall, cpu = [], [], []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        with open_views(lake, settings) as connection:
            ready, busy = time.perf_counter(), time.process_time()
            query(connection, text, parameters)
            wall.append(time.perf_counter() - ready)
            cpu.append(time.process_time() - busy)
        opened.append(ready - begin)
    figures = {"open_s": opened, "wall_s": wall, "cpu_s": cpu}
    return {name: round(statistics.median(values), 3) for name, values in figures.items()}


@contextlib.contextmanager
def writing(lake: Lake) -> Iterator[None]:
    """A process that replaces clusters and metrics of the team that is asked about, day after day, all the time."""
    process = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(lake.root,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _write_for_ever(root: str) -> None:
    lake = Lake(root)
    while True:
        for day in lake.days("cluster_assignments", ASKED_TEAM):
            version = lake.source_version("cluster_assignments", day) or ""
            lake.write("cluster_assignments", day, lake.read("cluster_assignments", day), version)
            MeasureClusters(lake, LOG).run(day)


def _markdown(facts: dict[str, Any]) -> str:
    lines = [
        f"{facts['days']} days × {facts['teams']} teams × {facts['items_a_day']} items a day, {facts['cores']} cores, "
        f"DuckDB {facts['duckdb']}; medians of {facts['repeats']}, seconds. To open the views comes before each.",
        "",
        "| query | open | answer | CPU | answer beside a writer |",
        "|---|---|---|---|---|",
    ]
    for name, one in facts["alone"].items():
        beside = facts["beside_a_writer"].get(name, {}).get("wall_s", "")
        lines.append(f"| {name} | {one['open_s']} | {one['wall_s']} | {one['cpu_s']} | {beside} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as home:
            main(Path(home))
