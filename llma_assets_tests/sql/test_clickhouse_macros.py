"""ClickHouse's functions under their own names: what they give for what is there, missing, or of another type."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llma_assets.cli.project import Project
from llma_assets_tests.real_traces import demo_events

JSON = (
    r'{"$ai_model": "gpt", "a.b": 1.5, "q\"q": "yes", "l/m": {"k~": "deep"}, "null": null, "digits": "3.5", "i": 12, '
    r'"big": 9007199254740993, "t": true, "f": false, "st": "true", "nan": "nan", "arr": [{"x": 1}, {"x": "two"}], '
    r'"deep": {"b": {"c": 1.5, "t": true, "l": [7]}}}'
)
CASES: dict[str, Any] = {
    "JSONExtractString($j, '$ai_model')": "gpt",
    "JSONExtractString($j, 'q\"q')": "yes",
    "JSONExtractString($j, 'l/m', 'k~')": "deep",
    "JSONExtractString($j, 'missing')": "",
    "JSONExtractString($j, 'null')": "",
    "JSONExtractString($j, 'i')": "",
    "JSONExtractString('no JSON', 'a')": "",
    "JSONExtractString(NULL, 'a')": "",
    "JSONExtractFloat($j, 'a.b')": 1.5,
    "JSONExtractFloat($j, 'digits')": 3.5,
    "JSONExtractFloat($j, 'missing')": 0.0,
    "JSONExtractFloat($j, '$ai_model')": 0.0,
    "JSONExtractFloat($j, 'nan')": 0.0,
    "JSONExtractFloat('{\"a\": \"-inf\"}', 'a')": 0.0,
    "JSONExtractInt($j, 'i')": 12,
    "JSONExtractInt($j, 'big')": 9007199254740993,
    "JSONExtractInt($j, 'a.b')": 0,
    "JSONExtractInt($j, 't')": 1,
    "JSONExtractInt($j, 'missing')": 0,
    "JSONExtractBool($j, 't')": True,
    "JSONExtractBool($j, 'i')": True,
    "JSONExtractBool($j, 'f')": False,
    "JSONExtractBool($j, 'st')": False,
    "JSONExtractBool($j, 'missing')": False,
    "JSONExtractRaw($j, 'arr')": '[{"x":1},{"x":"two"}]',
    "JSONExtractRaw($j, 'arr', 2)": '{"x":"two"}',
    "JSONExtractRaw($j, 'null')": "null",
    "JSONExtractRaw($j, 'missing')": "",
    "JSONHas($j, 'null')": True,
    "JSONHas($j, 'a')": False,
    "JSONHas($j, 'l/m', 'k~')": True,
    "JSONLength($j, 'arr')": 2,
    "JSONLength($j, 'missing')": 0,
    "JSONExtractArrayRaw($j, 'arr')": ['{"x":1}', '{"x":"two"}'],
    "JSONExtractArrayRaw('[1, \"a\"]')": ["1", '"a"'],
    "JSONExtractArrayRaw($j, 'missing')": [],
    "JSONExtractKeys($j, 'l/m')": ["k~"],
    "JSONExtractKeys('no JSON')": [],
    'JSONExtractKeysAndValuesRaw(\'{"a": 1, "$b.c": "x"}\')': [
        {"key": "a", "value": "1"},
        {"key": "$b.c", "value": '"x"'},
    ],
    "JSONExtractFloat($j, 'deep', 'b', 'c')": 1.5,
    "JSONExtractString($j, 'deep', 'b', 'missing')": "",
    "JSONExtractInt($j, 'deep', 'b', 'c')": 0,
    "JSONExtractRaw($j, 'deep', 'b', 'l')": "[7]",
    "JSONExtractBool($j, 'deep', 'b', 't')": True,
    "JSONHas($j, 'deep', 'b', 'x')": False,
    "JSONLength($j, 'deep', 'b', 'l')": 1,
    "JSONLength('[1, 2]')": 2,
    "JSONExtractArrayRaw($j, 'deep', 'b', 'l')": ["7"],
    "JSONExtractKeys($j, 'deep', 'b')": ["c", "t", "l"],
    "toString(3)": "3",
    "toFloat('0.5')": 0.5,
    "toFloat('dear')": None,
    "toFloat64OrZero('dear')": 0.0,
    "toFloat64OrNull('dear')": None,
    "toInt('7')": 7,
    "toInt('12.7')": None,
    "toInt(12.7)": None,  # accurateCastOrNull
    "toInt('9007199254740993')": 9007199254740993,
    "toInt64(12.7)": 12,
    "toInt64(-12.7::DOUBLE)": -12,
    "toInt64('12')": 12,
    "toInt64(9007199254740993)": 9007199254740993,
    "toInt64OrZero('many')": 0,
    "toInt64OrZero('12.7')": 0,
    "toInt64OrNull('12.7')": None,
    "toDateTime(1767323045)": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "toDateTime('1767323045')": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "toDateTime(TIMESTAMP '2026-01-02 03:04:05.5')": datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC),
    "parseDateTimeBestEffort('1767323045')": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "parseDateTimeBestEffortOrNull(1767323045)": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "parseDateTimeBestEffort('2026-01-02T03:04:05.5Z')": datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC),
    "parseDateTimeBestEffortOrNull('yesterday')": None,
    "toDate('2026-01-02 10:00:00')": date(2026, 1, 2),
    "toStartOfDay(TIMESTAMP '2026-01-02 10:00:00')": datetime(2026, 1, 2),  # noqa: DTZ001
    "toStartOfWeek(DATE '2026-11-21')": datetime(2026, 11, 15),  # noqa: DTZ001
    "toStartOfWeek(DATE '2026-11-22')": datetime(2026, 11, 22),  # noqa: DTZ001
    "ifNull(NULL, 3)": 3,
    "empty('')": True,
    "empty([1])": False,
    "notEmpty('a')": True,
    "notEmpty([])": False,
    "has(['a', 'b'], 'b')": True,
    "has([], 'b')": False,
}
AGGREGATES = {
    "countIf(x > 1)": 2,
    "sumIf(x, x > 1)": 5,
    "sumIf(x, x > 5)": 0,
    "avgIf(x, x > 1)": 2.5,
    "avgIf(x, x > 5)": None,
    "minIf(x, x > 1)": 2,
    "maxIf(x, x < 3)": 2,
    "uniq(x)": 3,
    "uniqIf(x, x > 1)": 2,
    "groupArray(x)": [1, 2, 3],
}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as one:
        one.execute("SET TimeZone = 'UTC'")
        one.execute((files("llma_assets.sql") / "views" / "00_clickhouse.sql").read_text("utf-8"))
        yield one


@pytest.mark.parametrize("expression", CASES)
def test_a_function_gives_what_clickhouse_gives(connection: duckdb.DuckDBPyConnection, expression: str) -> None:
    parameters = {"j": JSON} if "$j" in expression else None
    ((found,),) = connection.execute(f"SELECT {expression}", parameters).fetchall()
    assert found == CASES[expression]
    assert type(found) is type(CASES[expression])


@pytest.mark.parametrize("expression", ["toInt64('12.7')", "toInt64('many')", "toDateTime('many')"])
def test_a_string_that_is_none_is_an_error_as_in_clickhouse(
    connection: duckdb.DuckDBPyConnection, expression: str
) -> None:
    with pytest.raises(duckdb.Error):
        connection.execute(f"SELECT {expression}").fetchall()


@pytest.mark.parametrize("expression", AGGREGATES)
def test_an_aggregate_gives_what_clickhouse_gives(connection: duckdb.DuckDBPyConnection, expression: str) -> None:
    ((found,),) = connection.execute(f"SELECT {expression} FROM (VALUES (1), (2), (3), (NULL)) AS t(x)").fetchall()
    assert found == AGGREGATES[expression]


POSTHOG = """
    SELECT
        JSONExtractString(properties, '$ai_model') AS model,
        uniq(JSONExtractString(properties, '$ai_trace_id')) AS traces,
        count() AS generations,
        sum(JSONExtractFloat(properties, '$ai_total_cost_usd')) AS cost,
        countIf(JSONExtractBool(properties, '$ai_is_error')) AS errors,
        sum(JSONExtractInt(properties, '$ai_input_tokens')) AS tokens
    FROM events
    WHERE event = '$ai_generation' AND timestamp >= parseDateTimeBestEffort('2026-03-01')
      AND notEmpty(JSONExtractString(properties, '$ai_model'))
    GROUP BY model ORDER BY cost DESC
