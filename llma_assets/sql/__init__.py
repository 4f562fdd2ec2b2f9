"""SQL texts, one a file. Values are always bound, never formatted in."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """The text of `<name>.sql` in this folder."""
    return (files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
