"""Cuts what people write to prompts into sentences and titles, without a model."""

import re

from llma_assets.summarization.lead_ins import without_lead_in

MAX_TITLE_WORDS = 10
MAX_TITLE_CHARS = 90

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TRUNCATED = re.compile(r"… \(\d+ chars truncated\) …")
_MARKDOWN = re.compile(r"\*\*|__|^[ \t]*(?:#{1,6}|[-*•>]|\d{1,2}[.)])[ \t]+", re.MULTILINE)
_LINK = re.compile(r"\[([^\]\n]{1,200})\]\((?:[^)\s]{1,400})\)")
# A sentence ends at . ! ? or their full-width forms, or at a line break; not after "e.g." and not inside "3.5".
_END = re.compile(r"[.!?…][\"”’)]?(?=\s)|[。！？]|\n")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|vs|Dr|Mr|Mrs|Ms|St|No|approx)$")
# Prompts that carry retrieved text: what the person asked stands before it, or after "Question:".
_CONTEXT = re.compile(
    r"\n?\s*(?:#{1,3}\s*)?(?:use (?:this|these|the) (?:following )?[\w ]{0,40}?(?:documentation|context|documents?|"
    r"information|passages?|snippets?)\b[\w ]{0,40}:|(?:retrieved )?context:\s|###\s*input:)",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"(?:^|\n)\s*(?:#{1,3}\s*)?(?:user )?(?:question|query|request|instruction|task)\s*:\s*", re.IGNORECASE
)
_NO_INPUT = re.compile(r"<\s*no\s?input\s*>|###\s*(?:instruction|input|response)\s*:?", re.IGNORECASE)

_CLAUSE_WORDS = "because since so but although while whereas due thanks and then"
_CLAUSE_END = re.compile(
    rf"\s*(?:[;:–—]|,(?!\d)|\s-\s|\.\.\.|…|\s->)\s*|\s+(?=(?:{'|'.join(_CLAUSE_WORDS.split())})\b)", re.IGNORECASE
)
# Clauses that narrow a subject down: cutting before one is fine only if enough stands before it.
_NARROWING_WORDS = "which who where when if as or using without based given that whether with"
_NARROWING = re.compile(rf"\s+(?=(?:{'|'.join(_NARROWING_WORDS.split())})\b)", re.IGNORECASE)
# "… and I would like a refund": the next clause has a subject of its own.
_NEXT_SUBJECT = re.compile(r",?\s+(?:and|but|so)\s+(?=(?:i|we|you|then|also)\b)", re.IGNORECASE)
_PARENTHESIS = re.compile(r"\s*\([^()]{0,200}\)")
# Fewest words of a title that ends at such a place.
_MIN_CLAUSE_WORDS = 5
_MIN_NARROWED_WORDS = 7
_MIN_SUBJECT_WORDS = 3
_CUTS = (
    (_CLAUSE_END, _MIN_CLAUSE_WORDS),
    (_NEXT_SUBJECT, _MIN_SUBJECT_WORDS),
    (_NARROWING, _MIN_NARROWED_WORDS),
)
_PREPOSITION_WORDS = (
    "of to in on at by for from with about into between than per via within under over through during like"
)
_PREPOSITIONS = frozenset(_PREPOSITION_WORDS.split())
# Words that no title ends with.
_DANGLING_WORDS = (
    "a an the and or but as is are was were be been my your his her its our their this that these those which who if "
    "so not no it i me we you he she they then because can could would should will do does did have has had am also "
    "any some such trying where when how called named written i'd i'm i've i’d i’m i’ve very using each without more "
    "most both either please only one two"
)
_DANGLING = _PREPOSITIONS | frozenset(_DANGLING_WORDS.split())


def plain_request(text: str) -> str:
    """What a person asked, out of a prompt that may carry retrieved context, markup and template marks."""
    text = unescaped(text)
    text = _NO_INPUT.sub("\n", text) if "<" in text or "#" in text else text
    questions = list(_QUESTION.finditer(text))
    if questions and len(text) - questions[-1].end() >= 8 and (len(text) > 400 or questions[-1].start() == 0):
        text = text[questions[-1].end() :]
    context = _CONTEXT.search(text)
    if context and len(text[: context.start()].strip()) >= 12:
        text = text[: context.start()]
    return text.strip()


