"""Takes secrets and personal data out of what is sent to a server of somebody else.

Every secret becomes a placeholder that says its type, such as `[email]`. Lines stay where they are, so that the
numbers of the lines mean the same before and after. What cannot be told by its form (names, streets) stays; patterns
of one's own can be added.
"""

import re
from collections.abc import Mapping
from typing import Any

from llma_assets.errors import InputRejected
from llma_assets.redaction import pem as redaction_pem
from llma_assets.redaction import personal as redaction_personal
from llma_assets.redaction import secrets as redaction_secrets

SETTING = "LLMA_REDACTION_PATTERNS"
MAX_PATTERN_CHARS = 1_000
MAX_PATTERNS = 100

_MARKS = (
    redaction_pem.PLACEHOLDER,
    redaction_secrets.JWT,
    redaction_secrets.API_KEY,
    redaction_secrets.PASSWORD,
    redaction_secrets.SECRET,
    redaction_personal.EMAIL,
    redaction_personal.IBAN,
    redaction_personal.CARD,
    redaction_personal.IP,
    redaction_personal.PHONE,
)
# The special before the general: a key may hold what looks like a number, an address may hold a password.
_STEPS = (
    redaction_pem.redact_private_keys,
    redaction_secrets.redact_tokens,
    redaction_secrets.redact_assignments,
    redaction_personal.redact_emails,
    redaction_personal.redact_ibans,
    redaction_personal.redact_cards,
    redaction_personal.redact_addresses,
    redaction_personal.redact_phones,
)
# A placeholder may lay bare the edge of something else. Real text is done after one round: a second changes nothing.
_MAX_ROUNDS = 12
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_PREFIX = re.compile(r"L[0-9]{1,9}: [ │├└─]*+")
# While patterns of one's own run, each placeholder is one character, so that no pattern can match inside it.
_FIRST_STAND_IN = 0x10F000
# Texts on which a pattern must not match without taking a character.
_PROBES = ("", "a", "A 1-b_c.d@e", "  ", "é│")


