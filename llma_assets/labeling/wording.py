"""From hostile text to plain words: what may become part of a name, and what never does."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from llma_assets.labeling.stopwords import GIVEN_NAMES, SPELLINGS

# Text of one item that is read for its name: its summary, and room to spare.
_MAX_CHARS = 6000
_MAX_WORD_CHARS = 24
# Words whose stem is kept; texts of a month use some ten thousand.
_CACHED_WORDS = 50_000

_TAG = re.compile(r"<[^<>]{0,400}>")
_URL = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.|data:|javascript:)\S*", re.IGNORECASE)
_EMAIL = re.compile(r"\b([\w.+-]{1,64})@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});", re.IGNORECASE)
_BREAK = re.compile(r"[.!?;:,()\[\]{}\"“”„«»|\\/<>=•…*`~^\n\r\t、。，：；！？（）]+|\s[-–—]+\s|[–—]")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?:\+\+|#)?")
_HANDLE = re.compile(r"\b([^\W\d_]+)[_.]([^\W\d_]+)[_.]?\d+\b")
_SIGNED = re.compile(
    r"\b(?:[Nn]ame is|(?:[Dd]ear\s+)?(?:[Mm]r|[Mm]rs|[Mm]s|[Dd]r)\.?|[Dd]ear)"
    r"\s+([A-Z][^\W\d_]+)(?:\s+([A-Z][^\W\d_]+))?"
)
_INTRODUCED = re.compile(
    r"\b(?:I['’]m|I am|[Tt]his is|[Uu]ser|[Cc]ustomer|[Pp]assenger|[Hh]i|[Hh]ello)"
    r"\s+([A-Z][^\W\d_]+)\s+([A-Z][^\W\d_]+)"
)
_CAPITALIZED_PAIR = re.compile(r"\b([A-Z][^\W\d_]+)\s+([A-Z][^\W\d_]+)")


def clean(text: str) -> str:
    """Text without markup, addresses, control or formatting characters; at most 6,000 characters of it."""
    plain = text[:_MAX_CHARS].replace("\n", " . ")
    # Of the few characters that a text is made of.
    kinds = {c: unicodedata.category(c) for c in set(plain)}
    instead = {ord(c): " " for c, kind in kinds.items() if kind in ("Cc", "Zl", "Zp")}
    instead |= {ord(c): "" for c, kind in kinds.items() if kind in ("Cf", "Cs", "Co", "Cn")}
    plain = plain.translate(instead)
    for pattern in (_TAG, _URL, _ENTITY):
        plain = pattern.sub(" . ", plain)
    return plain


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What a whole body of texts says about its words.

    Attributes:
        forms: for each word in lower case, how it was written and how often.
        names: words in lower case that are people's names or codes; they never name a cluster.
    """

    forms: dict[str, Counter[str]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()

    def written(self, word: str) -> str:
        """A word as it stands in a title: `SQL` and `PyTorch` as they are mostly written, else capitalized."""
        lower = word.lower()
        if lower in SPELLINGS:
            return SPELLINGS[lower]
        if word[1:] == lower[1:] and word != lower:
            return word  # somebody wrote it like a name: "Las Vegas", though LAS is its airport
        forms = self.forms.get(lower) or Counter({word: 1})
        mixed = {form: count for form, count in forms.items() if form[1:] != form[1:].lower()}
        if sum(mixed.values()) * 2 > forms.total():
            return min(mixed, key=lambda form: (-mixed[form], form))
        return lower[:1].upper() + lower[1:]


def read_lexicon(texts: Iterable[str]) -> Lexicon:
    """Count the forms of every word, and find the names of people and the codes of things."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    suspects: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for text in texts:
        suspects.update(part.lower() for match in _EMAIL.finditer(text) for part in re.split(r"[\W\d_]+", match[1]))
        plain = clean(text)
        for pattern in (_HANDLE, _SIGNED, _INTRODUCED):
            suspects.update(part.lower() for match in pattern.finditer(plain) for part in match.groups() if part)
        pairs.update((a.lower(), b.lower()) for a, b in _CAPITALIZED_PAIR.findall(plain))
        for word in _WORD.findall(_HANDLE.sub(" ", _EMAIL.sub(" ", plain)).replace("_", " ")):
            forms[word.lower()][word] += 1
    given = {word for word in forms if word in GIVEN_NAMES} | (suspects & GIVEN_NAMES)
    suspects |= given | {b for a, b in pairs if a in given or a in suspects}
    # A name is always capitalized; "Brown" is one only where nobody writes "brown".
    names = {word for word in suspects if word in GIVEN_NAMES or not forms.get(word, Counter())[word]}
    codes = {word for word, seen in forms.items() if len(word) >= 5 and all(form.isupper() for form in seen)}
    return Lexicon(dict(forms), frozenset(names | codes))


def segments(text: str, names: frozenset[str] = frozenset()) -> list[list[str]]:
    """Runs of words as they were written, between the points where a phrase must end.

    Whatever is no plain word (numbers, ids, addresses, names, codes, identifiers) ends a run.
    A name in snake_case is a run of its own.
    """
    runs: list[list[str]] = []
    for part in _BREAK.split(_EMAIL.sub(" . ", clean(text))):
        run: list[str] = []
        for token in part.split():
            stripped = token.strip("'’‘-–—_&%$€£@#+")
            stripped = stripped + token[len(stripped) :] if token.endswith(("++", "#")) else stripped
            if "_" in stripped and not any(c.isdigit() for c in stripped):
                runs += [run, [word for word in stripped.lower().split("_") if _WORD.fullmatch(word)]]
                run = []
            elif _is_plain(stripped) and (word := _base(stripped)).lower() not in names:
                run.append(word)
            elif stripped:
                runs.append(run)
                run = []
        runs.append(run)
    return [run for run in runs if run]


def _is_plain(token: str) -> bool:
    if not 1 <= len(token) <= _MAX_WORD_CHARS or not _WORD.fullmatch(token):
        return False
    # camelCase is an identifier; PyTorch and iOS are not.
    return not (token[0].islower() and token[1:2].islower() and any(c.isupper() for c in token))


def _base(token: str) -> str:
    word = token.replace("’", "'")
    return word[:-2] if word.endswith(("'s", "'S")) else word


@lru_cache(_CACHED_WORDS)
def stem(word: str) -> str:
    """A rough stem, in lower case, so that `cancel`, `cancels`, `cancelled` and `cancelling` count as one word."""
    word = word.lower()
    if len(word) <= 3 or not word.isascii():
        return word
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ations", "ate"), ("ation", "ate"), ("ing", ""), ("ed", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("eed"):
            word = word[: len(word) - len(ending)] + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeious":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word
