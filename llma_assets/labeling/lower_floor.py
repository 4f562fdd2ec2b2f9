"""Names that were made under a lower floor on users than the present one: until their day is named again they are
told as those of too few users are. `sql.lower_floor` says the same to the views.
"""

from collections.abc import Mapping
from typing import Any

from llma_assets.labeling.floor import CLUSTER_TITLE, FIXED, THEME_TITLE, suppressed_label
from llma_assets.labeling.themes import OF_CLUSTER
from llma_assets.vocabulary import Reason

Row = dict[str, Any]


def keeps_floor(row: Mapping[str, Any], least: int) -> bool:
    """Whether the words of a row keep to the floor of `least` distinct users."""
    return (row["min_users"] or 0) >= least


def told_title(row: Mapping[str, Any], least: int) -> str:
    """The title of a row of `cluster_labels` as it may be told."""
    title: str = row["title"] if keeps_floor(row, least) or row["source"] == FIXED else CLUSTER_TITLE
    return title


def told_label(row: Row, least: int) -> Row:
    """A row of `cluster_labels` as it may be told; fixed words, as of noise, stay."""
    if keeps_floor(row, least):
        return row
    reason = f"{Reason.LOWER_FLOOR} ({row['min_users'] or 0} of {least})"
    label = suppressed_label(row["cluster_id"], reason, 1)
    told = row | {"previous_title": None}
    naming = row["theme_naming"]
    if naming is not None and (naming["source"], row["source"]) != (OF_CLUSTER, FIXED) and naming["source"] != FIXED:
        told |= {
            "theme_title": CLUSTER_TITLE if naming["source"] == OF_CLUSTER else THEME_TITLE,
            "theme_description": label.description,
            "theme_naming": naming | {"source": FIXED, "reason": reason, "evidence": None},
        }
    if row["source"] == FIXED:
        return told
    return told | {
        "title": told_title(row, least),
        "description": label.description,
        "source": FIXED,
        "reason": reason,
        "keywords": [],
        "evidence": "{}",
        "name_reason": None,
        "is_suppressed": True,
    }


def told_alert(row: Row, least: int) -> Row:
    """A row of `cluster_alerts` as it may be told."""
    if keeps_floor(row, least) or row["title"] is None:
        return row
    return row | {"title": CLUSTER_TITLE, "text": row["text"].replace(row["title"], CLUSTER_TITLE)}


def told_message(content: Row, min_users: int | None, least: int) -> Row:
    """A message that waits to be sent, as it may be told. Its title may have been cut, so nothing of the text stays."""
    if keeps_floor({"min_users": min_users}, least) or content["title"] is None:
        return content
    return content | {"title": CLUSTER_TITLE, "text": CLUSTER_TITLE}
