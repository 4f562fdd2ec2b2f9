"""Summarizes a trace without a model: picks what was asked, done and answered, in the words of the trace.

It costs nothing, sends nothing anywhere, and says only what a line of the text shows.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from llma_assets.summarization.flow import flow_diagram
from llma_assets.summarization.lead_ins import without_lead_in
from llma_assets.summarization.sentences import (
    excerpt,
    is_prose,
    plain_request,
    prose,
    sentences,
    title_of,
    unescaped,
)
from llma_assets.summarization.signals import (
    announces_handover,
    asks_directly,
    code_languages,
    content_words,
    is_closing,
    is_greeting,
    is_handover_tool,
    looks_up,
    refuses,
    reports_failure,
    request_score,
    shows_feeling,
)
from llma_assets.summarization.summary import Note, Summary
from llma_assets.traces.representation import Entry, TextRepresentation

# Changes whenever the same text gives another summary; part of a summary's cache key.
EXTRACTIVE_VERSION = "1"

# How the bullets begin that hold the user's own words.
ASKED, OPENED, DETAILS, THEN_ASKED = "User asked", "Opened with", "Details given", "Then asked"

Mode = Literal["minimal", "detailed"]
_MAX_BULLETS: dict[Mode, int] = {"minimal": 5, "detailed": 10}
_MAX_NOTES = 5
_BULLET_CHARS = 300
_ARGUMENT_CHARS = 100
# The outcome is told in fewer words than the wish: what tells clusters apart is what people want, and long
# outcomes were seen to pull unlike airline conversations together.
_OUTCOME_CHARS = 160
# How far back from a mere goodbye the end of a conversation is looked for.
_LAST_ANSWERS = 4
# A sentence of this score names its subject (see `signals.request_score`).
_CLEAR = 4


@dataclass(frozen=True, slots=True)
class _Request:
    """One turn of the user that asks for something."""

    entry: Entry
    sentences: list[str]
    best: str
    score: int


def request_bullets(bullets: Sequence[str]) -> list[str]:
    """The bullets that hold what the user asked for, in the user's words."""
    return [bullet for bullet in bullets if bullet.startswith((ASKED, OPENED, DETAILS, THEN_ASKED))]


def summarize(representation: TextRepresentation, mode: Mode = "detailed") -> Summary:
    """Title, flow, bullets and notes of one item, from its text representation alone.

    Args:
        mode: `detailed` gives up to ten bullets, `minimal` up to five; fewer where there is less to say.

    Returns:
        A summary whose line refs all point at lines that the text shows.
    """
    content = _TraceContent(representation)
    bullets = [*content.requests(), *content.actions(), *content.failures(), *content.outcome()]
    limit = _MAX_BULLETS[mode]
    if len(bullets) > limit:
        bullets = _most_telling(bullets, limit)
    return Summary(
        title=content.title(),
        flow_diagram=flow_diagram(content.steps()),
        bullets=tuple(note for _, note in bullets),
        notes=tuple(content.notes()[:_MAX_NOTES]),
    )


_Ranked = tuple[int, Note]


def _most_telling(bullets: list[_Ranked], limit: int) -> list[_Ranked]:
    """The bullets of the best rank (0 first), in their order."""
    kept = sorted(sorted(range(len(bullets)), key=lambda index: (bullets[index][0], index))[:limit])
    return [bullets[index] for index in kept]


