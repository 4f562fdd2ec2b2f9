"""Evidence for a cluster's name, and the name. Whoever labels gets only the evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

NOISE_TITLE = "Outliers"


@dataclass(frozen=True, slots=True)
class ItemEvidence:
    """What a labeller may see of one item: its summary's title, and its bullets and notes."""

    item_id: str
    title: str
    bullets: tuple[str, ...]
    notes: tuple[str, ...] = ()
    distance: float = 0.0


@dataclass(frozen=True, slots=True)
class ClusterEvidence:
    """What a cluster's name may rest on.

    Attributes:
        near: members nearest to the centroid, nearest first.
        edge: members far from it, so that a name covers more than the core.
        terms: (term, weight) that set this cluster apart from its siblings, best first.
    """

    cluster_id: int
    size: int
    near: tuple[ItemEvidence, ...]
    edge: tuple[ItemEvidence, ...] = ()
    terms: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A name for one cluster.

    Attributes:
        title: 3 to 10 words where the evidence allows it.
        description: 2 to 5 lines, each starting with `- `.
        source: `keywords`, `llm`, or `fixed` for the noise group.
        reason: why a weaker source than the configured one was used; None if it was not.
        input_tokens, output_tokens, cost_usd: this cluster's even share of what the calls took; None where there was
            no call, or it does not say.
    """

    cluster_id: int
    title: str
    description: str
    source: str
    keywords: tuple[str, ...]
    reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


class Labeler(Protocol):
    """Whoever names clusters. `model` and `prompt_version` go into the data; None for keywords."""

    model: str | None
    prompt_version: str | None

    def label(
        self, evidence: Sequence[ClusterEvidence], subject: str = "", named: Mapping[int, Label] | None = None
    ) -> list[Label]:
        """One label for each cluster, in the order given; `subject` is the clustering run.

        A cluster in `named` keeps that title, no other gets it, and nothing is paid for it. An id of `named` that is
        none of these clusters only reserves its title.
        """
