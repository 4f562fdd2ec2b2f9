"""Numbers the lines of a text and, over the cap, keeps an even sample of them."""

from collections.abc import Sequence

from llma_assets.errors import InputRejected

# Header, note, first line of content and last line at their longest, with room for a few lines between.
MIN_CHARS = 6_000
HEADER_LINES = 5
NOTE_LINE = 3


def check_cap(max_chars: int) -> None:
    """Raises InputRejected for a cap below `MIN_CHARS`: header and last line must fit."""
    if isinstance(max_chars, bool) or not isinstance(max_chars, int) or max_chars < MIN_CHARS:
        raise InputRejected(f"max_chars is {max_chars!r}; it must be an integer of at least {MIN_CHARS}")


def number_lines(
    lines: Sequence[str], max_chars: int, groups: Sequence[tuple[int, int]] = ()
) -> tuple[str, tuple[int, ...] | None]:
    """The numbered text, never longer than `max_chars`, and the numbers kept (None: all of them).

    Over the cap the first five lines and the last stay; the rest is sampled evenly, with its numbers, and line 3
    says so.

    Args:
        lines: each without a line break; line 3 is empty. Lines are at most about 2,000 characters.
        groups: half-open index ranges that share the space evenly, so that none of them vanishes (the input and
            the output of a generation). Lines outside every group make one more.
    """
    width = len(str(len(lines)))
    prefix = width + 3  # "L", ": "
    total = sum(map(len, lines)) + len(lines) * (prefix + 1) - 1
    if total <= max_chars:
        return "\n".join([f"L{number:0{width}d}: {line}" for number, line in enumerate(lines, 1)]), None
    note = "[SAMPLED VIEW: showing ~{:.0f}% of {} lines; numbers are those of the full text]"
    fixed = [*range(min(HEADER_LINES, len(lines) - 1)), len(lines) - 1]
    cost = [len(line) + prefix + 1 for line in lines]
    budget = max_chars - sum(cost[index] for index in fixed) - len(note) - 10
    kept = set(fixed)
    for indices, share in _shares(_groups(len(lines), groups), cost, budget):
        kept.update(_even_sample(indices, cost, share))
    order = sorted(kept)
    shown = {NOTE_LINE - 1: note.format(max(1.0, 100 * len(order) / len(lines)), len(lines))}
    text = "\n".join([f"L{index + 1:0{width}d}: {shown.get(index, lines[index])}" for index in order])
    return text, tuple(index + 1 for index in order)


def _groups(count: int, groups: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Indices of each group and of the rest, without the lines that stay in any case."""
    middle = range(HEADER_LINES, count - 1)
    owner = [0] * count
    for number, (start, stop) in enumerate(groups, 1):
        for index in range(start, min(stop, count)):
            owner[index] = number
    members: list[list[int]] = [[] for _ in range(len(groups) + 1)]
    for index in middle:
        members[owner[index]].append(index)
    return [group for group in members if group]


def _shares(groups: list[list[int]], cost: list[int], budget: int) -> list[tuple[list[int], int]]:
    """Splits the budget evenly; what a small group does not need goes to the others."""
    needs = sorted(((sum(cost[index] for index in group), group) for group in groups), key=lambda pair: pair[0])
    result = []
    for position, (need, group) in enumerate(needs):
        share = min(need, budget // (len(needs) - position))
        budget -= share
        result.append((group, share))
    return result


def _even_sample(indices: list[int], cost: list[int], budget: int) -> list[int]:
    """As many evenly spaced indices as fit."""
    need = sum(cost[index] for index in indices)
    if need <= budget:
        return indices
    count = min(len(indices) - 1, len(indices) * max(budget, 0) // need)
    while count > 0:
        # Centered steps: neither end of the range is favoured.
        chosen = [indices[(2 * step + 1) * len(indices) // (2 * count)] for step in range(count)]
        spent = sum(cost[index] for index in chosen)
        if spent <= budget:
            return chosen
        count = min(count - 1, count * budget // spent)
    return []
