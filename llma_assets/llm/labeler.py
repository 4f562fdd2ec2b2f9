"""Names of clusters by a model, all in one call where they fit; keywords for whatever it does not name well."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self, TypeVar

from llma_assets.errors import BudgetExhausted, InputRejected
from llma_assets.labeling.keywords import label_by_keywords
from llma_assets.labeling.label import ClusterEvidence, Label
from llma_assets.labeling.prompt import SCHEMA_NAME, build_messages, label_schema
from llma_assets.labeling.response import Name, read_names, same_titles
from llma_assets.llm.access import Access
from llma_assets.llm.answer import read_object
from llma_assets.llm.background import BackgroundLoop
from llma_assets.llm.client import CallUsage, ChatAnswer, LlmClient
from llma_assets.llm.failures import ItemFailed
from llma_assets.llm.fence import new_fence
from llma_assets.llm.prompts import load_prompt
from llma_assets.settings import Settings
from llma_assets.summarization.prompt import repair_messages
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

Number = TypeVar("Number", int, float)

PROMPT_VERSION = "label.v2"
MODEL_SETTING = "LLMA_OPENAI_LABEL_MODEL"
# More in one answer and models begin to leave some out; the evidence of each becomes thin as well.
MAX_CLUSTERS_PER_CALL = 40
# A name takes about 150 tokens; models that think first count their thoughts as output.
_BASE_OUTPUT_TOKENS = 6_000
_OUTPUT_TOKENS_PER_CLUSTER = 300
_MAX_OUTPUT_TOKENS = 32_000


class OpenAILabeler:
    """Asks an OpenAI-compatible server to name the clusters of a run.

    Args:
        model_name: as the server calls it.
        fence: gives the random mark of each call.
    """

    prompt_version: str | None = PROMPT_VERSION

    def __init__(self, model_name: str, access: Access, *, fence: Callable[[], str] = new_fence):
        self.model: str | None = f"openai/{model_name}"
        self._model_name = model_name
        self._access = access
        self._fence = fence
        self._prompt = load_prompt(PROMPT_VERSION)

    @classmethod
    def from_settings(cls, settings: Settings, access: Access) -> Self:
        """The labeler that the settings describe."""
        return cls(settings.openai_label_model, access)

    def label(
        self, evidence: Sequence[ClusterEvidence], subject: str = "", named: Mapping[int, Label] | None = None
    ) -> list[Label]:
        """One label for each cluster, in the order given.

        A cluster that the model does not name, or not well, gets its keyword label with `reason` set.

        Args:
            subject: what is named, for the record of the calls.
            named: labels of clusters that have a name already. They stay as they are and are not asked for; the
                model is told their titles, and no other cluster gets one of them.

        Raises:
            FailFast: no call can succeed as things are set (a wrong key must not look like a weak name).
            RetryLater: the time for this work is over.
        """
        named = named or {}
        if all(cluster.cluster_id in named for cluster in evidence):
            return [named[cluster.cluster_id] for cluster in evidence]
        state = _NamingState(self._fence, self._prompt, evidence, subject, named)
        with BackgroundLoop() as loop:
            loop.run(self._ask(state))
        by_keywords = [label for label in label_by_keywords(evidence, named) if label.cluster_id not in named]
        labels = [
            _label(label, state.kept.get(label.cluster_id), state.reasons.get(label.cluster_id))
            for label in by_keywords
        ]
        # A keyword title may happen to be one that the model gave to a sibling; keyword titles among themselves differ.
        while clashing := _clashing(labels):
            labels = [
                _label(by_keyword, None, Reason.INVALID_RESPONSE) if by_keyword.cluster_id in clashing else label
                for by_keyword, label in zip(by_keywords, labels, strict=True)
            ]
        known = dict(named) | {label.cluster_id: label for label in _with_shares(labels, state.spent)}
        return [known[cluster.cluster_id] for cluster in evidence]

    async def _ask(self, state: "_NamingState") -> None:
        """Names for one group of clusters after the other: each call knows the titles given so far."""
        client = LlmClient(self._access, self._model_name, MODEL_SETTING)
        wanted = [cluster for cluster in state.evidence if cluster.cluster_id not in state.kept]
        count = math.ceil(len(wanted) / MAX_CLUSTERS_PER_CALL)
        try:
            for number in range(count):
                await self._ask_group(client, state, wanted[number::count])
        finally:
            await client.close()

    async def _ask_group(self, client: LlmClient, state: "_NamingState", group: Sequence[ClusterEvidence]) -> None:
        fence = state.fence()
        messages = build_messages(state.prompt, group, fence, state.others(group))
        budget = min(_MAX_OUTPUT_TOKENS, _BASE_OUTPUT_TOKENS + _OUTPUT_TOKENS_PER_CLUSTER * len(group))
        left = self._access.policy.max_attempts
        reason = Reason.INVALID_RESPONSE
        try:
            for _ in ("first answer", "repair"):
                answer = await client.chat(
                    messages,
                    SCHEMA_NAME,
                    label_schema(),
                    budget,
                    subject=state.subject,
                    prompt_version=PROMPT_VERSION,
                    max_attempts=max(1, left),
                )
                state.spent.append(answer.spent)
                left -= answer.spent.attempts
                if answer.refused:
                    reason = Reason.REFUSED
                    break
                state.kept, problems = _read(answer, group, fence, state.kept)
                if not problems:
                    return
                log.warning("%s: %d of %d clusters not named: %s", self.model, len(problems), len(group), problems[0])
                titles = "; ".join(name.title for name in state.kept.values()) or "(none)"
                messages = repair_messages(
                    state.prompt, messages, answer.content, {"problem": "\n".join(problems), "kept": titles}
                )
        except (ItemFailed, BudgetExhausted) as failed:
            log.warning("%s: %s", self.model, failed)
            reason = failed.outcome if isinstance(failed, ItemFailed) else Reason.BUDGET_EXHAUSTED
        state.reasons |= {cluster.cluster_id: reason for cluster in group if cluster.cluster_id not in state.kept}


class _NamingState:
    """The naming of one run's clusters as far as it is."""

    def __init__(
        self,
        fence: Callable[[], str],
        prompt: Mapping[str, str],
        evidence: Sequence[ClusterEvidence],
        subject: str,
        named: Mapping[int, Label],
    ):
        self.fence, self.prompt, self.evidence, self.subject = fence, prompt, evidence, subject
        self.kept = {cluster_id: Name(label.title, ()) for cluster_id, label in named.items()}
        self.reasons: dict[int, Reason] = {}
        self.spent: list[CallUsage] = []

    def others(self, group: Sequence[ClusterEvidence]) -> list[tuple[ClusterEvidence, str | None]]:
        """Clusters that are not of the group, with their titles as far as they have one."""
        ids = {cluster.cluster_id for cluster in group}
        titles = {cluster_id: name.title for cluster_id, name in self.kept.items()}
        return [(cluster, titles.get(cluster.cluster_id)) for cluster in self.evidence if cluster.cluster_id not in ids]


