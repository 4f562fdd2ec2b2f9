"""Reading while runs write, and what a query may not reach."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llma_assets.cli.project import Project
from llma_assets.errors import InputRejected
from llma_assets.lake import Lake
from llma_assets.queries.views import query
from llma_assets.team_day import TeamDay
from llma_assets_tests.real_traces import demo_events
from llma_assets_tests.stages.pipeline import measure
from llma_assets_tests.stages.planted import items, plant

DAYS = [TeamDay("acme", date(2026, 1, 1) + timedelta(days=n)) for n in range(4)]
# Of each run: what its own row says, its items, and the items that its metrics counted.
TOLD = """
    SELECT runs.clustering_run_id, items_analyzed, items, measured
    FROM runs
    JOIN (SELECT clustering_run_id, count(*) AS items FROM cluster_items GROUP BY ALL) USING (clustering_run_id)
    LEFT JOIN (SELECT clustering_run_id, item_count AS measured FROM run_metrics) USING (clustering_run_id)
    ORDER BY ALL
"""


def write(lake: Lake, number: int) -> None:
    """Replace one day's run by one of another size, as a run does: clusters first, then what is made from them."""
    day = DAYS[number % len(DAYS)]
    plant(lake, day, items("flight", 0, 20 + 300 * (number % 2), 0) | items("odd", 0, 2, -1))
    measure(lake, day)


@pytest.mark.parametrize(
    ("client", "reads"),
    [("llma", 6), ("duckdb", 12), *(pytest.param(one, 25, marks=pytest.mark.slow) for one in ("llma", "duckdb"))],
)
def test_views_are_read_whole_while_a_run_writes(lake: Lake, client: str, reads: int) -> None:
    """Each reading sees a run as it was or as it is, never a mixture, whatever client asks."""
    for number in range(len(DAYS)):
        write(lake, number)
    Project().refresh_views_file()
    done = threading.Event()
    written: list[int] = []

    def replace() -> None:
        while not done.is_set():
            write(lake, len(written))
            written.append(1)

    def read() -> list[tuple[Any, ...]]:
        if client == "llma":
            return [tuple(row.values()) for row in Project().rows(TOLD)]
        with duckdb.connect(str(Path(os.environ["LLMA_HOME"], "llma.duckdb")), read_only=True) as connection:
            return connection.execute(TOLD).fetchall()

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        answers = [read() for _ in range(reads)]
    finally:
        done.set()
        writer.join()
    assert len(written) > 1, "nothing was replaced meanwhile"
    sizes = {22, 322}
    for rows in answers:
        assert len(rows) == len(DAYS)
        for _, analyzed, found, measured in rows:
            # Two views are two readings, so a run may be replaced between them; each alone is whole.
            assert analyzed in sizes
            assert found in sizes
            assert measured in sizes or measured is None


def test_a_query_for_a_team_or_day_opens_no_other_file(lake: Lake) -> None:
    """What is not asked for may even be broken."""
    other = TeamDay("other", DAYS[0].day)
    for day in (*DAYS[:2], other):
        plant(lake, day, items("flight", 0, 5, 0))
        measure(lake, day)
    broken = [lake.path(table, DAYS[1]) for table in ("cluster_assignments", "cluster_metrics", "trace_summaries")]
    broken += [lake.path(table, other) for table in ("cluster_assignments", "cluster_metrics", "trace_summaries")]
    for path in broken:
        Path(path).write_text("no Parquet")
    with Project().views() as connection:
        for view in ("runs", "cluster_metrics_rows", "trace_summaries"):
            asked = f"SELECT * FROM {view} WHERE team_id = 'acme' AND date = '{DAYS[0].day}'"
            assert set(query(connection, asked)["date"].to_pylist()) == {DAYS[0].day}
            with pytest.raises(InputRejected, match="query:"):
                query(connection, f"SELECT * FROM {view}")


def test_every_view_takes_a_filter_an_order_and_a_limit(lake: Lake, ingest: Callable[..., Any]) -> None:
    """Together they made DuckDB fail where a path was a virtual column."""
    ingest(demo_events("assistant", 2))
    plant(lake, DAYS[0], items("flight", 0, 5, 0))
    measure(lake, DAYS[0])
    with Project().views() as connection:
        views = query(connection, "SELECT view_name FROM duckdb_views() WHERE NOT internal")["view_name"].to_pylist()
        assert len(views) > 25
        for view in views:
            columns = query(connection, f"DESCRIBE {view}")["column_name"].to_pylist()
            if "team_id" not in columns:
                continue
            asked = f"SELECT team_id FROM {view} WHERE team_id = 'acme' ORDER BY {columns[-1]}, 1 LIMIT 3"
            assert {*query(connection, asked)["team_id"].to_pylist()} <= {"acme"}, view


