"""What a summary is, whoever wrote it, and the text that is embedded for it."""

from dataclasses import dataclass

# Raised whenever the same summary is embedded as another text than before.
EMBEDDING_TEXT_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Note:
    """One statement about an item, and the lines of its text representation that show it.

    `line_refs` reads like `L45` or `L5-9, L12`; empty where nothing in the text shows it.
    """

    text: str
    line_refs: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of one item.

    Attributes:
        title: at most ten words.
        flow_diagram: Mermaid `flowchart`, written by us from checked nodes, never by a model.
        bullets: what was tried, what was done, whether it worked.
        notes: failures, strong emotion, anything unusual. May be empty.
    """

    title: str
    flow_diagram: str
    bullets: tuple[Note, ...]
    notes: tuple[Note, ...] = ()


def embedding_text(title: str | None, flow: str | None, bullets: list[str], notes: list[str]) -> str:
    """The text that stands for a summary in the vector space: no line refs, empty parts left out."""
    parts = []
    if title:
        parts.append(f"Title: {title}")
    if flow:
        parts.append(f"Flow:\n{flow}")
    if bullets:
        parts.append("Summary:\n" + "\n".join(f"- {bullet}" for bullet in bullets))
    if notes:
        parts.append("Interesting Notes:\n" + "\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts)
