"""Evidence for names: members near and far, and the terms that set a cluster apart from its siblings."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from llma_assets.clustering.result import NOISE
from llma_assets.errors import InputRejected
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.labeling.phrases import Key, phrases_of
from llma_assets.labeling.wording import read_lexicon

NEAR = 12
EDGE = 4
TERMS = 20
# Members shown of a theme: it has to be told from more than one cluster.
NEAR_OF_THEME = 24
# Longer terms are seldom shared by members who each use words of their own.
_TERM_WORDS = 3


def build_evidence(
    items: Sequence[ItemEvidence], cluster_ids: Sequence[int], near: int = NEAR, edge: int = EDGE
) -> list[ClusterEvidence]:
    """Evidence for each cluster of one clustering run, ascending by id; noise gets none.

    Args:
        items: every item of the run, noise included, in any order.
        cluster_ids: of each item, in the same order.
        near, edge: members to show from the centre and from the rim. A rim member is never also a near one.

    Raises:
        InputRejected: the two sequences differ in length.
    """
    if len(items) != len(cluster_ids):
        raise InputRejected(f"{len(items)} items but {len(cluster_ids)} cluster ids; there must be one for each")
    members: dict[int, list[ItemEvidence]] = {}
    for item, cluster_id in zip(items, cluster_ids, strict=True):
        if cluster_id != NOISE:
            members.setdefault(int(cluster_id), []).append(item)
    terms = _distinguishing_terms(members)
    evidence = []
    for cluster_id in sorted(members):
        ordered = sorted(members[cluster_id], key=lambda item: (item.distance, item.item_id))
        # An item of which nothing may be told would only take the place of another.
        telling = [item for item in ordered if item.title or item.bullets or item.notes] or ordered
        rim = telling[near:][-edge:] if edge else []
        evidence.append(
            ClusterEvidence(
                cluster_id=cluster_id,
                size=len(ordered),
                near=tuple(telling[:near]),
                edge=tuple(reversed(rim)),
                terms=terms[cluster_id],
            )
        )
    return evidence


def build_theme_evidence(
    items: Sequence[ItemEvidence], cluster_ids: Sequence[int], ranks: Sequence[int], theme_of: Mapping[int, int]
) -> list[ClusterEvidence]:
    """Evidence for each theme of one clustering run, ascending by id.

    Shown are the members nearest to the centres of its clusters: one of each, the largest first, then a second of each.
    By distance alone the closest cluster would speak for all.

    Args:
        items, cluster_ids: as `build_evidence` takes them.
        ranks: of each item in its cluster, 0 is nearest.
        theme_of: theme of each cluster.
    """
    sizes = Counter(cluster_ids)
    place = {label: n for n, label in enumerate(sorted(sizes, key=lambda label: (-sizes[label], label)))}
    ranked = [
        replace(item, distance=float(rank * len(place) + place[cluster_id]))
        for item, cluster_id, rank in zip(items, cluster_ids, ranks, strict=True)
    ]
    return build_evidence(ranked, [theme_of.get(cluster_id, NOISE) for cluster_id in cluster_ids], NEAR_OF_THEME, 0)


def _distinguishing_terms(members: dict[int, list[ItemEvidence]]) -> dict[int, tuple[tuple[str, float], ...]]:
    """Class-based TF-IDF (Grootendorst 2022) over words, pairs and triples.

    The frequency within a cluster is the share of members that show the term, not a count of words:
    one long item must not name a cluster. A term weighs `share × ln(1 + mean / sum)`, where the sum
    is of its shares over all clusters and the mean that of all terms' sums in one cluster.
    """
    lexicon = read_lexicon("\n".join((i.title, *i.bullets, *i.notes)) for group in members.values() for i in group)
    shares: dict[int, dict[Key, float]] = {}
    written: dict[Key, Counter[str]] = defaultdict(Counter)
    for cluster_id, group in members.items():
        weights: dict[Key, float] = defaultdict(float)
        for item in group:
            for key, uses in phrases_of(item, lexicon.names).items():
                if len(key) <= _TERM_WORDS:
                    weights[key] += uses.weight
                    written[key][" ".join(uses.words).lower()] += 1
        shares[cluster_id] = {key: weight / len(group) for key, weight in weights.items()}
    totals: dict[Key, float] = defaultdict(float)
    for share in shares.values():
        for key, value in share.items():
            totals[key] += value
    usual = sum(totals.values()) / max(len(shares), 1)
    result = {}
    for cluster_id, share in shares.items():
        least = 1.0 / len(members[cluster_id])
        scored = [
            (value * math.log1p(usual / totals[key]), key)
            for key, value in share.items()
            if value > least or len(members[cluster_id]) < 3
        ]
        chosen = _without_parts(sorted(scored, key=lambda pair: (-pair[0], pair[1])))
        result[cluster_id] = tuple((_commonest(written[key]), round(score, 6)) for score, key in chosen)
    return result


def _without_parts(scored: list[tuple[float, Key]]) -> list[tuple[float, Key]]:
    """The best terms; one whose words all stand in a better one adds nothing."""
    chosen: list[tuple[float, Key]] = []
    for score, key in scored:
        if not any(set(key) <= set(better) for _, better in chosen):
            chosen.append((score, key))
        if len(chosen) == TERMS:
            break
    return chosen


def _commonest(forms: Counter[str]) -> str:
    return min(forms, key=lambda form: (-forms[form], len(form), form))
