"""Names made from the members' own phrases: the labeller that needs no model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from llma_assets.clustering.result import NOISE
from llma_assets.labeling.description import describe
from llma_assets.labeling.label import NOISE_TITLE, ClusterEvidence, Label
from llma_assets.labeling.scoring import Phrase, rank_phrases
from llma_assets.labeling.titles import choose_title, title_identity
from llma_assets.labeling.wording import read_lexicon

_KEYWORDS = 8


def label_by_keywords(evidence: Sequence[ClusterEvidence], named: Mapping[int, Label] | None = None) -> list[Label]:
    """Name sibling clusters by the phrases that their members share and the others do not.

    Titles are distinct among the siblings, 3 to 10 words where the evidence allows it, and hold
    letters, spaces and a few joining signs only. The same evidence gives the same names.

    Args:
        evidence: all clusters of one clustering run; noise left out.
        named: labels of those that have a title already, which no other cluster gets. A keyword label's description
            counts members, so it is written anew; one that somebody else wrote is left as it is.

    Returns:
        One label for each, in the order given, with `source` = `keywords` where it is not one of `named`.
    """
    named = named or {}
    lexicon = read_lexicon(_texts(evidence))
    ranked = rank_phrases(evidence, lexicon)
    taken = {title_identity(label.title.split()) for label in named.values()}
    labels = []
    for cluster, phrases in zip(evidence, ranked, strict=True):
        label = named.get(cluster.cluster_id)
        if label is not None:
            if label.source == "keywords":
                label = replace(label, description=describe(cluster, phrases), keywords=_keywords(cluster, phrases))
            labels.append(label)
            continue
        labels.append(
            Label(
                cluster_id=cluster.cluster_id,
                title=choose_title(cluster, phrases, lexicon, taken),
                description=describe(cluster, phrases),
                source="keywords",
                keywords=_keywords(cluster, phrases),
            )
        )
    return labels


def noise_label(size: int) -> Label:
    """The fixed name of the items that belong to no cluster."""
    members = "1 item that resembles" if size == 1 else f"{size} items that resemble"
    return Label(
        cluster_id=NOISE,
        title=NOISE_TITLE,
        description=f"- {members} no group closely enough to be part of it\n- Ranked from the most unusual on",
        source="fixed",
        keywords=(),
    )


def _texts(evidence: Sequence[ClusterEvidence]) -> list[str]:
    return ["\n".join((i.title, *i.bullets, *i.notes)) for cluster in evidence for i in (*cluster.near, *cluster.edge)]


def _keywords(evidence: ClusterEvidence, phrases: Sequence[Phrase]) -> tuple[str, ...]:
    terms = [term for term, _ in evidence.terms] or [" ".join(phrase.words).lower() for phrase in phrases]
    return tuple(terms[:_KEYWORDS])
