"""What a view shows of names that were made under a lower minimum of users: `labeling.suppression`, in SQL."""

from llma_assets.labeling.minimum_users import CLUSTER_TITLE, FIXED, THEME_TITLE, suppressed_label
from llma_assets.labeling.themes import OF_CLUSTER
from llma_assets.vocabulary import Reason


def suppressed_columns(table: str, min_users: int) -> dict[str, str]:
    """Expressions in place of columns of a table; none without a minimum. None of the texts is from outside."""
    return (
        _TABLES[table](f"coalesce(min_users, 0) >= {min_users:d}", min_users) if min_users and table in _TABLES else {}
    )


def _labels(keeps: str, min_users: int) -> dict[str, str]:
    description = f"'{suppressed_label(0, '', 1).description}'"
    reason = f"'{Reason.LOWER_MINIMUM} (' || coalesce(min_users, 0) || ' of {min_users:d})'"
    told = f"{keeps} OR source = '{FIXED}'"
    theme = "theme_naming.source"
    told_theme = (
        f"{keeps} OR theme_naming IS NULL OR {theme} = '{FIXED}' OR ({theme}, source) = ('{OF_CLUSTER}', '{FIXED}')"
    )
    theme_title = f"CASE WHEN {theme} = '{OF_CLUSTER}' THEN '{CLUSTER_TITLE}' ELSE '{THEME_TITLE}' END"
    naming = f"struct_update(theme_naming, source := '{FIXED}', reason := {reason}, evidence := CAST(NULL AS VARCHAR))"
    return {
        "previous_title": f"CASE WHEN {keeps} THEN previous_title END",
        "theme_title": f"CASE WHEN {told_theme} THEN theme_title ELSE {theme_title} END",
        "theme_description": f"CASE WHEN {told_theme} THEN theme_description ELSE {description} END",
        "theme_naming": f"CASE WHEN {told_theme} THEN theme_naming ELSE {naming} END",
        "title": f"CASE WHEN {told} THEN title ELSE '{CLUSTER_TITLE}' END",
        "description": f"CASE WHEN {told} THEN description ELSE {description} END",
        "source": f"CASE WHEN {told} THEN source ELSE '{FIXED}' END",
        "reason": f"CASE WHEN {told} THEN reason ELSE {reason} END",
        "keywords": f"CASE WHEN {told} THEN keywords ELSE [] END",
        "evidence": f"CASE WHEN {told} THEN evidence ELSE '{{}}' END",
        "name_reason": f"CASE WHEN {told} THEN name_reason END",
        "is_suppressed": f"CASE WHEN {told} THEN is_suppressed ELSE true END",
    }


def _alerts(keeps: str, _min_users: int) -> dict[str, str]:
    told = f"{keeps} OR title IS NULL"
    return {
        "title": f"CASE WHEN {told} THEN title ELSE '{CLUSTER_TITLE}' END",
        "text": f"CASE WHEN {told} THEN text ELSE replace(text, title, '{CLUSTER_TITLE}') END",
    }


def _deliveries(keeps: str, _min_users: int) -> dict[str, str]:
    return {"message": f"CASE WHEN {keeps} OR message->>'$.title' IS NULL THEN message END"}


_TABLES = {"cluster_labels": _labels, "cluster_alerts": _alerts, "alert_deliveries": _deliveries}
