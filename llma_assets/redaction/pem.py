"""Private keys in PEM form: between their marks, after a lone BEGIN, before a lone END, over numbered lines.

A key in a trace has seldom the form it has in a file. Its line breaks may be literal escapes inside a JSON string,
each of its lines may carry a line number and the bars of a tree, and its middle, its beginning or its end may be
cut out. Every line of the body is replaced on its own, so that the lines stay and keep their numbers.
"""

import re

PLACEHOLDER = "[private key]"

# A key of 16,384 bits has some 200 lines; farther apart than this, two marks are not of one key.
_MAX_LINES = 400
_MAX_CHARS = 20_000
# Fewer base64 characters than this may be a word. The last line of a key may be shorter.
_MIN_RUN = 16

_MARK = re.compile(r"-{3,5} ?(BEGIN|END) [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)? ?-{3,5}")
# A backslash is part of a run: `\n` stands between the lines of a key in a JSON string.
_RUN_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\"
_RUN = re.compile(r"(?:[ \t\"'+,]{0,4}[A-Za-z0-9+/=\\]{16,}+)*+")
# What stands before the text of a line: its number, the bars of the tree, a quotation mark.
_PREFIX = re.compile(r"(?:L[0-9]{1,9}: )?[ \t│├└─>|+\"'-]*+")
_SUFFIX_CHARS = " \t\r\"',;+)]}"
_HEADER = re.compile(r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID): ")
_CUT = re.compile(r"(?:\[\.\.\.]|\.\.\.|…)(?: ?\([0-9]+ chars truncated\) ?…)?")
# A line of 64 (PEM) or 70 (OpenSSH) base64 characters and nothing else: the marks may be among the lines left out.
_LONE_LINE = re.compile(r"\n((?:L[0-9]{1,9}: )?[ \t│├└─]*+)([A-Za-z0-9+/]{70}|[A-Za-z0-9+/]{64})(?=\r?\n|\r?\Z)")


def redact_private_keys(text: str) -> str:
    """`text` without the bodies of private keys; it keeps its line breaks and the prefixes of its lines."""
    if "PRIVATE KEY" in text and _MARK.search(text):
        text = _by_marks(text)
    return _LONE_LINE.sub(_lone_line, "\n" + text)[1:]


def _lone_line(match: re.Match[str]) -> str:
    run = match[2]
    mixed = run != run.lower() and run != run.upper() and any(char.isdigit() for char in run)
    return f"\n{match[1]}{PLACEHOLDER}" if mixed else match[0]


def _by_marks(text: str) -> str:
    lines = text.split("\n")
    marks = {
        number: [(mark[1] == "BEGIN", mark.start(), mark.end()) for mark in _MARK.finditer(line)]
        for number, line in enumerate(lines)
        if "PRIVATE KEY" in line and _MARK.search(line)
    }
    order = sorted(marks)
    floor = 0
    for number, following in zip(order, [*order[1:], len(lines)], strict=True):
        first_begins, last_begins = marks[number][0][0], marks[number][-1][0]
        if not first_begins:
            _clear_before(lines, max(floor, number - _MAX_LINES), number)
        if last_begins:
            stop = min(following, number + 1 + _MAX_LINES)
            _clear_after(lines, number + 1, stop, is_closed=stop == following in marks and not marks[following][0][0])
        lines[number] = _marked_line(lines[number], marks[number])
        floor = number + 1
    return "\n".join(lines)


def _marked_line(line: str, marks: list[tuple[bool, int, int]]) -> str:
    """A line with marks in it: each mark goes, with the body between two of them or beside one."""
    parts: list[str] = []
    done, prefix_end = 0, _content(line)[0]
    for index, (begins, start, end) in enumerate(marks):
        if start < done:
            continue
        if not begins:
            start = _run_start(line, max(done, min(prefix_end, start), start - _MAX_CHARS), start)
        elif index + 1 < len(marks) and not marks[index + 1][0]:
            end = marks[index + 1][2]
        else:
            end = _run_end(line, end)
        parts += [line[done:start], PLACEHOLDER]
        done = end
    return "".join(parts) + line[done:]


def _run_start(line: str, floor: int, start: int) -> int:
    """Where the base64 before an END begins, not before `floor`. Its lines may be joined by spaces."""
    region = line[floor:start]
    while True:
        left = region.rstrip(" \t").rstrip(_RUN_CHARS)
        run = len(region.rstrip(" \t")) - len(left)
        if run < _MIN_RUN and (left or not run):
            return floor + len(region)
        region = left


def _run_end(line: str, start: int) -> int:
    """Where the base64 from `start` on ends; the escape of a closing quotation mark stays."""
    run = _RUN.match(line, start)
    end = run.end() if run else start
    if line[end : end + 1] in ('"', "'"):
        while end > start and line[end - 1] == "\\":
            end -= 1
    return end


def _content(line: str) -> tuple[int, int]:
    """Start and end of what a line says, without its prefix and closing punctuation."""
    prefix = _PREFIX.match(line)
    start = prefix.end() if prefix else 0
    return start, max(start, len(line.rstrip(_SUFFIX_CHARS)))


def _clear_after(lines: list[str], first: int, stop: int, is_closed: bool) -> None:
    """Replaces the body after a BEGIN: up to its END, else as far as it looks like one."""
    seen_body = False
    for number in range(first, stop):
        line = lines[number]
        start, end = _content(line)
        content = line[start:end]
        if not content or _CUT.fullmatch(content):
            continue
        is_run = not content.strip(_RUN_CHARS)
        if is_run and (is_closed or seen_body or len(content) >= _MIN_RUN):
            is_last = not is_closed and len(content) < _MIN_RUN
            seen_body = True
        elif not seen_body and _HEADER.match(content):
            is_last = False
        elif is_closed:
            continue
        else:
            # The last line may have text behind it: `MIIE...", "next": 1`.
            end = _run_end(line, start)
            is_last = True
        if end > start:
            lines[number] = line[:start] + PLACEHOLDER + line[end:]
        if is_last:
            return


def _clear_before(lines: list[str], floor: int, number: int) -> None:
    """Replaces the body before an END whose BEGIN is not there, as far as it looks like one."""
    is_last = True
    for at in range(number - 1, floor - 1, -1):
        line = lines[at]
        start, end = _content(line)
        content = line[start:end]
        if not content or _CUT.fullmatch(content):
            continue
        is_run = not content.strip(_RUN_CHARS) and (is_last or len(content) >= _MIN_RUN)
        # The first line may have text before it: `"key": "MIIE...`.
        begin = start if is_run else _run_start(line, start, end)
        if begin < end:
            lines[at] = line[:begin] + PLACEHOLDER + line[end:]
        if not is_run:
            return
        is_last = False
