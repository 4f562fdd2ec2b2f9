"""A title from ranked phrases: a head, a second thing where there is one, and no title twice."""

from collections.abc import Iterator, Sequence

from llma_assets.labeling.label import ClusterEvidence
from llma_assets.labeling.phrases import is_content
from llma_assets.labeling.scoring import Phrase
from llma_assets.labeling.stopwords import CONNECTORS, NOUN_VERBS, VERBS
from llma_assets.labeling.wording import Lexicon, segments, stem

MAX_WORDS = 10
MAX_CHARS = 80
# A second phrase must be worth this share of the head and be shown by so many, or it is chance.
_SECOND_SCORE = 0.3
_SECOND_SHARE = 0.2
_SECOND_WORD_SHARE = 0.4
_TWO_WORDS_SHARE = 0.25
# Tried as heads or seconds, best first; more only find worse titles.
_CANDIDATES = 40
_HEADS = 6
# Makes a title of a bare topic: "Bird Species Requests".
_GENERIC = "requests"
_VERB_STEMS = frozenset(stem(word) for word in VERBS)
_LONE_VERB_STEMS = _VERB_STEMS - {stem(word) for word in NOUN_VERBS}


def choose_title(
    evidence: ClusterEvidence, phrases: Sequence[Phrase], lexicon: Lexicon, taken: set[frozenset[str]]
) -> str:
    """The best title that no earlier sibling has; adds its words to `taken`."""
    for words in _candidates(evidence, phrases, lexicon):
        identity = title_identity(words)
        title = _written(words, lexicon)
        if identity and identity not in taken and len(title) <= MAX_CHARS and len(words) <= MAX_WORDS:
            taken.add(identity)
            return title
    return _last_resort(phrases, lexicon, taken)


def title_identity(words: Sequence[str]) -> frozenset[str]:
    """What makes two titles the same: their words, whatever their order, form and connectors."""
    return frozenset(stem(word) for word in words if word.lower() not in CONNECTORS)


def _candidates(evidence: ClusterEvidence, phrases: Sequence[Phrase], lexicon: Lexicon) -> Iterator[tuple[str, ...]]:
    best = [phrase for phrase in phrases if phrase.whole][:_CANDIDATES] or list(phrases[:_CANDIDATES])
    known = {phrase.key: phrase for phrase in best}
    for head in best[:_HEADS]:
        head = _longer(head, best)
        yield from _pairs(head, best, known)
        if len(head.key) >= 3:
            yield head.words
        else:
            yield (*head.words, _GENERIC)
    runs = [run for term, _ in evidence.terms for run in segments(term, lexicon.names)]
    words = list(dict.fromkeys(word for run in runs for word in run if is_content(word)))
    for count in range(3, len(words) + 1):
        yield (*words[: count - 1][:4], "and", words[count - 1])
    if words:
        yield (*words[:1], _GENERIC)


def _longer(head: Phrase, best: Sequence[Phrase]) -> Phrase:
    """A single word gives way to the best phrase that holds it: `SQL Query` says more than `SQL`."""
    if len(head.key) > 1:
        return head
    around = (p for p in best if set(head.key) < set(p.key) and p.score >= 0.25 * head.score)
    return next(around, head)


def _pairs(head: Phrase, best: Sequence[Phrase], known: dict[tuple[str, ...], Phrase]) -> Iterator[tuple[str, ...]]:
    if "and" in head.words or "or" in head.words:
        return
    for second in best:
        if second.score < _SECOND_SCORE * head.score or _overlap(head, second):
            continue
        single = len(second.key) == 1
        if single and second.key[0] in _LONE_VERB_STEMS:
            continue
        bare = single and len(head.key) == 1
        least = _TWO_WORDS_SHARE if bare else _SECOND_WORD_SHARE if single else _SECOND_SHARE
        if second.share < least or {"and", "or"} & set(second.words):
            continue
        whole = known.get(head.key + second.key) or known.get(second.key + head.key)
        words = whole.words if whole else _joined(head, second)
        yield (*words, _GENERIC) if bare and not whole else words


def _overlap(head: Phrase, other: Phrase) -> bool:
    """Whether two phrases share a word, or words that begin alike (`classify`, `classification`)."""
    return any(a == b or (min(len(a), len(b)) >= 5 and a[:5] == b[:5]) for a in head.key for b in other.key)


def _joined(head: Phrase, second: Phrase) -> tuple[str, ...]:
    """Both phrases with an `and` between them, what reads as a task first."""
    first, last = (second, head) if _is_task(second) and not _is_task(head) else (head, second)
    return (*first.words, "and", *last.words)


def _is_task(phrase: Phrase) -> bool:
    return len(phrase.words) > 1 and stem(phrase.words[0]) in _VERB_STEMS


def _written(words: Sequence[str], lexicon: Lexicon) -> str:
    """Title case, connectors small."""
    return " ".join(
        word.lower() if place and word.lower() in CONNECTORS else lexicon.written(word)
        for place, word in enumerate(words)
    )


def _last_resort(phrases: Sequence[Phrase], lexicon: Lexicon, taken: set[frozenset[str]]) -> str:
    """What is left when the evidence gives no words of its own: a letter sets the title apart."""
    title = _written(phrases[0].words, lexicon)[:60].strip() if phrases else "Unnamed Requests"
    number = 1
    while (identity := title_identity(f"{title} Group {_letters(number)}".split())) in taken:
        number += 1
    taken.add(identity)
    return f"{title} Group {_letters(number)}"


def _letters(number: int) -> str:
    """1 → A, 26 → Z, 27 → AA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