def unescaped(text: str) -> str:
    """Some exporters leave line breaks escaped."""
    return text.replace("\\n", "\n") if "\\n" in text else text


def prose(text: str) -> str:
    """Text without code blocks and Markdown marks."""
    text = _FENCE.sub("\n", text)
    text = _LINK.sub(r"\1", text)
    return _MARKDOWN.sub("", text).replace("`", "")


def sentences(text: str) -> list[str]:
    """Sentences in order, each on one line; what was cut out of a long text ends a sentence."""
    text = _TRUNCATED.sub("\n", text)
    result, start = [], 0
    for match in _END.finditer(text):
        if match[0][0] == "." and _ABBREVIATION.search(text, max(0, match.start() - 8), match.start()):
            continue
        result.append(" ".join(text[start : match.end()].split()))
        start = match.end()
    result.append(" ".join(text[start:].split()))
    return [line for line in result if line]


def is_prose(sentence: str) -> bool:
    """Whether a line is made of words rather than of code, tables or data."""
    if sentence.startswith(("{", "[", "<", "import ", "from ", "def ", "return ", "print(")):
        return False
    telling = sum(map(str.isalpha, sentence)) + sentence.count(" ")
    return telling >= 0.72 * len(sentence)


def excerpt(parts: list[str], max_chars: int) -> str:
    """As many whole sentences as fit; a first one that is too long is cut at a word."""
    shown = ""
    for part in parts:
        joined = f"{shown} {part}".strip()
        if len(joined) > max_chars:
            break
        shown = joined
    if shown or not parts:
        return shown
    head = parts[0][: max_chars - 1]
    cut = head.rfind(" ")
    return (head[:cut] if cut > max_chars // 2 else head).rstrip(" ,;:") + "…"


def title_of(sentence: str) -> str:
    """At most ten words that say what a sentence is about, cut where a clause ends if one does."""
    text = without_lead_in(sentence.strip(" \"'“”‘’*_-–—•>#"))
    words = text.split()
    if len(words) > MAX_TITLE_WORDS or len(text) > MAX_TITLE_CHARS:
        words = _cut(_PARENTHESIS.sub("", text))
    while len(words) > 2 and words[-1].lower().strip(",;:.!?") in ("please", "thanks", "too"):
        words.pop()
    text = " ".join(words).strip(" .,;:!?…-–—(\"'“”‘’*_。！？、，")
    if text.count("(") > text.count(")"):
        text = text[: text.rindex("(")].rstrip(" ,;:")
    return text[:1].upper() + text[1:]


def _cut(text: str) -> list[str]:
    """The longest whole clause that fits, else ten words."""
    if len(text.split()) <= MAX_TITLE_WORDS and len(text) <= MAX_TITLE_CHARS:
        return text.split()
    for pattern, least in _CUTS:
        best: list[str] = []
        for match in pattern.finditer(text[: MAX_TITLE_CHARS + 1]):
            words = text[: match.start()].split()
            if least <= len(words) <= MAX_TITLE_WORDS:
                best = words
        if best:
            return _trimmed(best)
    return _hard_cut(text)


def _hard_cut(text: str) -> list[str]:
    """Ten words, less the phrase that the cut would break."""
    best = text.split()[:MAX_TITLE_WORDS]
    while len(" ".join(best)) > MAX_TITLE_CHARS and len(best) > 1:
        best.pop()
    if len(best) == 1 and len(best[0]) > MAX_TITLE_CHARS:
        # A script without spaces, or one endless token.
        return [best[0][: MAX_TITLE_CHARS // 2] + "…"]
    for back in (1, 2, 3):
        # "to" is spared: more often than a place, an action follows it.
        if len(best) - back >= 6 and best[-back].lower() in _PREPOSITIONS - {"to"}:
            best = best[:-back]
            break
    return _trimmed(best)


def _trimmed(words: list[str]) -> list[str]:
    while len(words) > 3 and words[-1].lower().strip(",;:") in _DANGLING:
        words = words[:-1]
    return words
