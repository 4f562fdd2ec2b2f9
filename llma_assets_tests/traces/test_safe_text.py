"""Hostile text becomes printable, bounded text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.traces.safe_text import BLOCK_CHARS, block, clean, is_readable, one_line, shorten_media


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),  # colours of a terminal
        ("\x1b]0;title\x07text", "text"),  # window title
        ("a\x00b\x07c", "abc"),
        ("a\u202eb\u2066c", "abc"),  # direction overrides and isolates
        ("a\u200bb\ufeffc", "abc"),  # invisible characters
        ("hi\U000e0041\U000e0042", "hi"),  # the tag alphabet: text that only a model sees
        ("one\u2028two\x85three\rfour\x0bfive", "one\ntwo\nthree\nfour\nfive"),
        ("x\ud800y", "x\ufffdy"),
        ("e" + "\u0301" * 40, "e" + "\u0301" * 4),
        ("👨‍👩‍👧 ok", "👨‍👩‍👧 ok"),  # joiners of an emoji stay
        ("a\u200db", "ab"),  # a joiner between plain letters only hides something
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_clean(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@given(st.text(st.characters(codec=None), max_size=200))
def test_clean_is_idempotent_and_encodable(text: str) -> None:
    once = clean(text)
    once.encode("utf-8")
    assert clean(once) == once
    assert len(once.splitlines()) == len(once.split("\n")) or once.endswith("\n") or once == ""


def test_block_keeps_head_and_tail() -> None:
    shown = block("a" * 500 + "b" * 4_321 + "c" * 500)
    assert shown == "a" * 500 + "\n… (4321 chars truncated) …\n" + "c" * 500
    assert block("x" * BLOCK_CHARS) == "x" * BLOCK_CHARS


@pytest.mark.parametrize("raw", ["x" * 50_000_000, "word " * 2_000_000, "\n" * 1_000_000 + "end", "/" * 3_000_000])
def test_block_of_a_huge_text_is_small(raw: str) -> None:
    assert 0 < len(block(raw)) < BLOCK_CHARS + 60


def test_data_uri_and_base64_become_placeholders() -> None:
    picture = "iVBORw0KGgo" * 100
    assert shorten_media(f"see data:image/png;base64,{picture} here") == "see [image/png, 825 B] here"
    assert shorten_media("Qm9va" * 400) == "[base64 data, 1.5 KB]"
    assert shorten_media("A" * 2_000) == "A" * 2_000  # one letter over and over is no base64


def test_one_line_cuts() -> None:
    assert one_line("a\nb\tc") == "a b c"
    assert one_line("x" * 300, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("hello", True),
        ("42", True),
        ("", False),
        ("… — !", False),
        ("[redacted]", False),
        ("[base64 image redacted]", False),
        ("<REDACTED>", False),
        ("redacted", False),
        ("[content removed by policy]", False),
        ("The image was removed from the page.", True),
    ],
)
def test_is_readable(text: str, readable: bool) -> None:
    assert is_readable(text) is readable
