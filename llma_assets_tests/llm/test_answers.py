"""The pure checks between a model's answer and the data, and the small parts around a call."""

import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.errors import FailFast, InputRejected
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.labeling.prompt import build_messages as label_messages
from llma_assets.labeling.response import read_names
from llma_assets.llm.access import Access
from llma_assets.llm.answer import read_object
from llma_assets.llm.embedder import OpenAIEmbedder
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.failures import retry_after_s
from llma_assets.llm.fence import new_fence
from llma_assets.llm.labeler import OpenAILabeler
from llma_assets.llm.policy import RetryPolicy
from llma_assets.llm.prompts import load_prompt
from llma_assets.llm.summarizer import PROMPT_VERSION, OpenAISummarizer
from llma_assets.settings import load_settings
from llma_assets.summarization.prompt import BULLETS, build_messages, fill
from llma_assets.summarization.response import checked_refs, has_link, read_summary, without_links
from llma_assets.traces.representation import TextRepresentation
from llma_assets_tests.llm.llm_items import item, real_items

TEXT = item(1).representation
FENCE = "=== 00112233445566778899 ==="
GOOD = {
    "title": "Book train to Rome",
    "flow_steps": ["Ask", "Book"],
    "summary_bullets": [{"text": "The user asks for a train.", "line_refs": "L7"}],
    "interesting_notes": [],
}


def _read(**changes: Any) -> Any:
    return read_summary(GOOD | changes, TEXT, "detailed", FENCE)


# --- line refs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_refs", "kept"),
    [
        ("L7", "L7"),
        ("l007", "L7"),
        ("L5-9", "L5-9"),
        ("L5-L9, L2", "L5-9, L2"),
        ("L5–9", "L5-9"),
        ("[L5], (6)", "L5, L6"),
        ("L7, L7", "L7"),
        ("L0", ""),
        ("L10", ""),
        ("L5-900, L6", "L6"),
        ("L9-5", ""),
        ("L99999999999999999999", ""),
        ("none", ""),
        ("", ""),
        ("L1 L2 L3 L4 L5 L6", "L1, L2, L3, L4, L5"),
    ],
)
def test_only_lines_that_are_there_are_referred_to(given_refs: str, kept: str) -> None:
    assert TEXT.line_count == 9
    assert checked_refs(given_refs, TEXT) == kept


def test_lines_left_out_of_a_sampled_text_are_not_referred_to() -> None:
    sampled = TextRepresentation("…", 1, 100, True, True, "x", (), kept_lines=(1, 2, 50, 60, 100))
    assert checked_refs("L50, L51, L40-70, L3-49", sampled) == "L50, L50-60"


# --- what is mended, what is refused ----------------------------------------------------------------------------------


def test_a_title_that_is_a_little_long_is_cut_and_a_very_long_one_refused() -> None:
    assert _read(title='"One two three four five six seven eight nine of the."').title == (
        "One two three four five six seven eight nine"
    )
    with pytest.raises(InputRejected, match="title"):
        _read(title="word " * 30)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("see https://user:pw@evil.example/a?q=secret now", "see evil.example now"),
        ("see [x](http://evil.example/p.png)", "see [x](evil.example)"),
        ("see www.evil.example/a.", "see evil.example"),
        ("run javascript:alert(1)", "run alert(1)"),
        ("load data:text/html;base64,AAAA", "load text"),
        ("The data: five rows. Ratio 3:4", "The data: five rows. Ratio 3:4"),
    ],
)
def test_links_become_plain_names(said: str, kept: str) -> None:
    assert without_links(said) == kept
    assert has_link(said) == (said != kept)
    assert _read(summary_bullets=[{"text": said, "line_refs": ""}]).bullets[0].text == kept


def test_counts_are_bounded_and_marks_stripped() -> None:
    many = [{"text": f"- Statement\u202e {n}\n<b>", "line_refs": "L1"} for n in range(50)]
    summary = _read(summary_bullets=many, interesting_notes=many, flow_steps=[f"step {n}" for n in range(50)])
    assert len(summary.bullets) == BULLETS["detailed"][1] and len(summary.notes) == 5
    assert summary.bullets[0].text == "Statement 0 <b>"
    assert summary.flow_diagram.count('["') <= 12


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, json_values)))
def test_any_answer_is_a_summary_or_refused(changes: Mapping[str, Any]) -> None:
    try:
        summary = read_summary(GOOD | dict(changes), TEXT, "minimal", FENCE)
    except InputRejected as problem:
        assert 0 < len(str(problem)) < 200
        return
    assert 1 <= len(summary.title.split()) <= 10 and len(summary.title) <= 120
    assert 1 <= len(summary.bullets) <= 5
    for note in summary.bullets + summary.notes:
        assert note.text.isprintable() and not has_link(note.text)


@given(st.lists(json_values | st.fixed_dictionaries({"cluster_id": st.integers(0, 2)}, optional={"title": st.text()})))
def test_any_list_of_names_accounts_for_every_cluster(entries: list[Any]) -> None:
    evidence = [ClusterEvidence(n, 5, (ItemEvidence("i", f"Topic {n}", ()),)) for n in range(2)]
    names = read_names({"clusters": entries}, evidence, FENCE)
    assert names.good.keys() | names.problems.keys() == {0, 1}
    assert not names.good.keys() & names.problems.keys()


def test_a_title_in_a_script_without_spaces_is_taken() -> None:
    evidence = [ClusterEvidence(4, 5, (ItemEvidence("i", "航空券の予約を変更する", ()),))]
    entry = {"cluster_id": 4, "title": "航空券の予約変更", "description": ["利用者は予約を変更する", "完了する"]}
    assert read_names({"clusters": [entry]}, evidence, FENCE).good[4].title == "航空券の予約変更"


