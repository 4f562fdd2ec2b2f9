"""What filters mean, asked of DuckDB: names and values are only ever compared."""

import json
from typing import Any

import duckdb
import pytest

from llma_assets.clustering_jobs.filter_sql import condition
from llma_assets.clustering_jobs.filters import Operator, PropertyFilter, parse_filter
from llma_assets.clustering_jobs.regex import MAX_TEXT_CHARS

PROPERTIES = {
    "$ai_model": "gpt-4o",
    "n": 200.0,
    "whole": 200,
    "text_number": "200",
    "version": "1.10",
    "zip": "007",
    "yes": True,
    "none": None,
    "empty": "",
    "list": [1, "q"],
    "table": {"k": 1},
    "a.b": "dot",
    "q\"uo'te": "quoted",
    "a/b~c": "slash",
    "sp ace": "Straße",
    "big": 9007199254740993,
    "*": "star",
    "0": "zero",
    "event": "a property of that name",
}


def matches(filters: list[PropertyFilter], properties: dict[str, Any] = PROPERTIES) -> bool:
    parameters: dict[str, object] = {
        "p": json.dumps(properties),
        "e": "$ai_generation",
        "d": "user-1",
    }
    expression = condition(filters, "job0", parameters)
    found = duckdb.execute(
        f"SELECT {expression} FROM (SELECT $p AS properties, $e AS event, $d AS distinct_id)", parameters
    ).fetchone()
    assert found is not None
    assert found[0] in (True, False), "never null"
    return bool(found[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("$ai_model exact gpt-4o", True),
        ("$ai_model exact GPT-4o", False),
        ("$ai_model is_not gpt-4o", False),
        ("missing is_not gpt-4o", True),
        ("missing exact gpt-4o", False),
        # A number is the number, however it is written; text is the text.
        ("n exact 200", True),
        ("whole exact 200.0", True),
        ("whole exact 2e2", True),
        ("text_number exact 200", True),
        ("text_number exact 200.0", False),
        ("version exact 1.1", False),
        ("zip exact 7", False),
        ("big exact 9007199254740993", True),
        ("big exact 9007199254740992", False),
        ("big is_not 9007199254740992", True),
        ("yes exact true", True),
        ("yes exact True", False),
        ("yes exact 1", False),
        ("list exact [1,\"q\"]", True),
        ("table contains \"\\\"k\\\"\"", True),
        # Numbers in text count for gt and lt; what is no number is neither.
        ("n gt 199.9", True),
        ("n gt 200", False),
        ("n lt 201", True),
        ("text_number gt 199", True),
        ("zip gt 1", False),
        ("$ai_model gt 0", False),
        ("$ai_model lt 1e300", False),
        ("yes gt 0", False),
        ("missing lt 5", False),
        ("empty lt 5", False),
        ("$ai_model contains GPT", True),
        ("$ai_model not_contains gpt", False),
        ("missing not_contains gpt", True),
        ("\"sp ace\" contains STRASSE", False),
        ("\"sp ace\" contains RAß", True),
        ("none is_set", False),
        ("none is_not_set", True),
        ("empty is_set", True),
        ("empty exact \"\"", True),
        ("missing is_not_set", True),
        ("$ai_model regex ^gpt-4", True),
        ("$ai_model regex ^4", False),
        ("$ai_model regex (?i)^GPT", True),
        ("missing regex .*", False),
        # Names are taken literally.
        ("a.b exact dot", True),
        ("table.k exact 1", False),
        ("q\"uo'te exact quoted", True),
        ("a/b~c exact slash", True),
        ("* exact star", True),
        ("0 exact zero", True),
        ("event exact $ai_generation", True),
        ("distinct_id exact user-1", True),
        ("event contains property", False),
    ],
)  # fmt: skip
def test_meaning(line: str, expected: bool) -> None:
    assert matches([parse_filter(line)]) is expected


def test_all_filters_must_hold_and_none_is_no_condition() -> None:
    first, second = parse_filter("$ai_model is_set"), parse_filter("n gt 500")
    assert matches([])
    assert matches([first, first])
    assert not matches([first, second])


@pytest.mark.parametrize("operator", [operator for operator in Operator if operator not in (Operator.GT, Operator.LT)])
@pytest.mark.parametrize(
    "text",
    ["' OR 1=1 --", "$p", "x'); DROP TABLE t; --", "/* */", "%", "\\", "$.\"n\"", "1; SELECT 2", "０", "\u202e", "?"],
)  # fmt: skip
def test_hostile_names_and_values_are_only_compared(operator: Operator, text: str) -> None:
    """S15: each is found where it stands literally, and nowhere else."""
    needs_value = operator not in (Operator.IS_SET, Operator.IS_NOT_SET)
    if operator == Operator.REGEX:
        value = "".join(f"[{c}]" if c.isascii() and c not in "\\^" else c for c in text).replace("\\", "\\\\")
    else:
        value = text
    one = PropertyFilter(text, operator, value if needs_value else None)
    negated = operator in (Operator.IS_NOT, Operator.NOT_CONTAINS, Operator.IS_NOT_SET)
    assert matches([one], {text: text}) is not negated
    assert matches([one], {"n": 1}) is negated
    harmless = PropertyFilter("n", operator, "v" if needs_value else None)
    assert condition([one], "job0", {}) == condition([harmless], "job0", {}), "SQL does not depend on names and values"


@pytest.mark.parametrize("pattern", ["(x+x+)+y", "(a|aa)+$", "(.*)*9", "(a?){90}9", "[ab]*a[ab]{190}9", r"(\pL?){28}9"])
def test_a_pattern_made_to_be_slow_reads_a_megabyte_in_linear_time(pattern: str) -> None:
    """S19: the text is cut, and a pattern that is too large was refused. A matcher that backtracks would not come back
    in the time that a test has."""
    one = PropertyFilter("t", Operator.REGEX, pattern)
    assert not matches([one], {"t": "ab" * 500_000})
    assert not matches([parse_filter("t regex z")], {"t": "a" * MAX_TEXT_CHARS + "z"}), "beyond the cut"
    assert matches([parse_filter("t regex z")], {"t": "a" * (MAX_TEXT_CHARS - 1) + "z"})
