"""Checks a model's summary before any of it is kept: shape, lengths, line refs, links.

What can be mended without guessing is mended (a title that is a little long, a ref to a line that is not there);
the rest is refused, with a message for the model that quotes nothing of its answer.
"""

import re
from collections.abc import Mapping
from typing import Any

from llma_assets.errors import InputRejected
from llma_assets.summarization.flow import flow_diagram
from llma_assets.summarization.grounding import dictated_stems, stems_of, words_of
from llma_assets.summarization.prompt import BULLETS, MAX_NOTES, MAX_STEPS, MAX_TITLE_WORDS
from llma_assets.summarization.summary import Note, Summary
from llma_assets.traces.representation import TextRepresentation
from llma_assets.traces.safe_text import is_readable, one_line

MAX_TITLE_CHARS = 120
MAX_STATEMENT_CHARS = 500
MAX_REFS = 5
# A title of up to this many words is cut to the limit; a longer one is no title at all.
_TOLERATED_WORDS = 2 * MAX_TITLE_WORDS
# A title is not cut so that it ends in one of these.
# fmt: off
_DANGLING = frozenset((
    "a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "using",
    "via", "vs", "with", "without",
))
# fmt: on

_LINK = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,20}://|\b(?:javascript|vbscript|data|mailto):(?=\S)|\bwww\.)([^\s/?#\"'<>()\[\]]*)[^\s\"'<>()\[\]]*",
    re.IGNORECASE,
)
_REF = re.compile(r"\bL?(\d{1,9})(?:\s*[-–—]\s*L?(\d{1,9}))?\b", re.IGNORECASE)


def read_summary(answer: Mapping[str, Any], text: TextRepresentation, mode: str, fence: str) -> Summary:
    """The summary that a model's answer holds.

    Args:
        answer: the JSON object as parsed; any values in it.
        text: what the model was shown; only lines that it holds can be referred to.
        fence: the mark of that call. An answer that repeats it gives away its instructions and is refused.

    Raises:
        InputRejected: with the field, what is wrong with it, and what is asked for.
    """
    flow = answer.get("flow_steps")
    if not isinstance(flow, list) or not all(isinstance(step, str) for step in flow):
        raise InputRejected("`flow_steps` must be a list of strings")
    bullets = _notes(answer, "summary_bullets", text, BULLETS[mode][1])
    if not bullets:
        raise InputRejected("`summary_bullets` is empty; at least one statement is needed")
    steps = [without_links(one_line(step)) for step in flow]
    summary = Summary(
        title=_title(answer.get("title")),
        flow_diagram=flow_diagram(steps, MAX_STEPS),
        bullets=bullets,
        notes=_notes(answer, "interesting_notes", text, MAX_NOTES),
    )
    if stems_of(words_of(summary.title)) & dictated_stems(text.text):
        raise InputRejected("`title` repeats what the run tells its reader to write; say what the user wanted")
    said = [summary.title, *steps, *(note.text for note in (*summary.bullets, *summary.notes))]
    if any(fence.strip("= ") in statement for statement in said):
        raise InputRejected("the answer repeats the mark that encloses the run")
    return summary


def without_links(text: str) -> str:
    """Text in which a link is only the name of its host: nothing to click, nothing to fetch, nothing carried out."""
    return _LINK.sub(lambda match: match[1].rsplit("@", 1)[-1] or "[link]", text)


def has_link(text: str) -> bool:
    """Whether the text holds a link."""
    return _LINK.search(text) is not None


def checked_refs(refs: str, text: TextRepresentation, limit: int = MAX_REFS) -> str:
    """Those of the refs that point at lines which the text shows, as `L5-9, L12`; empty where none does."""
    found: list[str] = []
    for first, last in _REF.findall(refs[:1_000]):
        start, end = int(first), int(last or first)
        if 1 <= start <= end <= text.line_count:
            found.append(text.line_ref(start, end))
    return ", ".join([ref for ref in dict.fromkeys(found) if ref][:limit])


def _title(value: object) -> str:
    if not isinstance(value, str):
        raise InputRejected("`title` must be a string")
    words = one_line(without_links(value[:2_000]), 2_000).strip(" \"'“”‘’`*#.").split()
    if len(words) > _TOLERATED_WORDS or len(value) > 2_000:
        raise InputRejected(f"`title` is too long; it may have {MAX_TITLE_WORDS} words")
    if len(words) > MAX_TITLE_WORDS:
        words = words[:MAX_TITLE_WORDS]
        while len(words) > 1 and words[-1].lower() in _DANGLING:
            words.pop()
    title = one_line(" ".join(words).rstrip(",;:–-"), MAX_TITLE_CHARS)
    if not is_readable(title):
        raise InputRejected("`title` says nothing; it must name what the user wanted")
    return title


def _notes(answer: Mapping[str, Any], field: str, text: TextRepresentation, limit: int) -> tuple[Note, ...]:
    statements = answer.get(field)
    if not isinstance(statements, list):
        raise InputRejected(f"`{field}` must be a list of objects with `text` and `line_refs`")
    notes = []
    for statement in statements:
        said = statement.get("text") if isinstance(statement, dict) else None
        refs = statement.get("line_refs") if isinstance(statement, dict) else None
        if not isinstance(said, str) or not isinstance(refs, str):
            raise InputRejected(f"every entry of `{field}` must be an object with the strings `text` and `line_refs`")
        sentence = one_line(without_links(said[: 4 * MAX_STATEMENT_CHARS]), MAX_STATEMENT_CHARS).lstrip("-*• ")
        if is_readable(sentence):
            notes.append(Note(sentence, checked_refs(refs, text)))
    return tuple(notes[:limit])
