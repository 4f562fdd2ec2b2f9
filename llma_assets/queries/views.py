"""The lake as SQL views: `llma.duckdb` for any DuckDB client, or a locked-down connection for a query.

The file holds views only and can be deleted at any time; it is written beside and renamed, so a
shell that has it open blocks nobody. Views read the Parquet files that are there when a query runs.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa

from llma_assets.errors import InputRejected
from llma_assets.lake import Lake
from llma_assets.lake.connection import connect
from llma_assets.queries.statement import reading_statement
from llma_assets.queries.suppressed_columns import suppressed_columns
from llma_assets.settings import Settings
from llma_assets.tables import TABLES

VIEWS_FILE = "llma.duckdb"
_SCHEMA_FILE = "schema.parquet"


@contextlib.contextmanager
def open_views(lake: Lake, settings: Settings) -> Iterator[Any]:
    """A connection that sees the views and the lake's files, and nothing else of this machine.

    DuckDB can only bound paths of its own file system: on a remote lake, files of this machine stay
    readable to whoever may run `llma sql` there.
    """
    with connect(lake, settings) as connection:
        _create_views(connection, lake, settings)
        if lake.is_local:
            # DuckDB compares the pattern of a view as well as the files that it names.
            roots = {"root": f"{lake.root}/", "pattern": f"{_glob_escaped(lake.root)}/"}
            connection.execute("SET allowed_directories = [$root, $pattern]", roots)
            connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def query(connection: Any, text: str, parameters: dict[str, Any] | None = None) -> pa.Table:
    """The rows of one reading statement.

    Raises:
        InputRejected: the text is not one statement that only reads, or DuckDB refuses it.
    """
    import duckdb

    try:
        return connection.sql(reading_statement(connection, text), params=parameters or {}).to_arrow_table()
    except duckdb.Error as error:
        raise InputRejected(f"query: {error}") from error


def write_views_file(lake: Lake, settings: Settings) -> Path | None:
    """(Re)build `LLMA_HOME/llma.duckdb` if its views are not the present ones; None for a remote lake."""
    import duckdb

    if not lake.is_local:
        return None
    target, version = Path(lake.root, VIEWS_FILE), Path(lake.root, ".views-version")
    # A view holds the columns that its tables had when it was made.
    text = "\n".join(
        [*_statements(lake, settings), *(f"-- {table}: {TABLES[table].names}" for table in sorted(TABLES))]
    )
    if target.exists() and version.exists() and version.read_text() == text and _opens(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    for left in (beside, _log_of(beside)):
        left.unlink(missing_ok=True)
    with duckdb.connect(str(beside)) as connection:
        _create_views(connection, lake, settings)
    # What a killed shell left belongs to the file before. Removed first: without it that file opens, with it the new
    # one does not.
    _log_of(target).unlink(missing_ok=True)
    beside.replace(target)
    version.write_text(text)
    return target


def _opens(target: Path) -> bool:
    """Whether nothing keeps a client from `target`: neither a log of another file nor a shell that may write."""
    import duckdb

    if not _log_of(target).exists():
        return True
    try:
        duckdb.connect(str(target), read_only=True).close()
    except duckdb.Error:
        return False
    return True


def _log_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.wal")


def _create_views(connection: Any, lake: Lake, settings: Settings) -> None:
    for table, schema in ((declared.name, declared.schema) for declared in TABLES.values()):
        # A file without rows, so that the view of a table that was never written is empty, not an error.
        lake.write_schema(f"{lake.root}/{table}/{_SCHEMA_FILE}", schema)
    for statement in _statements(lake, settings):
        connection.execute(statement)


def _statements(lake: Lake, settings: Settings) -> Sequence[str]:
    """DDL takes no bound values; the only ones here are the lake's own path and checked settings."""
    root = lake.scheme + _glob_escaped(lake.root)
    min_users = settings.min_users_per_cluster
    tables = [_table_view(table, root, min_users) for table in sorted(TABLES, key=_ingests_first)]
    minimums = ", ".join(f"({_literal(t)}, {n:d})" for t, n in sorted(settings.min_items_by_team.items()))
    constants = [
        "CREATE VIEW lake_settings AS "
        f"SELECT {settings.window_days:d} AS window_days, {settings.min_items:d} AS min_items",
        "CREATE VIEW lake_team_minimum AS SELECT * FROM "
        f"(VALUES (CAST(NULL AS VARCHAR), 0){', ' + minimums if minimums else ''}) AS t(team_id, min_items)",
    ]
    folder = files("llma_assets.sql") / "views"
    views = [path.read_text(encoding="utf-8") for path in sorted(folder.iterdir(), key=lambda p: p.name)]
    return [*tables, *constants, *views]


# A table whose name is that of a view over it.
_VIEW_OF_TABLE = {"cluster_metrics": "cluster_metrics_rows"}


def _table_view(table: str, root: str, min_users: int) -> str:
    """The view of one table: all its files, with the declared columns, none of which need be in an old file.

    As the columns are told, no file is opened to find them out. As team and day are those of a file's path, a query
    for some of them opens the files of no other: DuckDB knows what a condition on a path means. Both took longer than
    most queries (benchmarks/results/views.md). DuckDB refuses `hive_partitioning` beside `schema`; and at a LIMIT it
    fails where the path is its virtual column, not one that was asked for.
    """
    name, pattern = _VIEW_OF_TABLE.get(table, table), _literal(f"{root}/{table}/**/*.parquet")
    columns = ", ".join(
        f"'{field.name}': {{'name': '{field.name}', 'type': {_literal(_sql_type(field.type))}, 'default_value': NULL}}"
        for field in TABLES[table].schema
    )
    of_path = ["regexp_extract(filename, '.*/team=([^/]+)/', 1) AS team_id"]
    if "date" in TABLES[table].names:
        of_path.append("TRY_CAST(regexp_extract(filename, '/date=([^/]+)/[^/]+$', 1) AS DATE) AS date")
    # Here, so that no view over it and no query shows what the minimum of users keeps back.
    shown = [f"{expression} AS {column}" for column, expression in suppressed_columns(table, min_users).items()]
    selected = f"SELECT * EXCLUDE (filename) REPLACE ({', '.join(of_path + shown)})"
    view = f"CREATE VIEW {name} AS {selected} FROM read_parquet({pattern}, schema = MAP {{{columns}}}, filename = true"
    if table != "trace_events":
        return f"{view})"
    # The ledger row is written last: what a killed ingest left is not shown.
    return f"{view}, file_row_number = true) JOIN (SELECT team_id, ingest_id FROM ingests) USING (team_id, ingest_id)"


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{field.name} {_sql_type(field.type)}' for field in kind)})"
    return _SQL_TYPES[kind]


_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


def _ingests_first(table: str) -> tuple[bool, str]:
    return (table != "ingests", table)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _glob_escaped(path: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)
