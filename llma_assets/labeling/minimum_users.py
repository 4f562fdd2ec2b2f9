"""The minimum of distinct users: a name rests on what several people said, and on nothing that one person did.

Items say little about how many people there are: one account can send a thousand. So users are counted, never items,
and who is not known counts as nobody. What fewer users said is taken out of the evidence before anybody
names anything, so that it can reach no title, no description, no prompt and no event.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llma_assets.clustering.result import NOISE
from llma_assets.labeling.label import ItemEvidence, Label
from llma_assets.labeling.phrases import is_content
from llma_assets.vocabulary import Reason

FIXED = "fixed"
CLUSTER_TITLE = "Cluster of few users"
THEME_TITLE = "Theme of few users"
# Stands where something was left out; no phrase goes across it, and nothing with it in it is quoted.
GAP = "⋯"
# Items of one user that are read, so that none speaks for the others; and of a group, nearest first: these, or so many
# for each user that must have said a thing.
MAX_ITEMS_OF_USER = 20
MAX_ITEMS_READ = 200
ITEMS_READ_PER_USER = 4
# Lengths in tokens of the passages that are looked for, beside whole statements; none more than twice the one before.
_LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24)
_TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")

Statement = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class MinimumUsers:
    """The minimum of distinct users, with the users of the items of one clustering run.

    Attributes:
        min_users: distinct users that must have said a thing; 0: there is no minimum.
        users: of each item; None where nobody is known.
    """

    min_users: int
    users: tuple[str | None, ...]

    def groups_below(self, groups: Sequence[int]) -> dict[int, str]:
        """Why a group may have no name of its own, for each that may not; noise left out.

        Args:
            groups: cluster or theme of each item.
        """
        if not self.min_users:
            return {}
        known: dict[int, set[str]] = {group: set() for group in groups if group != NOISE}
        for group, user in zip(groups, self.users, strict=True):
            if group in known and user is not None:
                known[group].add(user)
        return {
            group: f"{Reason.TOO_FEW_USERS} ({len(users)} of {self.min_users})"
            for group, users in sorted(known.items())
            if len(users) < self.min_users
        }

    def shared(self, items: Sequence[ItemEvidence], groups: Sequence[int]) -> list[ItemEvidence]:
        """`items` with only those passages that enough users of their group said; without a minimum as they are.

        Args:
            items, groups: each item of the run, and the cluster or theme that it speaks for.
        """
        if not self.min_users:
            return list(items)
        found = [replace(item, item_id="", title="", bullets=(), notes=()) for item in items]
        members: dict[int, list[int]] = {}
        for place, group in enumerate(groups):
            if group != NOISE:
                members.setdefault(group, []).append(place)
        for places in members.values():
            read = self._read(items, places)
            for place, said in zip(read, self._common([items[place] for place in read], read), strict=True):
                title, bullets, notes = said
                found[place] = replace(found[place], title=title, bullets=bullets, notes=notes)
        return found

    def _read(self, items: Sequence[ItemEvidence], places: Iterable[int]) -> list[int]:
        """The items of a group that are read, nearest first."""
        read: list[int] = []
        of_user: dict[str | None, int] = {}
        for place in sorted(places, key=lambda place: (items[place].distance, items[place].item_id)):
            user = self.users[place]
            of_user[user] = of_user.get(user, 0) + 1
            if of_user[user] <= MAX_ITEMS_OF_USER:
                read.append(place)
        return read[: max(MAX_ITEMS_READ, ITEMS_READ_PER_USER * self.min_users)]

    def _common(
        self, items: Sequence[ItemEvidence], places: Sequence[int]
    ) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Title, bullets and notes of each item as far as enough users said them."""
        texts = [(item.title, *item.bullets, *item.notes) for item in items]
        speakers = [self.users[place] for place, said in zip(places, texts, strict=True) for _ in said]
        statements = [_tokens(text) for said in texts for text in said]
        written = iter(_passages(statements, speakers, self.min_users))
        found = []
        for item in items:
            title = next(written)
            bullets = tuple(filter(None, (next(written) for _ in item.bullets)))
            notes = tuple(filter(None, [next(written) for _ in item.notes]))
            found.append((title, bullets, notes))
        return found


