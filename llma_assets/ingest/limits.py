"""How much an input file may ask of this machine. Every bound has a unit and a reason."""

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one ingest.

    Attributes:
        max_row_bytes: longest row (a line, an array element, a Parquet row's properties). Four times
            the 8 MiB that PostHog's AI lane takes.
        max_values: commas and opening brackets in a long row. Each costs about 70 bytes once parsed,
            so this bounds one row's memory at about 280 MB; a million-element array passes.
        max_decompressed_bytes: total text that one file may unpack to.
        max_ratio: unpacked to packed bytes, looked at beyond `ratio_free_bytes`. Real logs reach
            about 20, a gzip bomb about 1,000.
        buffer_bytes: rows held in memory, over all days together.
        row_group_bytes: text in one row group of a published file.
    """

    max_row_bytes: int = 32 * MIB
    max_values: int = 4_000_000
    max_decompressed_bytes: int = 64 * GIB
    max_ratio: int = 200
    ratio_free_bytes: int = 256 * MIB
    buffer_bytes: int = 48 * MIB
    row_group_bytes: int = 32 * MIB


DEFAULT_LIMITS = Limits()
