"""Titles and sentences out of what people really write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.summarization.sentences import (
    MAX_TITLE_CHARS,
    MAX_TITLE_WORDS,
    excerpt,
    is_prose,
    plain_request,
    prose,
    sentences,
    title_of,
)


@pytest.mark.parametrize(
    ("sentence", "title"),
    [
        ("Hi, I'd like to cancel my reservation, please.", "Cancel my reservation"),
        ("Hello there! Could you please help me to change my flight?", "Change my flight"),
        ("What is the best way to learn Rust?", "Learn Rust"),
        ("I was wondering if you could tell me the total balance on my cards?", "The total balance on my cards"),
        # A clause ends: the title ends there.
        (
            "Cancel my flight from JFK to MCO, since I'm a silver member and expect a full refund.",
            "Cancel my flight from JFK to MCO",
        ),
        ("I need to cancel my flight and I'd like to get a full refund please.", "Cancel my flight"),
        # Background first, request after.
        (
            "I am a python programmer and I want to create a program that reads a list of records.",
            "Create a program that reads a list of records",
        ),
        (
            "Given a long list of numbers and a target, write a function to find a pair.",
            "Write a function to find a pair",
        ),
        # No clause fits: ten words at most, and no broken phrase at the end.
        (
            "Change my upcoming flight from Newark on May 21 in the late afternoon to Boston",
            "Change my upcoming flight from Newark on May 21",
        ),
        # What is in brackets goes first.
        (
            "Move my upcoming flight from Houston (IAH) to Seattle (SEA) leaving on the morning of May 23",
            "Move my upcoming flight from Houston to Seattle leaving",
        ),
        ("如何用Python写一个爬虫？", "如何用Python写一个爬虫"),
        ("", ""),
        ("...", ""),
    ],
)
def test_title(sentence: str, title: str) -> None:
    assert title_of(sentence) == title


@given(st.text(max_size=300))
def test_any_title_is_short_and_ends_clean(text: str) -> None:
    title = title_of(text)
    assert len(title.split()) <= MAX_TITLE_WORDS
    assert len(title) <= MAX_TITLE_CHARS + 3
    assert title == title.strip() and not title.endswith((",", ";", ":", "."))


def test_sentences_keep_abbreviations_and_numbers() -> None:
    assert sentences("Pay 3.50, e.g. by card. Done!\nNext line") == ["Pay 3.50, e.g. by card.", "Done!", "Next line"]
    assert sentences("head\n… (99 chars truncated) …\ntail") == ["head", "tail"]


def test_prose_drops_code_and_marks() -> None:
    assert prose("**Use** [this](http://x.test):\n```python\nimport os\n```\n# End").split() == ["Use", "this:", "End"]


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("Find my dog.\\n \n Use this API documentation for reference: [Document(...)]", "Find my dog."),
        ("Use the following context.\n" + "x " * 300 + "\nQuestion: Who wrote it?", "Who wrote it?"),
        ("Rank the articles. \\n###Input: <noinput>\\n", "Rank the articles."),
        ("Just this", "Just this"),
    ],
)
def test_plain_request(prompt: str, asked: str) -> None:
    assert plain_request(prompt) == asked


def test_excerpt_prefers_whole_sentences() -> None:
    assert excerpt(["One two.", "Three four."], 12) == "One two."
    assert excerpt(["One two three four five"], 14) == "One two three…"
    assert excerpt([], 10) == ""


@pytest.mark.parametrize(
    ("line", "expected"), [("It works well.", True), ("x = f(a[1], b) # 3;", False), ("import os", False)]
)
def test_is_prose(line: str, expected: bool) -> None:
    assert is_prose(line) is expected
