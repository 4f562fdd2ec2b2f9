"""Candidate phrases of an item: one to four words in their own order, cut where a phrase ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from llma_assets.labeling.label import ItemEvidence
from llma_assets.labeling.stopwords import CONNECTORS, DETERMINERS, STOPWORDS
from llma_assets.labeling.wording import segments, stem

# What a phrase is compared by: the stems of its words, connectors left out.
Key = tuple[str, ...]

MAX_WORDS = 4
_CACHED_WORDS = 50_000
# A summary says first what was asked: phrases from there name the topic, later ones how it went.
_LEADING_BULLETS = 2


@dataclass(slots=True)
class Uses:
    """How one item uses a phrase.

    Attributes:
        words: as first written, connectors included.
        leading: in the title or the first bullets.
        before, after: the content word next to each use (its stem), empty where there is none.
    """

    words: tuple[str, ...]
    leading: bool
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """1 for a leading phrase, 0.5 for another."""
        return 1.0 if self.leading else 0.5


def phrases_of(item: ItemEvidence, names: frozenset[str]) -> dict[Key, Uses]:
    """All phrases of an item; `names` never take part."""
    found: dict[Key, Uses] = {}
    bullets = [without_lead_in(bullet) for bullet in item.bullets]
    _collect([item.title, *bullets[:_LEADING_BULLETS]], True, names, found)
    _collect([*bullets[_LEADING_BULLETS:], *map(without_lead_in, item.notes)], False, names, found)
    return found


def without_lead_in(text: str) -> str:
    """`Then asked: cancel it` without its `Then asked:`; a lead-in is at most five words long."""
    head, colon, tail = text.partition(":")
    return tail.strip() if colon and tail.strip() and len(head.split()) <= 5 and len(head) <= 40 else text


def _collect(texts: list[str], leading: bool, names: frozenset[str], found: dict[Key, Uses]) -> None:
    for text in texts:
        for run in segments(text, names):
            for words, before, after in _ngrams(_without_determiners(run)):
                key = tuple(stem(word) for word in words if word.lower() not in CONNECTORS)
                if len(set(key)) == len(key):
                    uses = found.setdefault(key, Uses(words, leading))
                    uses.before.append(before)
                    uses.after.append(after)


def _without_determiners(run: list[str]) -> list[str]:
    """`all of my flights` is `flights`: a determiner takes the `of` after it along."""
    kept: list[str] = []
    dropped = False
    for word in run:
        lower = word.lower()
        dropped = lower in DETERMINERS or (dropped and lower == "of")
        if not dropped:
            kept.append(word)
    return kept


def _ngrams(words: list[str]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Every phrase of a run, and the content word on either side of it.

    Content words stand at both ends, with at most one connector between two of them.
    """
    content = [is_content(word) for word in words]

    def neighbor(place: int) -> str:
        return stem(words[place]) if 0 <= place < len(words) and content[place] else ""

    for start in range(len(words)):
        if not content[start]:
            continue
        count, linked = 0, False
        for end in range(start, len(words)):
            if content[end]:
                count, linked = count + 1, False
                if count > MAX_WORDS:
                    break
                yield tuple(words[start : end + 1]), neighbor(start - 1), neighbor(end + 1)
            elif words[end].lower() in CONNECTORS and not linked:
                linked = True
            else:
                break


@lru_cache(_CACHED_WORDS)
def is_content(word: str) -> bool:
    """Whether a word can carry a topic."""
    lower = word.lower()
    if lower in STOPWORDS or lower.replace("'", "") in STOPWORDS:
        return False
    return (len(lower) > 1 or lower == "c") and not lower.endswith("n't")