class _TraceContent:
    """What happened, read off the entries of a text representation."""

    def __init__(self, representation: TextRepresentation) -> None:
        self._text = representation
        entries = representation.entries
        self._calls = [entry for entry in entries if entry.kind == "tool_call"]
        self._results = [entry for entry in entries if entry.kind == "tool_result"]
        self._answers = [e for e in entries if e.kind == "message" and e.role == "assistant" and e.readable]
        self._asked = _requests(entries)
        self._main = next((request for request in self._asked if request.score >= _CLEAR), None)
        if self._main is None and self._asked:
            self._main = max(self._asked, key=lambda request: request.score)
        self._last = self._answers[-1] if self._answers else _last_output(entries)
        self._failed = [e for e in self._results if e.is_error or reports_failure(e.text)]
        self._errors = [e for e in entries if e.kind == "error"]

    def _note(self, text: str, *entries: Entry) -> Note:
        refs = [self._text.line_ref(entry.first_line, entry.last_line) for entry in entries[:5]]
        return Note(text, ", ".join(dict.fromkeys(ref for ref in refs if ref)))

    # --- title -------------------------------------------------------------------------------------

    def title(self) -> str:
        candidates = [self._main.best] if self._main else []
        candidates += [sentence for entry in self._answers[:1] for sentence in sentences(prose(entry.text))[:1]]
        if self._last is not None:
            candidates += sentences(prose(self._last.text))[:1]
        candidates += [entry.text for entry in self._errors[:1]]
        candidates += [entry.name.replace("_", " ") for entry in self._calls[:1]]
        for candidate in candidates:
            title = title_of(candidate)
            if title:
                return title
        return title_of(self._text.name.replace("_", " ")) or "Trace without text"

    # --- bullets: (rank, note), in the order of a story ----------------------------------------------

    def requests(self) -> Iterable[_Ranked]:
        main = self._main
        if main is None:
            return
        yield 0, self._note(f"{ASKED}: {excerpt(_from_best(main), _BULLET_CHARS)}", main.entry)
        rest = _left_out(main)
        if rest:
            yield 4, self._note(f"{DETAILS}: {rest}", main.entry)
        told = set(content_words(" ".join(main.sentences)))
        shown = 0
        for request in self._asked:
            words = content_words(" ".join(request.sentences))
            # Asking again for the same thing is not a further request.
            news = len(words - told) >= max(2, len(words) // 3)
            if request is main or request.score < 3 or not news or shown >= 4:
                continue
            told |= words
            shown += 1
            before = request.entry.first_line < main.entry.first_line
            opening = OPENED if before else THEN_ASKED
            yield (
                (2 if shown == 1 else 5),
                self._note(f"{opening}: {excerpt(_from_best(request), _BULLET_CHARS)}", request.entry),
            )

    def actions(self) -> Iterable[_Ranked]:
        if not self._calls:
            spans = [e for e in self._text.entries if e.kind == "node" and e.role == "SPAN"]
            if spans:
                yield 1, self._note(f"Ran steps: {_counted(spans)}", *_first_of_each(spans))
            return
        yield 1, self._note(f"Called tools: {_counted(self._calls)}", *_first_of_each(self._calls))
        # Looking things up is how; what was changed is what was done.
        done = {call.name + call.text: call for call in self._calls if call.text and not looks_up(call.name)}
        for call in list(done.values())[-2:]:
            if not is_handover_tool(call.name):
                yield 6, self._note(f"Did: {excerpt([f'{call.name}({call.text})'], _ARGUMENT_CHARS)}", call)

    def failures(self) -> Iterable[_Ranked]:
        for entry in self._errors[:2]:
            where = f" in {entry.name}" if entry.name else ""
            yield 2, self._note(f"Error{where}: {excerpt(sentences(entry.text), 200)}", entry)
        reported: dict[tuple[str, str], list[Entry]] = {}
        for entry in self._failed:
            reported.setdefault((entry.name, excerpt(sentences(entry.text), 160)), []).append(entry)
        for (name, text), entries in list(reported.items())[:2]:
            times = f" ({len(entries)} times)" if len(entries) > 1 else ""
            yield 3, self._note(f"{name or 'A tool'} failed{times}: {text}", *entries)

    def outcome(self) -> Iterable[_Ranked]:
        handover = self._handover()
        if handover is not None:
            reason = handover.text if handover.kind == "tool_call" else ""
            reason = reason.removeprefix("summary=").strip('"')
            tail = f": {excerpt(sentences(reason), _OUTCOME_CHARS)}" if reason else ""
            yield 1, self._note(f"Handed over to a human agent{tail}", handover)
        last = self._last
        if last is None or (handover is not None and announces_handover(last.text)):
            return
        told = _said(last)
        if not told and last in self._answers[-_LAST_ANSWERS:]:
            # "You're welcome!": what was said before it is how it ended.
            last = next((answer for answer in self._answers[: -_LAST_ANSWERS - 1 : -1] if _said(answer)), last)
            told = _said(last)
        if told:
            verb = "Answered" if len(self._asked) <= 1 else "Ended with"
            yield 1, self._note(f"{verb}: {excerpt(told, _OUTCOME_CHARS)}", last)
        languages = code_languages(last.text)
        if languages:
            yield 5, self._note(f"Answer holds code: {', '.join(languages[:4])}", last)
        elif len(self._asked) <= 1 and len(told) > 1:
            end = next(
                (
                    line
                    for line in reversed(told)
                    if line is not told[0] and is_prose(line) and len(content_words(line)) >= 3
                ),
                "",
            )
            if end and end not in excerpt(told, _OUTCOME_CHARS):
                yield 6, self._note(f"Answer ends: {excerpt([end], _OUTCOME_CHARS)}", last)

    def _handover(self) -> Entry | None:
        for call in self._calls:
            if is_handover_tool(call.name):
                return call
        if self._last is not None and announces_handover(self._last.text):
            return self._last
        return None

    # --- notes -----------------------------------------------------------------------------------------

    def notes(self) -> list[Note]:
        found: list[Note] = []
        if self._errors:
            found.append(self._note(f"{len(self._errors)} events ended in an error", *self._errors))
        if self._failed:
            share = f"{len(self._failed)} of {len(self._results)} tool results"
            found.append(self._note(f"{share} report a failure", *self._failed))
        for request in self._asked:
            feeling = shows_feeling(request.entry.text)
            if feeling:
                found.append(self._note(f"Strong feeling in the user's words: {feeling}", request.entry))
                break
        refused = [answer for answer in self._answers if refuses(answer.text)]
        if refused:
            found.append(self._note("The assistant declined or could not do what was asked", *refused[-2:]))
        repeated = Counter((call.name, call.text) for call in self._calls)
        for (name, arguments), times in repeated.most_common(1):
            if times >= 3:
                same = [call for call in self._calls if (call.name, call.text) == (name, arguments)]
                found.append(self._note(f"{name} was called {times} times with the same arguments", *same))
        if self._asked and self._last is None and not self._errors:
            found.append(self._note("No answer was recorded", self._asked[-1].entry))
        feedback = [entry for entry in self._text.entries if entry.kind == "event" and entry.role == "feedback"]
        found += [self._note(f"Feedback: {excerpt(sentences(entry.text), 200)}", entry) for entry in feedback[:1]]
        return found

    # --- flow ------------------------------------------------------------------------------------------

    def steps(self) -> list[str]:
        title = self.title()
        steps = [title]
        doing = self._calls or [e for e in self._text.entries if e.kind == "node" and e.role in ("SPAN", "EMBED")]
        failed = {entry.name for entry in self._failed if entry.name}
        steps += [f"{entry.name} (failed)" if entry.name in failed else entry.name for entry in doing]
        if self._handover() is not None:
            steps.append("Handed over to a human agent")
        elif self._errors and self._last is None:
            steps.append("Error")
        elif self._last is not None:
            steps.append("Declined" if refuses(self._last.text) else "Answered")
        return steps


def _requests(entries: Sequence[Entry]) -> list[_Request]:
    """Turns of the user that say something, in order; where nobody has that role, what was put in."""
    said = [e for e in entries if e.kind == "message" and e.role == "user" and e.readable]
    if not said:
        said = [e for e in entries if e.kind == "state" and e.role == "input" and e.readable][:3]
    if not said:
        known = ("assistant", "system", "tool", "output", "state")
        said = [e for e in entries if e.kind == "message" and e.role not in known and e.readable]
    found = []
    for entry in said:
        text = plain_request(entry.text)
        if is_greeting(text):
            continue
        lines = sentences(prose(text)) or sentences(text)
        if not lines:
            continue
        scores = [request_score(line) for line in lines]
        best = _clearest(lines, scores)
        found.append(_Request(entry, lines, lines[best], scores[best]))
    return found


def _clearest(lines: list[str], scores: list[int]) -> int:
    """The first sentence that plainly asks, else the first that mentions a request, else the one that tells most."""
    clear = [index for index, score in enumerate(scores) if score >= _CLEAR]
    direct = (index for index in clear if asks_directly(lines[index]))
    return next(direct, clear[0] if clear else scores.index(max(scores)))


def _from_best(request: _Request) -> list[str]:
    """The sentences of a turn from the one that asks, its greeting and politeness taken off."""
    start = request.sentences.index(request.best)
    first = without_lead_in(request.best) if start == 0 else request.best
    return [first[:1].upper() + first[1:], *request.sentences[start + 1 :]]


def _left_out(request: _Request) -> str:
    """What a long prompt says besides its request: what stands before it, else its last sentence."""
    start = request.sentences.index(request.best)
    before = [line for line in request.sentences[:start] if request_score(line) >= 2 and is_prose(line)]
    if before:
        return excerpt(before, 200)
    shown = excerpt(_from_best(request), _BULLET_CHARS)
    last = request.sentences[-1]
    return excerpt([last], 200) if last not in shown and last != request.best and request_score(last) >= 3 else ""


def _last_output(entries: Sequence[Entry]) -> Entry | None:
    outputs = [e for e in entries if e.kind == "state" and e.role == "output" and e.readable]
    return outputs[-1] if outputs else None


def _said(answer: Entry) -> list[str]:
    """The sentences of an answer without its polite end."""
    return [line for line in sentences(prose(unescaped(answer.text))) if not is_closing(line)]


def _counted(entries: Sequence[Entry]) -> str:
    counts = Counter(entry.name for entry in entries)
    shown = [f"{name} ×{count}" if count > 1 else name for name, count in list(counts.items())[:12]]
    return ", ".join(shown) + (f" and {len(counts) - 12} more" if len(counts) > 12 else "")


def _first_of_each(entries: Sequence[Entry]) -> list[Entry]:
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.name, entry)
    return list(first.values())
