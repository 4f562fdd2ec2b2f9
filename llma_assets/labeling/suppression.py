"""Suppresses names that were made under a lower minimum of users than the present one: until their day is named again
they are shown as those of too few users are. `queries.suppressed_columns` says the same to the views.
"""

from collections.abc import Mapping
from typing import Any

from llma_assets.labeling.minimum_users import CLUSTER_TITLE, FIXED, THEME_TITLE, suppressed_label
from llma_assets.labeling.themes import OF_CLUSTER
from llma_assets.vocabulary import Reason

Row = dict[str, Any]


def meets_minimum(row: Mapping[str, Any], min_users: int) -> bool:
    """Whether the words of a row meet the minimum of distinct users."""
    return (row["min_users"] or 0) >= min_users


def suppress_label_row(row: Mapping[str, Any], min_users: int) -> Mapping[str, Any]:
    """A row of `cluster_labels` as it may be shown; fixed words, as of noise, stay."""
    if meets_minimum(row, min_users):
        return row
    reason = f"{Reason.LOWER_MINIMUM} ({row['min_users'] or 0} of {min_users})"
    label = suppressed_label(row["cluster_id"], reason, 1)
    shown = {**row, "previous_title": None}
    naming = row["theme_naming"]
    if naming is not None and (naming["source"], row["source"]) != (OF_CLUSTER, FIXED) and naming["source"] != FIXED:
        shown |= {
            "theme_title": CLUSTER_TITLE if naming["source"] == OF_CLUSTER else THEME_TITLE,
            "theme_description": label.description,
            "theme_naming": naming | {"source": FIXED, "reason": reason, "evidence": None},
        }
    if row["source"] == FIXED:
        return shown
    return shown | {
        "title": CLUSTER_TITLE,
        "description": label.description,
        "source": FIXED,
        "reason": reason,
        "keywords": [],
        "evidence": "{}",
        "name_reason": None,
        "is_suppressed": True,
    }


def suppress_alert_row(row: Mapping[str, Any], min_users: int) -> Mapping[str, Any]:
    """A row of `cluster_alerts` as it may be shown."""
    if meets_minimum(row, min_users) or row["title"] is None:
        return row
    return {**row, "title": CLUSTER_TITLE, "text": row["text"].replace(row["title"], CLUSTER_TITLE)}


def suppress_message(content: Row, made_under: int | None, min_users: int) -> Row:
    """A message that waits to be sent, as it may be shown. Its title may have been cut, so nothing of the text stays.

    Args:
        made_under: the minimum of distinct users that it was written under.
    """
    if (made_under or 0) >= min_users or content["title"] is None:
        return content
    return content | {"title": CLUSTER_TITLE, "text": CLUSTER_TITLE}