"""


def test_a_published_query_runs_in_both_places(ingest: Callable[..., Any]) -> None:
    """Its figures are those of the typed columns."""
    ingest(demo_events("airline", 20))
    project = Project()
    rows = project.rows(POSTHOG)
    typed = project.rows(
        """
        SELECT model, count(DISTINCT trace_id) AS traces, count(*) AS generations, sum(cost_usd) AS cost,
               count(*) FILTER (is_error) AS errors, CAST(sum(input_tokens) AS BIGINT) AS tokens
        FROM trace_events WHERE event = '$ai_generation' GROUP BY model ORDER BY cost DESC
        """
    )
    assert [row["model"] for row in rows] == [row["model"] for row in typed]
    for ours, theirs in zip(rows, typed, strict=True):
        assert ours == {**theirs, "cost": pytest.approx(theirs["cost"])}
    project.refresh_views_file()
    with duckdb.connect(str(Path(os.environ["LLMA_HOME"], "llma.duckdb")), read_only=True) as plain:
        assert [row[0] for row in plain.execute(POSTHOG).fetchall()] == [row["model"] for row in rows]


def test_clusters_are_unfolded_from_their_events(connection: duckdb.DuckDBPyConnection) -> None:
    """`arrayJoin` in a query of its own, as DuckDB wants it."""
    text = """
        SELECT JSONExtractInt(cluster, 'cluster_id') AS id, JSONExtractString(cluster, 'title') AS title
        FROM (SELECT arrayJoin(JSONExtractArrayRaw($j, '$ai_clusters')) AS cluster)
    """
    event = '{"$ai_clusters": [{"cluster_id": 4, "title": "Seats"}, {"cluster_id": -1, "title": "Outliers"}]}'
    assert connection.execute(text, {"j": event}).fetchall() == [(4, "Seats"), (-1, "Outliers")]
