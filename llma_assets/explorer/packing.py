"""Details in compressed chunks within a budget of bytes: something of every item, most of the best-ranked ones."""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llma_assets.explorer.detail import Json

# Details of one chunk: enough for the compression, few enough to unpack at a click.
CHUNK_ITEMS = 24
# Of what summaries leave, the part for whole texts; the rest is for the lines that further summaries refer to.
WHOLE_SHARE = 0.65
# Around the base64 of a chunk: the tag, its id and a line break.
_TAG_BYTES = 90
# What a character of a text, and an excerpt, take in the page at least, as measured on agents' traces; which texts
# to read is decided by these, what fits by the bytes themselves.
_LEAST_BYTES_PER_CHAR = 0.2
_LEAST_EXCERPT_BYTES = 550

# With the whole text, and with a part of it.
Variants = tuple[Json, Json]


@dataclass(frozen=True, slots=True)
class Packed:
    """Chunks, deflated without header; how many items they have the whole text of, and how many a part of it."""

    chunks: list[bytes]
    whole: int
    excerpts: int


def place_of(number: int) -> list[int]:
    """Chunk and index of the item that is `number`-th in the order of importance."""
    return list(divmod(number, CHUNK_ITEMS))


def page_bytes(chunk: bytes) -> int:
    """What a chunk takes in the page: base64 and its tag."""
    return (len(chunk) + 2) // 3 * 4 + _TAG_BYTES


def brief_chunks(details: Sequence[Json]) -> list[bytes]:
    """Chunks of details without any text, most important item first."""
    return [_deflated(details[at : at + CHUNK_ITEMS]) for at in range(0, len(details), CHUNK_ITEMS)]


def worth_reading(text_chars: Sequence[int], spare_bytes: int) -> int:
    """How many texts, the most important first, may find room in `spare_bytes`, whole or in part."""
    whole = WHOLE_SHARE * spare_bytes
    rest = spare_bytes - whole
    for number, chars in enumerate(text_chars):
        if whole > 0:
            whole -= chars * _LEAST_BYTES_PER_CHAR
        else:
            rest -= _LEAST_EXCERPT_BYTES
        if rest <= 0:
            return number + 1
    return len(text_chars)


def that_fit(briefs: Sequence[bytes], budget_bytes: int) -> list[bytes]:
    """The first of `briefs` that `budget_bytes` have room for."""
    taken = 0
    for number, chunk in enumerate(briefs):
        taken += page_bytes(chunk)
        if taken > budget_bytes:
            return list(briefs[:number])
    return list(briefs)


def pack(
    briefs: Sequence[bytes], variants: Callable[[int], Variants], items: int, with_text: int, spare_bytes: int
) -> Packed:
    """The chunks, each in the richest variant that fits into `spare_bytes` beyond that of its summaries alone.

    Args:
        briefs: what `brief_chunks` gave for `items` details.
        variants: those of the item that is n-th in importance.
        with_text: how many items have more than a summary, the most important ones.
    """
    chunks, whole, excerpts = list(briefs), 0, 0
    # Whole texts take from both, excerpts from what is left of all.
    spare = [int(WHOLE_SHARE * spare_bytes), spare_bytes]
    for n in range((with_text + CHUNK_ITEMS - 1) // CHUNK_ITEMS):
        of_chunk = [variants(place) for place in range(n * CHUNK_ITEMS, min((n + 1) * CHUNK_ITEMS, items))]
        for kind in (0, 1):
            told = [item_variants[kind] for item_variants in of_chunk]
            chunk = _deflated(told)
            extra = page_bytes(chunk) - page_bytes(briefs[n])
            if extra <= min(spare[kind:]):
                chunks[n] = chunk
                spare = [spare[0] - (extra if kind == 0 else 0), spare[1] - extra]
                whole += sum(item["lines"] is not None and item["omitted"] is None for item in told)
                excerpts += sum(item["lines"] is not None and item["omitted"] is not None for item in told)
                break
    return Packed(chunks, whole, excerpts)


def _deflated(details: Sequence[Json]) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = json.dumps(details, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return packer.compress(text.encode("utf-8", "replace")) + packer.flush()
