"""Words and their stems, to see whether a name says what its evidence says."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

# Scripts that write words without spaces between them.
SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_WORD = re.compile(r"[^\W_]+")
# Words of one stem agree in this many letters, by and large.
_STEM_CHARS = 5
# fmt: off
_EMPTY_WORDS = frozenset((
    "about", "and", "are", "for", "from", "has", "have", "how", "its", "not", "other", "that", "the", "their", "these",
    "this", "use", "used", "user", "users", "using", "was", "were", "with", "without",
))
# fmt: on

# What a text says to whoever summarizes or names it, and hardly ever to anybody else: to set aside what it was told,
# or how to title.
_SET_ASIDE = (
    *("ignor", "disregard", "forget", "override", "vergiss", "missacht", "olvida", "oublie", "dimentica", "negeer"),
    *("esqueça", "игнорируй", "забудь", "yok say", "unut", "무시", "تجاهل", "अनदेखा", "忽略", "无视", "無視", "忘れ"),
)
# Verbs that come after what they are about.
_LAST = frozenset(("yok say", "unut", "무시", "अनदेखा", "無視", "忘れ"))
_TOLD = (
    r"instructions?\b|prompts?\b|(?:previous|prior|earlier|above|your|all|these) (?:the )?rules?\b|anweisung|regeln\b|"
    r"instrucci[oó]n|instruç|consignes?\b|istruzion|instructies|instrukcj|polece|инструкци|указани|правил|talimat|komut|"
    r"지시|명령|(?:ال)?تعليمات|(?:ال)?أوامر|निर्देश|指令|指示|说明|提示|命令"
)
_TOLD_AFTER = re.compile(rf"^(?!\w*ed\b)\w*\b.{{0,60}}?\b(?:{_TOLD})|^(?:忽略|无视).{{0,20}}(?:{_TOLD})")
_TOLD_BEFORE = re.compile(rf"(?:{_TOLD})\w*.{{0,30}}$")
_TITLING = (
    *(f"{verb} {what}" for verb in ("title", "entitle", "name", "label", "rename") for what in ("this", "the", "your")),
    *("the title", "your title", "its title", "with title", "der titel", "le titre", "el título", "il titolo"),
)
_TITLED = re.compile(
    r"\b(?:title|entitle|name|label|rename) (?:this|the|these|your) (?:\w+ )?"
    r"(?:trace|record|run|summary|group|cluster)\b"
    r"|\b(?:title|entitle) (?:this|the|your) (?:\w+ )?(?:chat|conversation)\b"
    r"|\b(?:set|use|make|change) (?:the|your|its) title (?:to|as|be|into)\b"
    r"|\b(?:answer|respond|reply|output) (?:only )?with (?:the )?title\b"
    r"|\b(?:the title (?:must|should|has to|is to) be|der titel (?:muss|soll)\w*|le titre doit|el título debe|"
    r"il titolo deve)\b"
)
_CONTEXT_CHARS = 90
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{24,4000}={0,2}(?![A-Za-z0-9+/=])")
_MAX_DECODED = 100
# An order may be split over so many lines, and what it dictates may follow in so many more.
_SPLIT_LINES = 3
_FOLLOWING_LINES = 2
# The first line of a message, as the renderer writes it.
_MESSAGE = re.compile(r"\s*\[\d+\] \w+:")
_NUMBER = re.compile(r"^L\d+: ", re.MULTILINE)


def is_addressed_to_reader(text: str) -> bool:
    """Whether the text tries to tell its reader what to write."""
    flat = " ".join(text.casefold().split())
    return any(_sets_aside(flat, verb) for verb in _SET_ASIDE) or any(
        _TITLED.search(flat[max(0, at - _CONTEXT_CHARS) : at + _CONTEXT_CHARS])
        for hint in _TITLING
        for at in _places(flat, hint)
    )


def dictated_stems(text: str) -> set[str]:
    """Stems that stand only where the text tells its reader what to write: in clear, in the next lines or in base64.

    Args:
        text: with or without numbers in front of its lines.
    """
    lines = _NUMBER.sub("", text).split("\n")
    hidden = [said for said in _decoded(text) if is_addressed_to_reader(said)]
    if not hidden and not is_addressed_to_reader("\n".join(lines)):
        return set()
    dictated = _dictated_lines(lines)
    used = stems_of(words_of("\n".join(line for at, line in enumerate(lines) if at not in dictated)))
    return stems_of(words_of("\n".join([*(lines[at] for at in dictated), *hidden]))) - used


def _sets_aside(flat: str, verb: str) -> bool:
    for at in _places(flat, verb):
        if _TOLD_AFTER.search(flat[at : at + _CONTEXT_CHARS]):
            return True
        if verb in _LAST and _TOLD_BEFORE.search(flat[max(0, at - _CONTEXT_CHARS) : at]):
            return True
    return False


def _places(flat: str, hint: str) -> Iterator[int]:
    at = flat.find(hint)
    while at >= 0:
        yield at
        at = flat.find(hint, at + len(hint))


def _dictated_lines(lines: Sequence[str]) -> set[int]:
    found: set[int] = set()
    for start in range(len(lines)):
        for count in range(1, _SPLIT_LINES + 1):
            if is_addressed_to_reader(" ".join(lines[start : start + count])):
                # A window that would do without its first line is found again, one line later.
                if count == 1 or not is_addressed_to_reader(" ".join(lines[start + 1 : start + count])):
                    found.update(range(start, min(len(lines), start + count)))
                    found.update(_following(lines, start + count))
                break
    return found


def _following(lines: Sequence[str], start: int) -> Iterator[int]:
    """The next lines of the same message: those that are not further out than its last line."""
    inside = _indent(lines[start - 1]) + (_MESSAGE.match(lines[start - 1]) is not None)
    for at in range(start, min(len(lines), start + _FOLLOWING_LINES)):
        if _indent(lines[at]) < inside or _MESSAGE.match(lines[at]):
            return
        yield at


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _decoded(text: str) -> Iterator[str]:
    """What stands in the text in base64, where that is text."""
    for match in islice(_BASE64.finditer(text), _MAX_DECODED):
        try:
            yield base64.b64decode(match[0] + "=" * (-len(match[0]) % 4), validate=True).decode()
        except ValueError:
            continue


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def stems_of(words: Iterable[str]) -> set[str]:
    stems: set[str] = set()
    for word in words:
        if SPACELESS.search(word):
            stems.update(word[start : start + 2] for start in range(len(word) - 1))
        elif len(word) >= 3 and word not in _EMPTY_WORDS:
            stems.add(word[:_STEM_CHARS])
    return stems
