"""What filters mean, as SQL over one event. Pure: fixed fragments, every name and value bound."""

from collections.abc import Sequence
from typing import assert_never

from llma_assets.clustering_jobs.filters import NUMBER, Operator, PropertyFilter
from llma_assets.clustering_jobs.regex import MAX_TEXT_CHARS

# Of the event itself, in place of a property of that name.
COLUMNS = ("event", "distinct_id")
_NUMBER_TYPES = "('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"
# Above it neighbouring whole numbers are the same double.
_EXACT_BELOW = 2.0**53


def condition(filters: Sequence[PropertyFilter], prefix: str, parameters: dict[str, object]) -> str:
    """An expression over the columns `event`, `distinct_id` and `properties` (JSON): whether an event satisfies all
    `filters`; never null.

    Args:
        prefix: of the names of the parameters, letters and digits.
        parameters: gets a value for each name in the expression.
    """
    terms = [_term(property_filter, f"{prefix}_{number}", parameters) for number, property_filter in enumerate(filters)]
    return " AND ".join(terms) or "true"


def _term(property_filter: PropertyFilter, key: str, parameters: dict[str, object]) -> str:
    operator = property_filter.operator
    if property_filter.name in COLUMNS:
        text, kind = property_filter.name, "'VARCHAR'"
    else:
        # A JSON pointer takes every name literally, dots, quotes and dollars too.
        parameters[f"{key}_path"] = "/" + property_filter.name.replace("~", "~0").replace("/", "~1")
        text, kind = f"json_extract_string(properties, ${key}_path)", f"json_type(properties, ${key}_path)"
    if operator == Operator.IS_SET:
        return f"({text} IS NOT NULL)"
    if operator == Operator.IS_NOT_SET:
        return f"({text} IS NULL)"
    if operator in (Operator.GT, Operator.LT):
        parameters[f"{key}_number"] = property_filter.number
        sign = ">" if operator == Operator.GT else "<"
        number = f"CASE WHEN regexp_full_match({text}, '{NUMBER}') THEN TRY_CAST({text} AS DOUBLE) END"
        return f"coalesce({number} {sign} ${key}_number, false)"
    parameters[f"{key}_value"] = property_filter.value
    value = f"${key}_value"
    if operator == Operator.REGEX:
        return f"coalesce(regexp_matches(left({text}, {MAX_TEXT_CHARS}), {value}), false)"
    if operator in (Operator.CONTAINS, Operator.NOT_CONTAINS):
        holds = f"coalesce(contains(lower({text}), lower({value})), false)"
        return holds if operator == Operator.CONTAINS else f"NOT {holds}"
    if operator not in (Operator.EXACT, Operator.IS_NOT):
        assert_never(operator)
    same = f"{text} = {value}"
    if property_filter.number is not None and abs(property_filter.number) < _EXACT_BELOW:
        parameters[f"{key}_number"] = property_filter.number
        same += f" OR ({kind} IN {_NUMBER_TYPES} AND TRY_CAST({text} AS DOUBLE) = ${key}_number)"
    return f"{'' if operator == Operator.EXACT else 'NOT '}coalesce({same}, false)"
