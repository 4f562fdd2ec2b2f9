"""Checks the names that a model gave, cluster by cluster. An answer is matched by id, never by position."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llma_assets.errors import InputRejected
from llma_assets.labeling.label import ClusterEvidence
from llma_assets.labeling.prompt import BULLETS, TITLE_WORDS
from llma_assets.summarization.grounding import SPACELESS, is_addressed_to_reader, stems_of, words_of
from llma_assets.summarization.response import has_link, without_links
from llma_assets.traces.safe_text import is_readable, one_line

MAX_TITLE_CHARS = 100
MAX_STATEMENT_CHARS = 300
# Characters that mean something to HTML, Markdown, Mermaid or a spreadsheet, and nothing in a title.
_FORBIDDEN = frozenset('<>{}[]|`*\\^~;="@')


@dataclass(frozen=True, slots=True)
class Name:
    """A checked name: a title, and statements without a leading dash."""

    title: str
    description: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What an answer holds: usable names by cluster id, and for every other cluster what is wrong."""

    good: dict[int, Name]
    problems: dict[int, str]


def read_names(
    answer: Mapping[str, Any],
    evidence: Sequence[ClusterEvidence],
    fence: str,
    kept: Mapping[int, Name] | None = None,
) -> Names:
    """Match an answer's entries to clusters and check each.

    Args:
        answer: the JSON object as parsed; any values in it.
        evidence: of every cluster of the run.
        fence: the mark of that call, which no name may repeat.
        kept: names from an earlier answer that stand. The answer is not read for those clusters, and no other
            cluster may take one of these titles.

    Raises:
        InputRejected: the answer has no list of entries at all.
    """
    entries = answer.get("clusters")
    if not isinstance(entries, list):
        raise InputRejected("`clusters` must be a list with one entry for each group")
    kept = kept or {}
    by_id: dict[int, list[dict[str, Any]]] = {}
    for entry in entries:
        cluster_id = entry.get("cluster_id") if isinstance(entry, dict) else None
        if isinstance(cluster_id, int) and not isinstance(cluster_id, bool):
            by_id.setdefault(cluster_id, []).append(entry)
    good, problems = dict(kept), {}
    for cluster in evidence:
        if cluster.cluster_id in kept:
            continue
        try:
            good[cluster.cluster_id] = _name(by_id.get(cluster.cluster_id, []), cluster, fence)
        except InputRejected as problem:
            problems[cluster.cluster_id] = str(problem)
    for cluster_id in same_titles({cluster_id: name.title for cluster_id, name in good.items()}):
        if cluster_id not in kept:
            problems[cluster_id] = "its title is also that of another group"
            del good[cluster_id]
    return Names(good, problems)


def same_titles(titles: Mapping[int, str]) -> list[int]:
    """Clusters whose title another one has too; case, punctuation and the order of words do not count."""
    keys = {cluster_id: tuple(sorted(words_of(title))) for cluster_id, title in titles.items()}
    counts = Counter(keys.values())
    return [cluster_id for cluster_id, key in keys.items() if counts[key] > 1]


def _name(entries: list[dict[str, Any]], cluster: ClusterEvidence, fence: str) -> Name:
    if len(entries) != 1:
        raise InputRejected(f"it has {len(entries)} entries instead of one")
    title = _title(entries[0].get("title"))
    lines = entries[0].get("description")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputRejected("its `description` is not a list of strings")
    statements = [one_line(without_links(line[:4_000]), MAX_STATEMENT_CHARS).lstrip("-*• ") for line in lines]
    statements = [statement for statement in statements if is_readable(statement)][: BULLETS[1]]
    if len(statements) < BULLETS[0]:
        raise InputRejected(
            f"its `description` has {len(statements)} statements; {BULLETS[0]} to {BULLETS[1]} are asked for"
        )
    if any(fence.strip("= ") in said for said in (title, *statements)):
        raise InputRejected("it repeats the mark that encloses the groups")
    if not is_grounded(title, cluster):
        raise InputRejected("its title does not rest on its evidence; use words that several of its members use")
    return Name(title, tuple(statements))


def _title(value: object) -> str:
    if not isinstance(value, str):
        raise InputRejected("its `title` is not a string")
    if len(value) > 2 * MAX_TITLE_CHARS:
        raise InputRejected(f"its `title` is longer than {MAX_TITLE_CHARS} characters")
    title = one_line(value, 2 * MAX_TITLE_CHARS).strip(" \"'“”‘’.")
    if has_link(title):
        raise InputRejected("its `title` holds a link")
    if any(char in _FORBIDDEN or unicodedata.category(char) in ("So", "Cn", "Co", "Cs") for char in title):
        raise InputRejected("its `title` holds characters other than letters, digits and plain punctuation")
    words = title.split()
    least, most = TITLE_WORDS
    spaceless = SPACELESS.search(title) is not None
    if len(title) > MAX_TITLE_CHARS or (not spaceless and not least <= len(words) <= most):
        raise InputRejected(f"its `title` has {len(words)} words; {least} to {most} are asked for")
    if not is_readable(title):
        raise InputRejected("its `title` says nothing")
    return title


def is_grounded(title: str, cluster: ClusterEvidence) -> bool:
    """Whether a title rests on what the labeller was shown of the cluster.

    Some word of it, or one of its stem, is used by two members or is among the distinguishing terms, at least half
    of its words are used at all, and none only where a text speaks to whoever reads it.
    """
    members, addressed = _member_stems(cluster)
    counts = Counter(stem for stems in members for stem in stems)
    terms = stems_of(words_of(" ".join(term for term, _ in cluster.terms)))
    wanted = stems_of(words_of(title))
    shared = {stem for stem in wanted if stem in terms or counts[stem] >= min(2, len(members))}
    used = {stem for stem in wanted if stem in terms or counts[stem]}
    return bool(shared) and 2 * len(used) >= len(wanted) and not (wanted & addressed) - used


def _member_stems(cluster: ClusterEvidence) -> tuple[list[set[str]], set[str]]:
    """Stems that each member uses; and those in statements that are addressed to the reader, which do not count."""
    members, addressed = [], set()
    for item in (*cluster.near, *cluster.edge):
        said = (item.title, *item.bullets, *item.notes)
        members.append(stems_of(words_of(" ".join(line for line in said if not is_addressed_to_reader(line)))))
        addressed |= stems_of(words_of(" ".join(line for line in said if is_addressed_to_reader(line))))
    return members, addressed
