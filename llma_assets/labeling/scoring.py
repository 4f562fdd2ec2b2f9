"""Which phrases stand for a cluster: shared by its members, and not by its siblings."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from llma_assets.labeling.label import ClusterEvidence
from llma_assets.labeling.phrases import Key, Uses, phrases_of
from llma_assets.labeling.stopwords import ADJECTIVES, CONNECTORS, WEAK
from llma_assets.labeling.wording import Lexicon, stem

# How much a phrase of so many words is worth: one word is seldom a title, five are seldom shared.
_LENGTH_PRIOR = {1: 0.55, 2: 1.0, 3: 1.15, 4: 1.1}
# A sibling's use of a phrase costs this much more than the cluster's own is worth.
_SIBLING_COST = 2.0
# A phrase that goes on in so many of its uses is a piece of a longer one ("changes to upcoming").
_OPEN_SHARE = 0.6
_OPEN_COST = 0.3
# A single word is always followed by something; it is only worth less for it.
_OPEN_WORD_COST = 0.5
# "JFK to MCO" tells one customer's trip, not a topic.
_CODES_COST = 0.4
_WEAK_STEMS = frozenset(stem(word) for word in WEAK)
_HANGING = ("ly", "able", "ible", "ful")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A candidate for a title.

    Attributes:
        words: as written most often, connectors included.
        members: positions of the evidence items that show it.
        share: of the evidence items, 0 to 1; a mention that is not leading counts half.
        score: higher is better; comparable within one cluster only.
        whole: stands by itself, as opposed to a piece of a longer phrase.
    """

    key: Key
    words: tuple[str, ...]
    members: frozenset[int]
    share: float
    score: float
    whole: bool = True


Items = list[dict[Key, Uses]]


def rank_phrases(evidence: Sequence[ClusterEvidence], lexicon: Lexicon) -> list[list[Phrase]]:
    """Candidate phrases of each cluster, best first."""
    clusters = [[phrases_of(item, lexicon.names) for item in (*cluster.near, *cluster.edge)] for cluster in evidence]
    shares = [_shares(items) for items in clusters]
    everywhere: dict[Key, float] = defaultdict(float)
    for share in shares:
        for key, value in share.items():
            everywhere[key] += value
    siblings = max(len(clusters) - 1, 1)
    ranked = []
    for cluster, items, share in zip(evidence, clusters, shares, strict=True):
        worth = {key: _worth(value, (everywhere[key] - value) / siblings) for key, value in share.items()}
        ranked.append(_rank(items, share, worth, _term_boost(cluster)))
    return ranked


def _shares(items: Items) -> dict[Key, float]:
    totals: dict[Key, float] = defaultdict(float)
    for item in items:
        for key, uses in item.items():
            totals[key] += uses.weight
    return {key: total / len(items) for key, total in totals.items()}


def _worth(share: float, siblings: float) -> float:
    """The share, less what the siblings have of it: near the share where they have none."""
    return share * share / (share + _SIBLING_COST * siblings + 0.05)


def _rank(items: Items, share: dict[Key, float], worth: dict[Key, float], boost: dict[str, float]) -> list[Phrase]:
    members: dict[Key, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        for key in item:
            members[key].append(place)
    least = 2 if len(items) > 2 else 1
    phrases = []
    for key, places in members.items():
        strong = [word for word in key if word not in _WEAK_STEMS]
        if len(places) < least or not strong:
            continue
        uses = [items[place][key] for place in places]
        words = _written(uses)
        mean = sum(worth[(word,)] * boost.get(word, 0.7) for word in strong) / len(strong)
        shape = _shape(words, uses)
        score = (worth[key] * mean) ** 0.5 * _LENGTH_PRIOR[len(key)] * shape
        whole = shape == 1.0 or (len(key) == 1 and shape == _OPEN_WORD_COST)
        phrases.append(Phrase(key, words, frozenset(places), share[key], score, whole))
    return sorted(phrases, key=lambda phrase: (-phrase.score, phrase.key))


def _shape(words: tuple[str, ...], uses: Sequence[Uses]) -> float:
    """1 for a phrase that stands by itself, less for a fragment of one."""
    total = sum(len(use.after) for use in uses)
    goes_on = sum(bool(after) for use in uses for after in use.after)
    came_from = Counter(before for use in uses for before in use.before if before)
    factor = 1.0
    # One word that always stands before it belongs to it ("York"); any word after it does ("upcoming").
    if goes_on > _OPEN_SHARE * total or max(came_from.values(), default=0) > _OPEN_SHARE * total:
        factor *= _OPEN_COST if len(words) > 1 else _OPEN_WORD_COST
    last = words[-1].lower()
    if last in ADJECTIVES or (last.endswith(_HANGING) and len(last) > 5):
        factor *= _OPEN_COST
    if sum(word.isupper() and len(word) == 3 for word in words) >= 2:
        factor *= _CODES_COST
    return factor


def _term_boost(evidence: ClusterEvidence) -> dict[str, float]:
    """1.0 for a word of the best distinguishing term, falling to 0.7: terms rest on all members, not on a few."""
    best = max((weight for _, weight in evidence.terms), default=0.0)
    boost: dict[str, float] = {}
    if best <= 0:
        return boost
    for term, weight in evidence.terms:
        for word in term.split():
            if word not in CONNECTORS:
                boost[stem(word)] = max(boost.get(stem(word), 0.0), 0.7 + 0.3 * weight / best)
    return boost


def _written(uses: Sequence[Uses]) -> tuple[str, ...]:
    """The commonest way in which a phrase is written: wording first, then its capitals."""
    plain = Counter(tuple(word.lower() for word in use.words) for use in uses)
    chosen = min(plain, key=lambda words: (-plain[words], len(words), words))
    cased = Counter(use.words for use in uses if tuple(word.lower() for word in use.words) == chosen)
    return min(cased, key=lambda words: (-cased[words], words))
