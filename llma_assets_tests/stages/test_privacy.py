"""What reaches a server: not the secrets of a trace, wherever in it they stand (S5). Proved on the bytes."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from llma_assets.clustering_jobs import clustering_jobs
from llma_assets.lake import Lake
from llma_assets.llm.task import LlmTask
from llma_assets.providers import embedder_of
from llma_assets.redaction.redactor import Redactor
from llma_assets.resources.providers import Providers
from llma_assets.settings import load_settings
from llma_assets.stages.cluster_labels import LabelClusters
from llma_assets.stages.embeddings import EmbedDay
from llma_assets.stages.trace_summaries import SummarizeDay
from llma_assets.team_day import TeamDay
from llma_assets_tests.llm.server import CHAT_MODEL, EMBEDDING_MODEL, Server
from llma_assets_tests.real_traces import NOW
from llma_assets_tests.stages.pipeline import LOG, cluster, source

pytest_plugins = ["llma_assets_tests.llm.llm_fixtures"]

DAY = TeamDay("acme", date(2026, 3, 9))
# In pieces, so that nobody takes them for real ones.
SECRETS = {
    "email": "ada.lovelace" + "@" + "analytical.example.org",
    "phone": "+44 20 7946" + " 0958",
    "card": "4242 4242" + " 4242 4242",
    "iban": "GB82 WEST" + " 1234 5698 7654 32",
    "ip": "203.0.113" + ".77",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "openai": "sk-" + "proj-" + "Ab1" * 16,
    "aws": "AKIA" + "IOSFODNN7" + "EXAMPLE",
    "github": "gh" + "p_" + "a1B2" * 9,
    "slack": "xox" + "b-" + "123456789012-" + "AbCdEfGhIjKlMnOpQrStUvWx",
    "stripe": "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "pem": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" + "VJTUt9Us8cKj",
    "order": "ORD-778812",
}
PEM = f"-----BEGIN PRIVATE KEY-----\n{SECRETS['pem']}\n-----END PRIVATE KEY-----"


def _events() -> list[dict[str, Any]]:
    """Twenty-four questions in two kinds; each holds every secret, somewhere else each time."""
    events = []
    for number in range(24):
        said = ", ".join(value for name, value in SECRETS.items() if name != "pem")
        topic = "refund of a cancelled flight" if number % 2 else "password reset of a locked account"
        asked = f"I need the {topic}, case {number}. My details: {said}"
        called = {"function": {"name": "look_up", "arguments": f'{{"note": "{said}", "who": "{SECRETS["email"]}"}}'}}
        properties = {
            "$ai_trace_id": f"t{number}",
            "$ai_model": "m",
            "$ai_span_name": f"case of {SECRETS['email']}",
            "$ai_input": [{"role": "user", "content": asked}, {"role": "tool", "content": f"log:\n{PEM}\nend"}],
            "$ai_output_choices": [{"role": "assistant", "content": f"Done for {said}", "tool_calls": [called]}],
            "$ai_input_state": {SECRETS["email"]: {SECRETS["github"]: 1}, "card": SECRETS["card"]},
            "$ai_is_error": number == 3,
            "$ai_error": f"no access for {SECRETS['email']} with {SECRETS['openai']}" if number == 3 else None,
        }
        at = datetime(2026, 3, 9, 10, tzinfo=UTC) + timedelta(minutes=number)
        events.append(
            {"uuid": f"u{number}", "event": "$ai_generation", "distinct_id": "p", "timestamp": at.isoformat()}
            | {"properties": properties}
        )
    return events


@pytest.fixture
def remote(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name, value in {
        "OPENAI_BASE_URL": server.url,
        "OPENAI_SUMMARY_MODEL": CHAT_MODEL,
        "OPENAI_LABEL_MODEL": CHAT_MODEL,
        "OPENAI_EMBEDDING_MODEL": EMBEDDING_MODEL,
        # The server of the tests is on this machine, and would get everything.
        "REDACTION": "always",
        "REDACTION_PATTERNS": '{"order": "ORD-[0-9]{6}"}',
    }.items():
        monkeypatch.setenv(f"LLMA_{name}", value)
    return server


def run_all(lake: Lake, providers: Providers) -> None:
    """Summaries, vectors and names of the day."""
    with providers.open_summarizer(LlmTask("trace_summaries", DAY), lake, lambda: NOW) as opened:
        jobs = clustering_jobs(DAY.team, load_settings())
        SummarizeDay(
            lake, source(lake), opened.provider, jobs, load_settings(), NOW, LOG, redactor=opened.redactor
        ).run(DAY)
    with providers.open_embedder(LlmTask("embeddings", DAY), lake, lambda: NOW) as opened:
        EmbedDay(lake, opened.provider, embedder_of(load_settings()).recipe, LOG).run(DAY)
    cluster(lake, DAY)
    with providers.open_labeler(LlmTask("cluster_labels", DAY), lake, lambda: NOW) as opened:
        LabelClusters(lake, opened.provider, LOG).run(DAY)


def sent(server: Server) -> str:
    """All bytes that arrived, but for the headers' key, which is the server's own."""
    return "\n".join(request.raw.decode("utf-8", "replace") for request in server.requests)


@pytest.mark.parametrize("summarizer", ["openai", "extractive"])
def test_no_secret_reaches_the_server(remote: Server, lake: Lake, ingest: Callable[..., Any], summarizer: str) -> None:
    """Also where summaries are made here, word for word, and only vectors and names are asked for."""
    ingest(_events())
    run_all(lake, Providers(summarizer=summarizer, embedder="openai", labeler="openai"))
    paths = {request.path for request in remote.requests}
    assert paths == {"/v1/chat/completions", "/v1/embeddings"}
    assert len(remote.requests) > (40 if summarizer == "openai" else 1)
    bytes_sent = sent(remote)
    for name, secret in SECRETS.items():
        for form in {secret, secret.replace(" ", ""), secret.replace(" ", "-")}:
            assert form not in bytes_sent, name
    for mark in ("[email]", "[phone]", "[card]", "[iban]", "[ip]", "[jwt]", "[api key]", "[order]"):
        assert mark in bytes_sent
    assert "refund of a cancelled flight" in bytes_sent, "the rest is what it was"


def test_a_server_next_door_gets_the_text_as_it_is(
    remote: Server, lake: Lake, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMA_REDACTION", "remote")
    ingest(_events())
    run_all(lake, Providers(summarizer="openai", embedder="lsa", labeler="keywords"))
    assert SECRETS["email"] in sent(remote)


def test_an_item_whose_redaction_fails_is_not_sent(
    remote: Server, lake: Lake, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Redactor.value

    def failing(self: Redactor, value: Any) -> Any:
        if "case 7." in str(value):
            raise RecursionError(f"cannot read {SECRETS['email']}")
        return honest(self, value)

    monkeypatch.setattr(Redactor, "value", failing)
    ingest(_events())
    run_all(lake, Providers(summarizer="openai", embedder="lsa", labeler="keywords"))
    rows = {(row["level"], row["trace_id"]): row for row in lake.read("trace_summaries", DAY).to_pylist()}
    assert {row["reason"] for key, row in rows.items() if key[1] == "t7"} == {"redaction_failed"}
    assert rows["trace", "t8"]["status"] == "summarized"
    assert "case 7." not in sent(remote)
