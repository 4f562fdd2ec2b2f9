"""Makes hostile text printable: valid UTF-8, no control characters, bounded, no hidden direction changes.

Every string of a trace passes through here exactly once, before it reaches a line of text.
"""

import re

# A block longer than this keeps its head and its tail (spec: 1,000 and 500).
BLOCK_CHARS = 1_000
BLOCK_EDGE_CHARS = 500

# Escape sequences of terminals: CSI (`ESC [` or the C1 byte 0x9b), OSC up to its end mark, two-byte escapes.
_ANSI = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    "|(?:\x1b\\]|\x9d)[^\x07\x1b\x9c]{0,2000}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[@-Z\\\\^_=><]"
)

# Removed: C0 and C1 without the line breaks, soft hyphen, Arabic letter mark, zero-width space, direction marks,
# overrides and isolates, invisible operators, byte-order mark, interlinear anchors, the invisible tag alphabet.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Zero-width joiners are part of emoji and of several scripts; anywhere else they only hide something.
_STRAY_JOINER = re.compile("(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f\u200c\u200d])")
_SURROGATE = re.compile("[\ud800-\udfff]")
# More than four combining marks on one letter is a drawing, not a script.
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARK_BOMB = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")
_NEEDS_CARE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u0300-\u036f\u0483-\u0489\u061c\u180e\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u20d0-\u20ff\ud800-\udfff\ufe20-\ufe2f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BLANK_RUN = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")

_DATA_URI = re.compile(r"data:([A-Za-z0-9.+-]{1,80}/[A-Za-z0-9.+-]{1,80})?(?:;[\w=.+-]{1,80}){0,5};base64,([\w+/=-]*)")
# The look-behind lets a match start only where a run starts, which keeps the scan linear.
_BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{400,}={0,2}")

_WORD = re.compile(r"[^\W_]")
_REDACTED = re.compile(
    r"\s*(?:[\[<({*]{1,3}\s*(?:[\w /.:-]{0,60}[\s_-])?(?:redacted|removed|masked|omitted|hidden|filtered)"
    r"(?:[\s_:-][\w /.:-]{0,60})?\s*[\]>)}*]{1,3}|redacted)\s*",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    r"""Printable text whose only line break is `\n`. Linear; twice is the same as once."""
    if not _NEEDS_CARE.search(text):
        return text
    text = _ANSI.sub("", text)
    text = _HIDDEN.sub("", text)
    text = _STRAY_JOINER.sub("", text)
    text = _MARK_BOMB.sub(r"\1", text)
    text = _SURROGATE.sub("\ufffd", text)
    return "\n".join(text.splitlines())


def one_line(text: str, max_chars: int = 200) -> str:
    """Printable text on one line, cut to `max_chars`, for names."""
    text = " ".join(clean(text[: max_chars * 8]).split())
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def block(text: str) -> str:
    """Printable text of at most `BLOCK_CHARS`; a longer one keeps its head and tail and says what is missing."""
    text = shorten_media(text.strip())
    if len(text) > BLOCK_CHARS:
        removed = len(text) - 2 * BLOCK_EDGE_CHARS
        head, tail = text[:BLOCK_EDGE_CHARS], text[-BLOCK_EDGE_CHARS:]
        text = f"{head}\n… ({removed} chars truncated) …\n{tail}"
    return _BLANK_RUN.sub("\n\n", clean(text)).strip()


def shorten_media(text: str) -> str:
    """Replaces data URIs and long base64 runs by `[type, size]`."""
    if "base64," in text:
        text = _DATA_URI.sub(lambda m: media_placeholder(m[1] or "data", len(m[2])), text)
    if len(text) >= 400:
        text = _BASE64_RUN.sub(_base64_run, text)
    return text


def _base64_run(match: re.Match[str]) -> str:
    run = match[0]
    sample = run[:400]
    if sample.islower() or sample.isupper() or not any(c.isdigit() for c in sample) or sample.isdigit():
        return run
    return media_placeholder("base64 data", len(run))


def media_placeholder(kind: str, base64_chars: int) -> str:
    """`[image/png, 12.3 KB]` for that many base64 characters; `[image/png]` where the size is unknown."""
    kind = one_line(kind, 60) or "media"
    if base64_chars <= 0:
        return f"[{kind}]"
    size = base64_chars * 3 / 4
    for unit in ("B", "KB", "MB"):
        if size < 1000 or unit == "MB":
            return f"[{kind}, {size:.0f} {unit}]" if unit == "B" else f"[{kind}, {size:.1f} {unit}]"
        size /= 1000
    return f"[{kind}]"


def is_readable(text: str) -> bool:
    """Whether a person finds anything in it: a letter or digit, and not merely a redaction placeholder."""
    if not _WORD.search(text):
        return False
    return not (len(text) <= 160 and _REDACTED.fullmatch(text))
