"""Words and their stems, to see whether a name says what its evidence says."""

import re
from collections.abc import Iterable

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

# What a text says to whoever summarizes or names it, and hardly ever to anybody else. Bounded, so that a long text
# costs no more than its length.
_ADDRESSED = re.compile(
    r"\b(?:ignore|disregard|forget|override|ignor(?:iere|ez|a)|vergiss|olvida|oublie[zr]?)\b.{0,60}"
    r"\b(?:instructions?|prompts?|anweisung\w*|instruccion\w*|consignes?|istruzion\w*|rules?)\b"
    r"|\b(?:title|name|label|entitle|rename) (?:this|the|these|your) (?:\w+ )?"
    r"(?:trace|record|run|summary|group|cluster|chat|conversation)\b"
    r"|\b(?:set|use|make|change) (?:the|your|its) title\b|\bthe title (?:must|should|has to|is to) be\b"
    r"|忽略.{0,20}(?:指令|指示|说明|提示)|以前の指示を無視"
)
# One of these stands in every match; looking for them first is much quicker.
_HINTS = (
    *("ignore", "disregard", "forget", "override", "ignora", "vergiss", "olvida", "oublie", "忽略", "以前の指示を無視"),
    *(f"{verb} {what}" for verb in ("title", "name", "label") for what in ("this", "the", "your")),
    *("the title", "your title", "its title"),
)


def is_addressed_to_reader(text: str) -> bool:
    """Whether the text tries to tell its reader what to write."""
    flat = " ".join(text.casefold().split())
    return any(hint in flat for hint in _HINTS) and _ADDRESSED.search(flat) is not None


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
