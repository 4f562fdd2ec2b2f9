"""Whether a statement only reads: its syntax tree is looked at, as its kind does not say so.

To DuckDB `WITH x AS (COPY … TO …) FROM x` is a SELECT, some table functions write files or run what they are given as
text, and EXPLAIN ANALYZE runs what it explains.
"""

import re
from typing import Any

import orjson

from llma_assets.errors import InputRejected

ONE_READER = "query: one SELECT (or WITH, FROM, DESCRIBE, EXPLAIN of these) is allowed, nothing that writes"
_QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"}
# Others run a text, log to a file, or may do so in the next version.
_TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "repeat", "glob", "json_each", "json_tree", "sniff_csv"}
_TABLE_FUNCTION_PREFIXES = ("read_", "parquet_", "duckdb_")
_OPTION = r"(?:ANALYZE|FORMAT\s+\w+)"
_EXPLAIN = re.compile(
    rf"\s*EXPLAIN\b\s*(?P<how>ANALYZE\b|\(\s*{_OPTION}\s*(?:,\s*{_OPTION}\s*)*\)|)(?P<explained>.*)", re.I | re.S
)


def reading_statement(connection: Any, text: str) -> str:
    """The one statement of `text`, as it may be run.

    Raises:
        InputRejected: it is not one, or not one that only reads.
        duckdb.Error: it is no SQL.
    """
    import duckdb

    statements = connection.extract_statements(text)
    if len(statements) == 1 and statements[0].type == duckdb.StatementType.EXPLAIN:
        found = _EXPLAIN.fullmatch(statements[0].query)
        # Written anew around what was looked at, so that both readings of the text cannot differ.
        if found and (explained := connection.extract_statements(found["explained"])):
            _check_reads(connection, explained)
            return f"EXPLAIN {found['how']} {explained[0].query}"
    _check_reads(connection, statements)
    return text


def _check_reads(connection: Any, statements: list[Any]) -> None:
    import duckdb

    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InputRejected(ONE_READER)
    tree = connection.execute("SELECT json_serialize_sql($text)", {"text": statements[0].query}).fetchall()[0][0]
    # Anything that cannot be looked at is refused, too.
    parts = [orjson.loads(tree)]
    if parts[0]["error"]:
        raise InputRejected(ONE_READER)
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            _check_part(part)
            parts += part.values()
        elif isinstance(part, list):
            parts += part


def _check_part(part: dict[str, Any]) -> None:
    # Every query has this map, whatever else it is.
    if "cte_map" in part and part["type"] not in _QUERY_NODES:
        raise InputRejected(ONE_READER)
    if part.get("type") == "TABLE_FUNCTION":
        name = part["function"]["function_name"]
        if name not in _TABLE_FUNCTIONS and not name.startswith(_TABLE_FUNCTION_PREFIXES):
            raise InputRejected(f"query: {name!r} is not a table function that only reads")
