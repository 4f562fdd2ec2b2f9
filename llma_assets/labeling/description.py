"""Two to five lines about a cluster, each of them countable in its evidence."""

from collections import Counter
from collections.abc import Sequence

from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.labeling.minimum_users import GAP
from llma_assets.labeling.phrases import without_lead_in
from llma_assets.labeling.scoring import Phrase
from llma_assets.labeling.wording import clean

_SHARED = 3
_QUOTE_CHARS = 140
# Said of so many of the items read, a note or an ending is typical.
_TYPICAL_SHARE = 0.25
_ENDING_WORDS = (
    "canceled cancelled completed declined denied error errors escalated failed failure handed interrupted refused "
    "resolved stopped succeeded timeout transferred unfinished unresolved"
)
_FLOURISHES = str.maketrans({"<": "‹", ">": "›", "`": "'", "|": "/", "\\": "/"})


def describe(evidence: ClusterEvidence, phrases: Sequence[Phrase]) -> str:
    """What members share, a typical request, and how they tend to end where the evidence shows it."""
    items = (*evidence.near, *evidence.edge)
    lines = [_shared(phrases, len(items), evidence.size), _typical(items)]
    lines += _endings(items)
    kept = [f"- {line}" for line in lines if line]
    if len(kept) < 2:
        kept.append(f"- {len(items)} of {evidence.size} read")
    if len(kept) < 2:
        kept.append("- They share no words that tell a topic")
    return "\n".join(kept[:5])


def _shared(phrases: Sequence[Phrase], read: int, size: int) -> str:
    chosen: list[Phrase] = []
    for phrase in sorted(phrases[:20], key=lambda p: (-len(p.members) * p.score, p.key)):
        if not any(set(phrase.key) & set(other.key) for other in chosen):
            chosen.append(phrase)
        if len(chosen) == _SHARED:
            break
    if not chosen:
        return ""
    counts = ", ".join(f"“{' '.join(phrase.words).lower()}” in {len(phrase.members)}" for phrase in chosen)
    return f"Of {read} members read{f' ({size} in all)' if size > read else ''}: {counts}"


def _typical(items: Sequence[ItemEvidence]) -> str:
    for item in items:
        for text in (*(without_lead_in(bullet) for bullet in item.bullets[:1]), item.title):
            quote = _bounded(text)
            if quote and GAP not in quote:
                return f"Typical: “{quote}”"
    return ""


def _endings(items: Sequence[ItemEvidence]) -> list[str]:
    """Endings and notes that come up again and again, with how often."""
    counts: Counter[str] = Counter()
    for item in items:
        said = {_ending(bullet) for bullet in item.bullets[1:]} | {_ending(note) for note in item.notes}
        counts.update(sorted(said - {""}))
    least = max(2, _TYPICAL_SHARE * len(items))
    often = sorted((-count, text) for text, count in counts.items() if count >= least)
    return [f"{text}: {-count} of {len(items)}" for count, text in often[:2]]


def _ending(text: str) -> str:
    """The part of a statement that other items may share, if it tells of an ending; else empty."""
    head = text.partition(":")[0].partition(" – ")[0]
    statement = _bounded(head, 80)
    words = {word.strip(".,").lower() for word in statement.split()}
    is_ending = words & set(_ENDING_WORDS.split()) and len(words) >= 2
    return statement if is_ending and GAP not in statement else ""


def _bounded(text: str, limit: int = _QUOTE_CHARS) -> str:
    """One printable line of at most `limit` characters, without markup or addresses."""
    plain = " ".join(clean(text).replace(" . ", " ").translate(_FLOURISHES).replace("“", "'").replace("”", "'").split())
    if len(plain) <= limit:
        return plain
    return plain[: limit - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
