"""Types of columns, and the columns that many tables have."""

from datetime import date, datetime
from typing import Annotated, TypedDict

import pyarrow as pa

Int32 = Annotated[int, pa.int32()]
Float32 = Annotated[float, pa.float32()]
Timestamp = Annotated[datetime, pa.timestamp("us", tz="UTC")]


class PartitionColumns(TypedDict):
    """What names a partition."""

    team_id: str
    date: date


class ItemColumns(TypedDict):
    """What names an item: at trace level item_id is the trace id, at generation level the event uuid."""

    level: str
    item_id: str
    trace_id: str
    generation_id: str | None
    trace_timestamp: Timestamp