def _read(
    answer: ChatAnswer, evidence: Sequence[ClusterEvidence], fence: str, kept: dict[int, Name]
) -> tuple[dict[int, Name], list[str]]:
    """The names that stand now, and what is wrong with the others."""
    try:
        if answer.cut:
            raise InputRejected("the answer was cut off because it became too long")
        names = read_names(read_object(answer.content), evidence, fence, kept)
    except InputRejected as problem:
        return kept, [f"- every group: {problem}"]
    return names.good, [f"- group {cluster_id}: {problem}" for cluster_id, problem in names.problems.items()]


def _label(by_keywords: Label, name: Name | None, reason: Reason | None) -> Label:
    if name is None:
        return Label(
            cluster_id=by_keywords.cluster_id,
            title=by_keywords.title,
            description=by_keywords.description,
            source=by_keywords.source,
            keywords=by_keywords.keywords,
            reason=str(reason or Reason.INVALID_RESPONSE),
        )
    description = "\n".join(f"- {statement}" for statement in name.description)
    return Label(by_keywords.cluster_id, name.title, description, "llm", by_keywords.keywords)


def _with_shares(labels: list[Label], spent: Sequence[CallUsage]) -> list[Label]:
    """Labels with an even share each of what the calls took; the sums over the labels are those of the calls."""
    if not spent:
        return labels
    reads = _shares(_total([call.usage.input_tokens for call in spent]), len(labels))
    writes = _shares(_total([call.usage.output_tokens for call in spent]), len(labels))
    cost = _total([call.cost_usd for call in spent])
    each = None if cost is None else cost / len(labels)
    return [
        replace(label, input_tokens=read, output_tokens=written, cost_usd=each)
        for label, read, written in zip(labels, reads, writes, strict=True)
    ]


def _total(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(values) else None


def _shares(total: int | None, count: int) -> Sequence[int | None]:
    if total is None:
        return [None] * count
    return [total // count + (place < total % count) for place in range(count)]


def _clashing(labels: Sequence[Label]) -> set[int]:
    """Clusters named by the model whose title another cluster has too."""
    same = set(same_titles({label.cluster_id: label.title for label in labels}))
    return {label.cluster_id for label in labels if label.source == "llm" and label.cluster_id in same}