def suppressed_label(group: int, reason: str, number: int, title: str = CLUSTER_TITLE) -> Label:
    """The name of a group of too few users, the `number`th of its run (from 1)."""
    said = "- Its items come from fewer users than a name may rest on\n- `llma trace ID` shows each of them"
    return Label(group, title if number == 1 else f"{title} {number}", said, FIXED, (), reason)


def is_suppressed(row: Mapping[str, Any]) -> bool:
    """Whether a row of `cluster_labels` names a cluster of too few users: nothing specific of it may be shown."""
    return bool(row.get("is_suppressed"))


def _tokens(text: str) -> Statement:
    """Words and marks of a text, each with whether there is a space before it."""
    return [(match[0], match.start() > 0 and text[match.start() - 1].isspace()) for match in _TOKEN.finditer(text)]


def _passages(statements: Sequence[Statement], speakers: Sequence[str | None], min_users: int) -> list[str]:
    """Each statement as its passages that at least `min_users` speakers said, with `GAP` where any is left out."""
    lower = [[token.lower() for token, _ in statement] for statement in statements]
    longest = _longest(lower, speakers, min_users)
    forms: dict[str, set[str]] = {}
    for statement, speaker in zip(statements, speakers, strict=True):
        for token, _ in statement:
            users = forms.setdefault(token, set())
            if speaker is not None and len(users) < min_users:
                users.add(speaker)
    written = []
    for statement, lengths in zip(statements, longest, strict=True):
        parts: list[str] = []
        place = 0
        while place < len(statement):
            passage = statement[place : place + lengths[place]]
            # How a word is written can tell its writer as well.
            plain = [(token if len(forms[token]) >= min_users else token.lower(), space) for token, space in passage]
            if any(is_content(token) for token, _ in plain):
                parts.append("".join((" " if space else "") + token for token, space in plain).strip())
            elif not parts or parts[-1] != GAP:
                parts.append(GAP)
            place += max(len(passage), 1)
            if place < len(statement) and parts[-1] != GAP:
                parts.append(GAP)
        written.append(" ".join(parts) if set(parts) - {GAP} else "")
    return written


def _longest(statements: Sequence[Sequence[str]], speakers: Sequence[str | None], min_users: int) -> list[list[int]]:
    """For each place of each statement the length of the longest passage from there that `min_users` speakers said.

    A passage is common only if all that are part of it are (Agrawal, Srikant 1994), so longer ones are looked for only
    where shorter ones were found: two that overlap, or follow each other, are the longer one. Lengths are those of
    `_LENGTHS`, and that of the whole statement.
    """
    found = [[0] * len(statement) for statement in statements]
    present: Sequence[Sequence[Any]] = statements
    for length, following in zip(_LENGTHS, (*_LENGTHS[1:], 0), strict=True):
        numbers = _common(present, speakers, min_users)
        for lengths, of_statement in zip(found, numbers, strict=True):
            for place, number in enumerate(of_statement):
                if number is not None:
                    lengths[place] = length
        present = [
            [None if a is None or b is None else (a, b) for a, b in zip(one, one[following - length :], strict=False)]
            for one in numbers
        ]
    whole = _common([[tuple(statement)] for statement in statements], speakers, min_users)
    for lengths, (number,) in zip(found, whole, strict=True):
        if number is not None and lengths:
            lengths[0] = len(lengths)
    return found


def _common(
    passages: Sequence[Sequence[Any]], speakers: Sequence[str | None], min_users: int
) -> list[list[int | None]]:
    """For each passage a number, the same for the same one; None for one that fewer than `min_users` speakers said."""
    users: dict[Any, set[str]] = {}
    for of_statement, speaker in zip(passages, speakers, strict=True):
        if speaker is not None:
            for passage in set(of_statement) - {None}:
                known = users.setdefault(passage, set())
                if len(known) < min_users:
                    known.add(speaker)
    common = {passage: number for number, passage in enumerate(users) if len(users[passage]) >= min_users}
    return [[common.get(passage) for passage in of_statement] for of_statement in passages]
