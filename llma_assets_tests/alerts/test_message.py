"""What is sent: plain data, or a Slack message in which a title means nothing to Slack; bounded, and redacted."""

import json
import re
from datetime import date
from typing import Any

import pytest

from llma_assets.alerts.message import message, request
from llma_assets.redaction.redactor import Redactor

HOSTILE = [
    "<!channel> wake up",
    "<!here|x> and <@U012AB3CD> and <#C024BE7LR>",
    "see <https://evil.example/x|your invoice>",
    "see https://evil.example/x and www.evil.example",
    "@here @channel @everyone",
    "a & b < c > d",
    "&lt;!channel&gt;",
    "*bold* _it_ ~no~ `code` :fire:",
]


def row(title: str) -> dict[str, Any]:
    return {
        "alert_id": "id-1", "kind": "new_cluster", "team_id": "acme", "date": date(2026, 1, 9),
        "since": date(2026, 1, 8), "level": "trace", "clustering_run_id": "acme_trace_20260110_000000", "cluster_id": 3,
        "lineage_id": "acme_trace_20260109_000000/2", "title": title, "text": f"New cluster “{title}”: 30 items",
        "figures": '{"size": 30}',
    }  # fmt: skip


def texts(body: dict[str, Any]) -> list[str]:
    return [body["text"], *(block["text"]["text"] for block in body["blocks"])]


@pytest.mark.parametrize("title", HOSTILE)
def test_nothing_in_a_title_means_anything_to_slack(title: str) -> None:
    body = json.loads(request(message(row(title), None), "slack")[0])
    for text in texts(body):
        assert "<" not in text and ">" not in text
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
        assert not re.search(r"@\w", text), "a mention"
        assert "://" not in text and "www.e" not in text, "a link"
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert {block["text"]["emoji"] for block in body["blocks"]} == {False}
    assert (body["parse"], body["link_names"], body["mrkdwn"]) == ("none", False, False)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_what_slack_shows_is_what_the_title_says() -> None:
    body = json.loads(request(message(row("a & b < c"), None), "slack")[0])
    shown = texts(body)[1].replace("&lt;", "<").replace("&amp;", "&")
    assert shown == "New cluster “a & b < c”: 30 items"
    assert texts(body)[2] == "new_cluster · acme · 2026-01-09 · trace"


@pytest.mark.parametrize("title", HOSTILE)
def test_the_generic_form_is_plain_data(title: str) -> None:
    body, headers = request(message(row(title), None), "generic")
    assert json.loads(body)["title"] == title
    assert json.loads(body)["figures"] == {"size": 30}
    assert json.loads(body)["alert_id"] == headers["Idempotency-Key"] == "id-1"
    assert body == request(message(row(title), None), "generic")[0], "the same bytes each time"


def test_titles_are_one_short_line_without_hidden_characters() -> None:
    sent = message(row("a\r\nb\x1b[31m\u202ec\u200b" + "x" * 1_000), None)
    assert sent["title"].startswith("a b") and len(sent["title"]) == 120
    assert len(sent["text"]) <= 600
    assert not re.search(r"[\x00-\x1f\u200b\u202e]", sent["title"] + sent["text"])


def test_secrets_are_taken_out_before_they_leave() -> None:
    sent = message(row("refund for jo@example.com"), Redactor({}).text)
    assert "jo@example.com" not in json.dumps(sent)
    assert "[email]" in sent["title"] and "[email]" in sent["text"]
