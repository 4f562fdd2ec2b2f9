"""What a table of the lake is: its name, the type of its rows, and the Arrow schema that follows from that type.

The type is a `TypedDict`, so code that names a column that is not there fails the type checker, and a row costs what
a dictionary costs. `X | None` is a column that may be null; `Annotated` names an Arrow type that Python has no type
for; another `TypedDict` is a struct.
"""

import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

import pyarrow as pa

Row = TypeVar("Row")

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), date: pa.date32()}


class Layout(StrEnum):
    """How the files of a table lie in the lake."""

    # One file a (team, day), which is replaced as a whole.
    PARTITION = "partition"
    # One file an ingested source file: a second file for the same day adds, never replaces.
    INGEST = "ingest"
    # One more file a flush within a (team, day): what was recorded is never replaced.
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """A table. Making one is what registers it in `TABLES`.

    Attributes:
        files: names of files that lie beside a partition and go with it.
        schema: of its files, from the type of its rows.
    """

    name: str
    row_type: type[Row]
    layout: Layout = Layout.PARTITION

    files: tuple[str, ...] = ()
    schema: pa.Schema = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", schema_of(self.row_type))
        TABLES[self.name] = self

    @property
    def names(self) -> list[str]:
        """The names of its columns, in order."""
        names: list[str] = self.schema.names
        return names

    def blank(self) -> Row:
        """A row of which nothing is known, to be filled."""
        return cast("Row", dict.fromkeys(self.names))

    def rows(self, read: pa.Table) -> list[Row]:
        """The rows of what was read of this table; a column that was not read is not in them."""
        return cast("list[Row]", read.to_pylist())

    def arrow(self, rows: Iterable[Row]) -> pa.Table:
        """`rows` as they are written."""
        return pa.Table.from_pylist(cast("list[dict[str, Any]]", list(rows)), self.schema)


TABLES: dict[str, Table[Any]] = {}


def schema_of(row_type: type) -> pa.Schema:
    """The Arrow schema of rows of a type."""
    return pa.schema(_fields(row_type))


def _fields(row_type: type) -> list[pa.Field]:
    hints = get_type_hints(row_type, include_extras=True)
    return [pa.field(name, *_arrow_type(hint)) for name, hint in hints.items()]


def _arrow_type(hint: Any) -> tuple[pa.DataType, bool]:
    """The Arrow type of a column, and whether it may be null."""
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (argument for argument in get_args(hint) if argument is not type(None))
        return _arrow_type(inner)[0], True
    if get_origin(hint) is Annotated:
        return get_args(hint)[1], False
    if get_origin(hint) is list:
        return pa.list_(_arrow_type(get_args(hint)[0])[0]), False
    if is_typeddict(hint):
        return pa.struct(_fields(hint)), False
    return _ARROW[hint], False
