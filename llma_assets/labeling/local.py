"""The labeler that needs no model: contrastive keyword titles."""

from collections.abc import Mapping, Sequence

from llma_assets.labeling.keywords import label_by_keywords
from llma_assets.labeling.label import ClusterEvidence, Label


class KeywordLabeler:
    """Names clusters by the phrases that set them apart from their siblings."""

    model: str | None = None
    prompt_version: str | None = None

    def label(
        self, evidence: Sequence[ClusterEvidence], subject: str = "", named: Mapping[int, Label] | None = None
    ) -> list[Label]:
        """One label for each cluster, in the order given; those that are named keep their titles."""
        return label_by_keywords(evidence, named)
