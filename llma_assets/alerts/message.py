"""What is sent: plain JSON, or a Slack message in which nothing of a title means anything to Slack."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from llma_assets.traces.safe_text import one_line

VERSION = 1
MAX_TITLE_CHARS = 120
MAX_TEXT_CHARS = 600

Format = Literal["generic", "slack"]


def message(row: Mapping[str, Any], redact: Callable[[str], str] | None) -> dict[str, Any]:
    """The plain data of a finding.

    Args:
        row: of the table `cluster_alerts`.
        redact: takes secrets out of what comes from traces; None: it goes as it is.
    """

    def text(value: str | None, max_chars: int) -> str | None:
        if value is None:
            return None
        return one_line(redact(value) if redact else value, max_chars)

    return {
        "version": VERSION,
        "alert_id": row["alert_id"],
        "kind": row["kind"],
        "team": row["team_id"],
        "date": row["date"].isoformat(),
        "since": row["since"].isoformat(),
        "level": row["level"],
        "clustering_run_id": row["clustering_run_id"],
        "cluster_id": row["cluster_id"],
        "lineage_id": row["lineage_id"],
        "title": text(row["title"], MAX_TITLE_CHARS),
        "text": text(row["text"], MAX_TEXT_CHARS),
        "figures": json.loads(row["figures"]),
    }


def request(content: Mapping[str, Any], form: Format) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the request that carries a message: the same bytes for the same message."""
    body = _slack(content) if form == "slack" else dict(content)
    headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": str(content["alert_id"])}
    return json.dumps(body, sort_keys=True, allow_nan=False).encode("ascii"), headers


def _slack(content: Mapping[str, Any]) -> dict[str, Any]:
    """An incoming webhook's message. Plain text blocks know no mentions, links or markup; `text`, which
    notifications show, does, and is escaped."""
    where = " · ".join(str(part) for part in (content["team"], content["date"], content["level"]) if part)
    lines = [str(content["text"]), f"{content['kind']} · {where}"]
    return {
        "text": slack_text(f"{lines[0]} ({lines[1]})"),
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": slack_text(line), "emoji": False}}
            for line in lines
        ],
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def slack_text(text: str) -> str:
    """`text` with Slack's control characters escaped, and mentions and addresses broken by an invisible joiner."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "@\u2060").replace("://", ":\u2060//").replace("www.", "www\u2060.")
