"""Which patterns a filter may hold: RE2's, and none that is slow on any text. Pure.

RE2 is linear in the text, but the factor is the size of the pattern once `{n}` is written out: 2,800 optional letters
took 196 s on a megabyte. So that size is bounded here, and the text that is searched where the pattern is used.
"""

import re

from llma_assets.errors import InputRejected

# A pattern of this size takes at most about a second on MAX_TEXT_CHARS characters made to be slow.
MAX_SIZE = 200
MAX_TEXT_CHARS = 100_000
# Classes such as \pL are written out as many ranges; measured beside one letter.
_UNICODE_CLASS = 5
# \pL, \p{Greek}, \x{20AC}, and any other character that is escaped.
_ESCAPE = re.compile(r"\\(?:([pP])(?:\{[^}]*\}|.?)|x\{[^}]*\}|.?)", re.DOTALL)
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")


def check_regex(pattern: str) -> None:
    """Refuse a pattern that RE2 does not read, or that is too large.

    Raises:
        InputRejected: with the pattern, and what is allowed.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if "\\Q" in pattern:
        raise InputRejected(f"value: {pattern!r} quotes by \\Q; put a backslash before each special character")
    size = expanded_size(pattern)
    if size > MAX_SIZE:
        raise InputRejected(f"value: {pattern!r} has {size} parts once its {{n}} are written out, at most {MAX_SIZE}")
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise InputRejected(f"value: {pattern!r} is no RE2 pattern: {str(error).partition(': ')[2]}") from None


def expanded_size(pattern: str) -> int:
    """Characters and classes of `pattern`, those under a `{n,m}` counted m times."""
    # One sum a group that is open, and the size of what a repetition would repeat.
    sums, last = [0], 0
    place = 0
    while place < len(pattern):
        size, end, repeat = 1, place + 1, _REPEAT.match(pattern, place)
        if repeat:
            most = max(int(repeat[1]), int(repeat[3] or 0)) + (repeat[2] == ",")
            size, end = last * (most - 1), repeat.end()
        elif escape := _ESCAPE.match(pattern, place):
            size, end = _UNICODE_CLASS if escape[1] else 1, escape.end()
        elif pattern[place] == "[":
            end = _class_end(pattern, place)
            size += (_UNICODE_CLASS - 1) * len(re.findall(r"\\[pP]", pattern[place:end]))
        elif pattern[place] == "(":
            sums.append(0)
            last, place = 0, end
            continue
        elif pattern[place] == ")" and len(sums) > 1:
            size = sums.pop()
        sums[-1] += size
        last = size if not repeat else last + size
        place = end
    return sum(sums)


def _class_end(pattern: str, start: int) -> int:
    """The place after the class that begins at `start`; a `]` that comes first in it is one of its characters."""
    place = start + 1
    if pattern[place : place + 1] == "^":
        place += 1
    if pattern[place : place + 1] == "]":
        place += 1
    while place < len(pattern) and pattern[place] != "]":
        if pattern.startswith("[:", place) and ":]" in pattern[place:]:
            place = pattern.index(":]", place) + 2
        else:
            place += 2 if pattern[place] == "\\" else 1
    return place + 1