@pytest.mark.parametrize("content", ["", " ", "null", "[]", "no", "{", '{"a": }', "x" * 500_000, '{"a":' * 200_000])
def test_what_holds_no_object_is_refused(content: str) -> None:
    with pytest.raises(InputRejected) as caught:
        read_object(content)
    assert len(str(caught.value)) < 100


# --- prompts ----------------------------------------------------------------------------------------------------------


def test_values_are_not_read_as_templates() -> None:
    assert fill("{{a}} {{b}}", {"a": "{{b}}", "b": "x"}) == "{{b}} x"


@pytest.mark.parametrize("mode", ["minimal", "detailed"])
def test_prompts_name_every_field_and_limit(mode: str) -> None:
    prompt = load_prompt(PROMPT_VERSION)
    system, user = build_messages(prompt, TEXT, mode, FENCE)
    for field in GOOD:
        assert f"`{field}`" in system["content"]
    least, most = BULLETS[mode]
    assert f"{least} to {most} statements" in system["content"]
    assert TEXT.text in user["content"]
    names = label_messages(load_prompt("label.v2"), [], FENCE)
    assert "{{" not in system["content"] + user["content"] + names[0]["content"] + names[1]["content"]
    assert "{{problem}}" in prompt["repair"]


def test_an_unknown_prompt_version_is_named() -> None:
    with pytest.raises(InputRejected, match=r"summarize\.v99"):
        load_prompt("summarize.v99")


def test_marks_do_not_come_twice() -> None:
    assert len({new_fence() for _ in range(100)}) == 100


# --- endpoint, waits, prices ------------------------------------------------------------------------------------------


def test_the_key_is_needed_only_where_the_server_is_not_local(monkeypatch: pytest.MonkeyPatch) -> None:
    for local in ("http://localhost:1/v1", "http://127.0.0.1:1/v1", "http://[::1]:1/v1", "http://ollama:11434/v1"):
        assert Endpoint(local).is_local
        assert Endpoint(local).open().api_key == "not-needed"
    for remote in (None, "https://llm.example.com/v1", "http://8.8.8.8/v1"):
        assert not Endpoint(remote).is_local
        with pytest.raises(FailFast, match="OPENAI_API_KEY is not set"):
            Endpoint(remote).open()
    monkeypatch.setenv("OPENAI_API_KEY", " sk-abc\n")
    assert Endpoint().open().api_key == "sk-abc"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abc\nsk-def")
    with pytest.raises(FailFast) as caught:
        Endpoint().open()
    assert "sk-abc" not in str(caught.value)


def test_the_sdk_neither_retries_nor_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abc")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.example/v1")
    client = Endpoint().open()
    assert isinstance(client, openai.AsyncOpenAI)
    assert client.max_retries == 0
    assert str(client.base_url) == "https://api.openai.com/v1/"
    assert "sk-abc" not in repr(Endpoint()) + repr(vars(OpenAISummarizer("m", Access()))) + repr(
        vars(OpenAIEmbedder("m", Access()))
    )


@pytest.mark.parametrize("url", ["ftp://x/v1", "localhost:8000", "http://user:pw@host/v1", "file:///etc/passwd"])
def test_odd_urls_are_refused_by_setting(url: str) -> None:
    with pytest.raises(InputRejected, match="LLMA_OPENAI_BASE_URL") as caught:
        Endpoint(url)
    assert "pw" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 02 Jan 2026 00:00:30 GMT", "date": "Fri, 02 Jan 2026 00:00:10 GMT"}, 20.0),
        ({"retry-after": "Fri, 02 Jan 2026 00:00:30 GMT", "date": "Fri, 02 Jan 2026 00:01:10 GMT"}, 0.0),
        ({"retry-after": "Fri, 02 Jan 2026 00:00:30 GMT"}, None),
    ],
)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


def test_waits_grow_and_have_ceilings() -> None:
    policy = RetryPolicy()
    for failed, low, high in ((1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 4.0), (20, 15.0, 30.0)):
        assert low <= policy.wait_s(failed, None) <= high
    assert policy.wait_s(1, 12.0) == 12.0
    assert policy.wait_s(1, 86_400.0) == 60.0


def test_settings_choose_server_and_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_OPENAI_BASE_URL", "http://localhost:9/v1")
    monkeypatch.setenv("LLMA_OPENAI_SUMMARY_MODEL", "a")
    monkeypatch.setenv("LLMA_OPENAI_LABEL_MODEL", "b")
    monkeypatch.setenv("LLMA_OPENAI_EMBEDDING_MODEL", "c")
    settings = load_settings()
    summarizer = OpenAISummarizer.from_settings(settings, Access())
    assert (summarizer.model, summarizer.mode) == ("openai/a", "detailed")
    assert OpenAILabeler.from_settings(settings, Access()).model == "openai/b"
    assert OpenAIEmbedder.from_settings(settings, Access()).model == "openai/c"


def test_the_sdk_is_not_imported_before_a_call() -> None:
    code = """
import sys
from llma_assets.llm import access, embedder, labeler, summarizer
summarizer.OpenAISummarizer("m", access.Access())
sys.exit("openai" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_text_survives_the_prompt_unchanged() -> None:
    text = real_items(3)[0].representation
    user = build_messages(load_prompt(PROMPT_VERSION), text, "detailed", FENCE)[1]["content"]
    assert re.search(re.escape(FENCE) + r"\n(.*)\n" + re.escape(FENCE), user, re.DOTALL)[1] == text.text  # type: ignore[index]
