"""How much of the traces a page may tell, as it may be handed on."""

from enum import StrEnum


class Content(StrEnum):
    """`text`: titles, summaries and numbered texts. `summaries`: no texts. `none`: figures and cluster names only."""

    TEXT = "text"
    SUMMARIES = "summaries"
    NONE = "none"
