"""Builds the prompt that names the clusters of one run, and the schema of its answer.

A call sees every sibling, in full or as one line: a name has to set its cluster apart from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.summarization.prompt import ChatMessage, fill, without_fence
from llma_assets.traces.safe_text import one_line

SCHEMA_NAME = "cluster_names"
TITLE_WORDS = (3, 10)
BULLETS = (2, 5)
# About 30,000 tokens for the evidence of all clusters; each gets an even share of it.
MAX_EVIDENCE_CHARS = 120_000
_MIN_SHARE_CHARS = 600
_NEAR_SHARE = 0.7
_MAX_TERMS = 12
_OTHER_TERMS = 5
_TITLE_CHARS = 120
_STATEMENT_CHARS = 200
_STATEMENTS = 3


def build_messages(
    prompt: Mapping[str, str],
    evidence: Sequence[ClusterEvidence],
    fence: str,
    others: Sequence[tuple[ClusterEvidence, str | None]] = (),
) -> list[ChatMessage]:
    """Messages that ask for a name for each cluster.

    Args:
        prompt: sections `system` and `user` of a prompt file.
        fence: a mark that nobody could foresee, new for every call; the evidence stands between two of it.
        others: siblings that another call names, with their titles where they have one already.
    """
    share = max(_MIN_SHARE_CHARS, MAX_EVIDENCE_CHARS // max(1, len(evidence)))
    blocks = [_block(cluster, share) for cluster in evidence]
    if others:
        blocks.append("\n".join(["OTHER GROUPS", *(_other_line(cluster, title) for cluster, title in others)]))
    values = {
        "fence": fence,
        "title_min": TITLE_WORDS[0],
        "title_max": TITLE_WORDS[1],
        "bullets_min": BULLETS[0],
        "bullets_max": BULLETS[1],
        "count": len(evidence),
        "text": without_fence("\n\n".join(blocks), fence),
    }
    return [
        {"role": "system", "content": fill(prompt["system"], values)},
        {"role": "user", "content": fill(prompt["user"], values)},
    ]


def label_schema() -> dict[str, Any]:
    """Strict JSON schema of the names; what it cannot say, `response.read_names` checks."""
    entry = {
        "cluster_id": {"type": "integer"},
        "title": {"type": "string"},
        "description": {"type": "array", "items": {"type": "string"}},
    }
    return {
        "type": "object",
        "properties": {
            "clusters": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": entry,
                    "required": list(entry),
                    "additionalProperties": False,
                },
            }
        },
        "required": ["clusters"],
        "additionalProperties": False,
    }


def _other_line(cluster: ClusterEvidence, title: str | None) -> str:
    terms = "; ".join(one_line(term, 60) for term, _ in cluster.terms[:_OTHER_TERMS])
    return f"- {cluster.size} members" + (f", named {title!r}" if title else "") + f": {terms or '(no terms)'}"


def _block(cluster: ClusterEvidence, share_chars: int) -> str:
    terms = "; ".join(one_line(term, 60) for term, _ in cluster.terms[:_MAX_TERMS])
    head = [f"GROUP {cluster.cluster_id}: {cluster.size} members", f"terms: {terms or '(none)'}"]
    near = list(_within(_lines(cluster.near), int(share_chars * _NEAR_SHARE)))
    edge = list(_within(_lines(cluster.edge), share_chars - sum(map(len, near))))
    return "\n".join([*head, "near:", *near, *(["edge:", *edge] if edge else [])])


def _lines(items: Sequence[ItemEvidence]) -> Iterator[str]:
    """One physical line each, so that nothing in an item can look like the start of another group."""
    for item in items:
        statements = [one_line(said, _STATEMENT_CHARS) for said in (*item.bullets[:_STATEMENTS], *item.notes[:1])]
        yield f"- {one_line(item.title, _TITLE_CHARS)}" + "".join(f" | {said}" for said in statements)


def _within(lines: Iterator[str], budget_chars: int) -> Iterator[str]:
    """The lines that fit; the first is cut rather than left out."""
    for position, line in enumerate(lines):
        if len(line) > budget_chars:
            if position == 0:
                yield line[: max(budget_chars, _TITLE_CHARS)]
            return
        budget_chars -= len(line) + 1
        yield line
