"""Filters are one line of text each, and that line says all of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.clustering_jobs.filters import Operator, PropertyFilter, parse_filter
from llma_assets.clustering_jobs.regex import MAX_SIZE, check_regex, expanded_size
from llma_assets.errors import InputRejected

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)

NUMBERS = st.integers().map(str) | st.floats(allow_nan=False, allow_infinity=False).map(json.dumps)


def filters() -> st.SearchStrategy[PropertyFilter]:
    """Every kind of filter, over any names and values."""
    some = [
        st.builds(PropertyFilter, TEXT, st.sampled_from(["is_set", "is_not_set"]).map(Operator)),
        st.builds(PropertyFilter, TEXT, st.sampled_from(["exact", "is_not"]).map(Operator), st.just("") | TEXT),
        st.builds(PropertyFilter, TEXT, st.sampled_from(["contains", "not_contains"]).map(Operator), TEXT),
        st.builds(
            PropertyFilter, TEXT, st.sampled_from(["gt", "lt"]).map(Operator), NUMBERS
        ),
        st.builds(PropertyFilter, TEXT, st.just(Operator.REGEX), st.sampled_from(["^a|b$", ' "', r"\d{3}\s"])),
    ]  # fmt: skip
    return st.one_of(some)


@given(filters())
def test_the_line_of_a_filter_is_read_as_that_filter(one: PropertyFilter) -> None:
    line = str(one)
    assert parse_filter(line) == one
    assert parse_filter(f"  {line}\t") == one
    assert line.isprintable(), "a line stays one line in a file and in a terminal"


@pytest.mark.parametrize(
    ("line", "name", "operator", "value"),
    [
        ("$ai_model exact gpt-4o", "$ai_model", "exact", "gpt-4o"),
        ("plan  contains   free trial ", "plan", "contains", "free trial"),
        ("$ai_latency gt 2.5", "$ai_latency", "gt", "2.5"),
        ("user.id is_set", "user.id", "is_set", None),
        ('"my key" exact ""', "my key", "exact", ""),
        ('note contains say "hi"', "note", "contains", 'say "hi"'),
        ("x; DROP exact ' OR 1=1 --", None, None, None),
    ],
)
def test_examples(line: str, name: str | None, operator: str | None, value: str | None) -> None:
    if name is None:
        with pytest.raises(InputRejected, match="operator 'DROP'"):
            parse_filter(line)
        return
    assert parse_filter(line) == PropertyFilter(name, Operator(str(operator)), value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "no operator; it must be one of"),
        ("$ai_model", "no operator"),
        ("$ai_model is gpt", "must be one of exact, is_not"),
        ("$ai_model exact", "needs one"),
        ("$ai_model is_set x", "takes none"),
        ("$ai_latency gt fast", "'fast' after gt is not a finite number"),
        ("$ai_latency gt nan", "finite number"),
        ("$ai_latency lt 1e999", "finite number"),
        ("$ai_latency lt 007", "finite number"),
        ("$ai_latency lt ١٢", "finite number"),
        ('a contains ""', "1 to 500 characters"),
        ("a exact " + "x" * 501, "0 to 500 characters"),
        ("k" * 201 + " is_set", "1 to 200 characters"),
        ('"a is_set', "not a quoted text"),
        ('a exact "b" c', "after the closing quote"),
        ('a exact "b\\u0000"', "NUL"),
        ('a exact "\\ud800"', "half a character"),
        ("a regex (", "no RE2 pattern: missing"),
        ("a regex (?=x)", "no RE2 pattern"),
        ("a regex x{500}", "500 parts"),
        ("a regex \\Q(\\E", "quotes by"),
    ],
)
def test_a_wrong_filter_is_refused_with_what_is_allowed(line: str, words: str) -> None:
    with pytest.raises(InputRejected) as error:
        parse_filter(line)
    assert words in str(error.value)


@pytest.mark.parametrize("value", [True, 5, None, {"a": 1}, ["x"]])
def test_a_filter_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(InputRejected, match="is not text"):
        parse_filter(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("", 0), ("abc", 3), ("a{3}b", 4), ("(ab){10}", 20), ("((a{3}){4}){5}", 60), ("[a-z]{7}", 7), ("[]a]{2}", 2),
        ("[[:alpha:]x]{3}", 3), ("[^]]{2}", 2), (r"\{5}", 3), (r"\pL{10}", 50), (r"[\pLx]{2}", 10), ("a{2,}", 3),
        ("a{,5}", 5), ("(a", 1), ("a)", 2), (r"[\]]{4}", 4), ("[", 1),
        (r"\p{Greek}{3}", 15), (r"\x{1000}{3}", 3), ("\\", 1),
    ],
)  # fmt: skip
def test_repetitions_are_counted_as_written_out(pattern: str, size: int) -> None:
    assert expanded_size(pattern) == size


@given(st.text("a(){}[]\\pL0123,|*?^:", max_size=40))
def test_any_pattern_is_measured_without_fail(pattern: str) -> None:
    assert isinstance(expanded_size(pattern), int)


def test_a_pattern_for_an_identifier_is_allowed() -> None:
    check_regex("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
    check_regex("a" * MAX_SIZE)