REFUSED = {
    "a file": "SELECT * FROM read_csv('/etc/passwd')",
    "a file by its name": "SELECT * FROM '/etc/passwd'",
    "a text": "SELECT * FROM read_text('/etc/hostname')",
    "a pattern": "SELECT * FROM glob('/etc/*')",
    "up from the lake": "SELECT * FROM read_text('{root}/../secret.txt')",
    "a link out of the lake": "SELECT * FROM read_text('{root}/link.txt')",
    "the network": "SELECT * FROM read_parquet('https://127.0.0.1/x.parquet')",
    "a file to write": "COPY (SELECT 1) TO '{root}/x.csv'",
    "a file to write, explained": "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/x.csv'",
    "a file to write, explained by an option": "EXPLAIN (FORMAT json, \"analyze\") COPY (SELECT 1) TO '{root}/x.csv'",
    "a file to write, explained in lower case": "/* a /* b */ */ explain\n(analyze) copy (SELECT 1) TO '{root}/x.csv'",
    "a file to write, behind a comment": "EXPLAIN/**/ANALYZE/* ) SELECT 1 -- */COPY (SELECT 1) TO '{root}/x.csv'",
    "a file to write, only planned": "EXPLAIN COPY (SELECT 1) TO '{root}/x.csv'",
    "a file to write, on the way": "WITH x AS (COPY (SELECT 1) TO '{root}/x.csv') FROM x",
    "a file to write, on the way of a plan": "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{root}/x.csv') FROM x",
    "a table": "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    "a view": "EXPLAIN ANALYZE DROP VIEW runs",
    "rows": "EXPLAIN ANALYZE INSERT INTO runs SELECT * FROM runs",
    "rows, on the way": "WITH x AS (DELETE FROM runs RETURNING *) FROM x",
    "a statement in a text": "SELECT (SELECT max(a) FROM query('SELECT 1 AS a'))",
    "a statement as JSON": "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "a log": "DESCRIBE FROM enable_logging(storage = 'file', storage_path = '{root}/log')",
    "a profile": "SELECT * FROM system.main.ENABLE_PROFILING(save_location = '{root}/x.json')",
    "two statements, explained": "EXPLAIN SELECT 1; SELECT 2",
    "another database": "ATTACH '{root}/x.db'",
    "an extension": "INSTALL httpfs",
    "a setting": "SET enable_external_access = true",
    "a setting in a query": "SELECT * FROM (SELECT 1); SET lock_configuration = false",
    "the environment": "SELECT getenv('HOME')",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a clustering run, beside a secret that a link in it leads to."""
    root = tmp_path_factory.mktemp("access") / "home"
    plant(Lake(str(root)), DAYS[0], items("flight", 0, 3, 0))
    secret = root.parent / "secret.txt"
    secret.write_text("secret")
    (root / "link.txt").symlink_to(secret)
    return root


@pytest.fixture(scope="module")
def connection(root: Path) -> Iterator[Any]:
    """One connection for all queries: none changes it, or a later one would be told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMA_HOME", str(root))
        with Project().views() as connection:
            yield connection


@pytest.mark.parametrize("what", REFUSED)
def test_a_query_reaches_nothing_but_the_lake(root: Path, connection: Any, what: str) -> None:
    """S24: no file of the machine, no network, nothing written, no setting changed."""
    before = sorted(root.rglob("*"))
    with pytest.raises(InputRejected, match="query:"):
        query(connection, REFUSED[what].format(root=root))
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    "text",
    [
        "EXPLAIN SELECT * FROM runs",
        "-- why\nexplain analyze\nFROM runs; -- so",
        "EXPLAIN (ANALYZE, FORMAT json) WITH a AS (FROM runs) SELECT * FROM a WHERE team_id = $team",
        "EXPLAIN(SELECT 1)",
        "SUMMARIZE runs",
        "SHOW TABLES",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r, range(2)",
        "SELECT * FROM read_parquet('{root}/cluster_assignments/**/*.parquet') UNION ALL FROM cluster_assignments",
    ],
)
def test_a_query_reads_as_it_likes(root: Path, connection: Any, text: str) -> None:
    bound = {"team": "acme"} if "$team" in text else None
    assert query(connection, text.replace("{root}", str(root)), bound).num_rows


def test_a_text_that_looks_like_sql_is_a_text(lake: Lake) -> None:
    """S15: bound values are literal, and the views' own settings are quoted."""
    plant(lake, DAYS[0], items("flight", 0, 3, 0))
    project = Project()
    hostile = "acme'; DROP VIEW runs; --"
    assert project.rows("SELECT * FROM runs WHERE team_id = $team", {"team": hostile}) == []
    assert len(project.rows("SELECT * FROM runs WHERE team_id = $team", {"team": "acme"})) == 1