class Redactor:
    """Replaces secrets in texts and JSON values. Pure; one can be shared by threads.

    Args:
        custom: patterns of one's own by name, in the syntax of RE2 (no lookaround, no backreferences); a match
            becomes `[name]`. Each line is searched on its own, without its number.

    Raises:
        InputRejected: a name or a pattern is not usable.
    """

    def __init__(self, custom: Mapping[str, str] | None = None):
        self._custom = [(name, _checked(name, pattern)) for name, pattern in (custom or {}).items()]
        if len(self._custom) > MAX_PATTERNS:
            raise InputRejected(f"{SETTING} has {len(self._custom)} patterns; at most {MAX_PATTERNS} are allowed")
        marks = dict.fromkeys([*_MARKS, *(f"[{name}]" for name, _ in self._custom)])
        self._stand_ins = {mark: chr(_FIRST_STAND_IN + number) for number, mark in enumerate(marks)}
        self._by_stand_in = str.maketrans({stand_in: mark for mark, stand_in in self._stand_ins.items()})
        self._any_mark = re.compile(r"\[(?:" + "|".join(re.escape(mark[1:-1]) for mark in marks) + r")\]")

    def text(self, text: str) -> str:
        """`text` with a placeholder for each secret; as many lines as before. Twice is the same as once.

        Lone surrogates, which no encoding can carry, become U+FFFD where there are patterns of one's own.
        """
        lines = self._round(text).split("\n")
        # No step but that of private keys looks past a line, and it leaves none of its marks: only lines that
        # changed need another look, each of them once.
        done: dict[str, str] = {}
        todo = {new: new for new, old in zip(lines, text.split("\n"), strict=True) if new != old}
        for _ in range(_MAX_ROUNDS):
            if not todo:
                break
            again = self._round("\n".join(todo.values())).split("\n")
            todo = {line: new for (line, old), new in zip(todo.items(), again, strict=True) if new != old}
            done |= todo
        return "\n".join([done.get(line, line) for line in lines] if done else lines)

    def _round(self, text: str) -> str:
        for step in _STEPS:
            text = step(text)
        return self._own(text) if self._custom else text

    def value(self, value: Any) -> Any:
        """A copy of a JSON value with its strings, its keys and the numbers that are cards redacted.

        The key of a string says what it is, as in `{"password": "..."}`. Keys that become equal are told apart by a
        number. Tuples become lists. Any depth.
        """
        root: list[Any] = [value]
        # Each entry: a new container, and the place in it whose value is still the original.
        todo: list[tuple[Any, Any, str]] = [(root, 0, "")]
        while todo:
            holder, place, name = todo.pop()
            item = holder[place]
            if isinstance(item, dict):
                holder[place] = copy = self._with_redacted_keys(item)
                todo.extend(
                    (copy, key, old if isinstance(old, str) else "") for key, old in zip(copy, item, strict=True)
                )
            elif isinstance(item, (list, tuple)):
                holder[place] = items = list(item)
                todo.extend((items, index, name) for index in range(len(items)))
            else:
                holder[place] = self._leaf(item, name)
        return root[0]

    def _with_redacted_keys(self, item: dict[Any, Any]) -> dict[Any, Any]:
        copy: dict[Any, Any] = {}
        counts: dict[Any, int] = {}
        for key, inner in item.items():
            new = self.text(key) if isinstance(key, str) else self._leaf(key, "")
            while new in copy:
                counts[new] = counts.get(new, 1) + 1
                new = f"{new} {counts[new]}"
            copy[new] = inner
        return copy

    def _leaf(self, item: Any, name: str) -> Any:
        if isinstance(item, str):
            return self._named(item, name) or self.text(item)
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            return item
        # Beyond this a float holds no whole number exactly, and an integer takes long to write.
        whole = 0 <= item < 10**19 and item == int(item)
        digits = str(int(item)) if whole else ""
        if redaction_personal.is_card(digits):
            return redaction_personal.CARD
        return (self._named(digits, name) or item) if whole else item

    def _named(self, text: str, name: str) -> str | None:
        """The placeholder for a value that its name tells to be a secret."""
        if not name or not text:
            return None
        if redaction_personal.is_phone(text) and redaction_personal.is_phone_name(name):
            return redaction_personal.PHONE
        kind = redaction_secrets.secret_kind(name, text)
        return "\n".join([kind] * (text.count("\n") + 1)) if kind else None

    def _own(self, text: str) -> str:
        import pyarrow as pa
        import pyarrow.compute as pc

        text = self._any_mark.sub(lambda match: self._stand_ins[match[0]], _SURROGATE.sub("\ufffd", text))
        lines = text.split("\n")
        starts = [match.end() if line[:1] == "L" and (match := _LINE_PREFIX.match(line)) else 0 for line in lines]
        found = pa.array([line[start:] for line, start in zip(lines, starts, strict=True)], pa.large_string())
        for name, pattern in self._custom:
            found = pc.replace_substring_regex(found, pattern, self._stand_ins[f"[{name}]"])
        pairs = zip(lines, starts, found.to_pylist(), strict=True)
        return "\n".join([line[:start] + rest for line, start, rest in pairs]).translate(self._by_stand_in)


def _checked(name: str, pattern: str) -> str:
    """The pattern, if it and its name can be used."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputRejected(
            f"{SETTING}: the name {name!r} must be 1 to 40 ASCII letters, digits, spaces, `_`, `.` or `-`, "
            "and start with a letter or digit"
        )
    where = f"{SETTING}: the pattern of {name!r}"
    if not isinstance(pattern, str) or not 1 <= len(pattern) <= MAX_PATTERN_CHARS:
        raise InputRejected(f"{where} must be a text of 1 to {MAX_PATTERN_CHARS} characters")
    try:
        marked = pc.replace_substring_regex(pa.array(_PROBES, pa.large_string()), pattern, "\x00\\0\x01").to_pylist()
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        raise InputRejected(f"{where} is not in the syntax of RE2: {error}") from None
    if any("\x00\x01" in probe for probe in marked):
        raise InputRejected(f"{where} matches an empty text; it must match at least one character")
    return pattern
