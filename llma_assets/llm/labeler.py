"""Names of clusters by a model, all in one call; keywords for whatever it does not name well."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from llma_assets.errors import InputRejected
from llma_assets.labeling.keywords import label_by_keywords
from llma_assets.labeling.label import ClusterEvidence, Label
from llma_assets.labeling.prompt import SCHEMA_NAME, build_messages, label_schema
from llma_assets.labeling.response import Name, read_names, same_titles
from llma_assets.llm.answer import read_object
from llma_assets.llm.background import BackgroundLoop
from llma_assets.llm.client import ChatAnswer, LlmClient, RetryPolicy
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.failures import ItemFailed
from llma_assets.llm.fence import new_fence
from llma_assets.llm.prompts import load_prompt
from llma_assets.settings import Settings
from llma_assets.summarization.prompt import repair_messages
from llma_assets.vocabulary import Reason

log = logging.getLogger(__name__)

PROMPT_VERSION = "label.v1"
MODEL_SETTING = "LLMA_OPENAI_LABEL_MODEL"
# A name takes about 150 tokens; models that think first count their thoughts as output.
_BASE_OUTPUT_TOKENS = 6_000
_OUTPUT_TOKENS_PER_CLUSTER = 300
_MAX_OUTPUT_TOKENS = 32_000


class OpenAILabeler:
    """Asks an OpenAI-compatible server to name all clusters of a run.

    Args:
        model_name: as the server calls it.
        fence: gives the random mark of each call.
    """

    prompt_version: str | None = PROMPT_VERSION

    def __init__(
        self,
        model_name: str,
        *,
        endpoint: Endpoint | None = None,
        policy: RetryPolicy | None = None,
        fence: Callable[[], str] = new_fence,
    ):
        self.model: str | None = f"openai/{model_name}"
        self._model_name = model_name
        self._endpoint = endpoint or Endpoint()
        self._policy = policy or RetryPolicy()
        self._fence = fence
        self._prompt = load_prompt(PROMPT_VERSION)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The labeler that the settings describe."""
        return cls(
            settings.openai_label_model,
            endpoint=Endpoint(settings.openai_base_url, settings.openai_timeout_s),
        )

    def label(self, evidence: Sequence[ClusterEvidence]) -> list[Label]:
        """One label for each cluster, in the order given.

        A cluster that the model does not name, or not well, gets its keyword label with `reason` set.

        Raises:
            FailFast: no call can succeed as things are set (a wrong key must not look like a weak name).
        """
        if not evidence:
            return []
        with BackgroundLoop() as loop:
            names, reason = loop.run(self._names(evidence))
        by_keywords = label_by_keywords(evidence)
        labels = [_label(one, names.get(one.cluster_id), reason) for one in by_keywords]
        # A keyword title may happen to be one that the model gave to a sibling; keyword titles among themselves differ.
        while clashing := _clashing(labels):
            labels = [
                _label(one, None, Reason.INVALID_RESPONSE) if one.cluster_id in clashing else label
                for one, label in zip(by_keywords, labels, strict=True)
            ]
        return labels

    async def _names(self, evidence: Sequence[ClusterEvidence]) -> tuple[Mapping[int, Name], Reason | None]:
        """Usable names by cluster id, and why the others have none."""
        client = LlmClient(self._endpoint, self._policy, self._model_name, MODEL_SETTING)
        try:
            return await self._ask(client, evidence)
        finally:
            await client.close()

    async def _ask(
        self, client: LlmClient, evidence: Sequence[ClusterEvidence]
    ) -> tuple[Mapping[int, Name], Reason | None]:
        fence = self._fence()
        messages = build_messages(self._prompt, evidence, fence)
        budget = min(_MAX_OUTPUT_TOKENS, _BASE_OUTPUT_TOKENS + _OUTPUT_TOKENS_PER_CLUSTER * len(evidence))
        left = self._policy.max_attempts
        kept: dict[int, Name] = {}
        for _ in ("first answer", "repair"):
            try:
                answer = await client.chat(messages, SCHEMA_NAME, label_schema(), budget, max(1, left))
            except ItemFailed as failed:
                log.warning("%s: %s", self.model, failed)
                return kept, failed.reason
            left -= answer.took.attempts
            if answer.refused:
                return kept, Reason.REFUSED
            kept, problems = _read(answer, evidence, fence, kept)
            if not problems:
                return kept, None
            log.warning("%s: %d of %d clusters not named: %s", self.model, len(problems), len(evidence), problems[0])
            titles = "; ".join(name.title for name in kept.values()) or "(none)"
            messages = repair_messages(
                self._prompt, messages, answer.content, {"problem": "\n".join(problems), "kept": titles}
            )
        return kept, Reason.INVALID_RESPONSE


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


def _clashing(labels: Sequence[Label]) -> set[int]:
    """Clusters named by the model whose title another cluster has too."""
    same = set(same_titles({one.cluster_id: one.title for one in labels}))
    return {one.cluster_id for one in labels if one.source == "llm" and one.cluster_id in same}
