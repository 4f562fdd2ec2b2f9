"""The explorer's page: what may run in it, and that what comes out of a trace stays text."""

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest

from llma_assets.errors import InputRejected
from llma_assets.explorer.page import SCRIPTS, STYLES, inert_json, render_page
from llma_assets_tests.explorer.sample_report import sample_report

STATIC = files("llma_assets.explorer") / "static"
# S10 to S12: markup, ends of scripts and comments, addresses that run script, entities, Mermaid, Markdown, controls.
HOSTILE = (
    " <script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)></script></style><!-- -->"
    " javascript:alert(1) &lt;b&gt; \"'` %%{init}%% ![x](http://x.example/y) \u2028\u2029\x00\x1b\u202e {{app}}"
)


class Page(HTMLParser):
    """What a browser would find: elements with attributes, and the text of scripts and styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag if tag in self.texts else ""
        if self._open:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open][-1] += data

    @property
    def policy(self) -> dict[str, list[str]]:
        content = next(a["content"] for t, a in self.elements if a.get("http-equiv") == "Content-Security-Policy")
        assert content is not None
        return {name: values for name, *values in (part.split() for part in content.split(";"))}

    def scripts(self) -> list[tuple[dict[str, str | None], str]]:
        attributes = [attributes for tag, attributes in self.elements if tag == "script"]
        return list(zip(attributes, self.texts["script"], strict=True))


def sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_only_its_own_scripts_and_styles_may_act() -> None:
    page = Page(render_page(*sample_report()))
    running = [text for attributes, text in page.scripts() if "type" not in attributes]
    assert len(running) == 2
    assert page.policy["script-src"] == [sha256(text) for text in running]
    assert page.policy["style-src"] == [sha256(text) for text in page.texts["style"]]
    assert page.policy["default-src"] == page.policy["base-uri"] == page.policy["form-action"] == ["'none'"]
    assert page.policy["img-src"] == ["data:"]
    assert page.policy["require-trusted-types-for"] == ["'script'"]
    assert not any("unsafe" in value for values in page.policy.values() for value in values)
    assert not any("src" in attributes or "style" in attributes for _, attributes in page.elements)


def test_what_a_trace_says_stays_text() -> None:
    """S10: the same elements whatever titles, names and texts hold, and the data come back as they were."""
    plain, chunks = sample_report()
    hostile, hostile_chunks = sample_report(words=HOSTILE)
    hostile["team"] = f"airline{HOSTILE}"
    page = Page(render_page(hostile, hostile_chunks))
    assert page.elements == Page(render_page(plain, chunks)).elements
    data = next(text for attributes, text in page.scripts() if attributes.get("id") == "report")
    assert json.loads(data) == hostile
    assert not re.search("[<>&\u2028\u2029\x00]", data)


def test_chunks_come_back_as_they_were() -> None:
    report, chunks = sample_report(60)
    page = Page(render_page(report, chunks))
    found = {attributes["id"]: text for attributes, text in page.scripts() if "type" in attributes}
    assert len(chunks) == 3
    for number, chunk in enumerate(chunks):
        assert base64.b64decode(found[f"chunk-{number}"]) == chunk
        assert json.loads(zlib.decompress(chunk, wbits=-15))[0]["lines"][0][0] == 1


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render_page(*sample_report()) == render_page(*sample_report())


def test_halves_of_characters_are_written_and_read() -> None:
    text = "\ud800 \udfff ok \U0001f600"
    inert_json({"title": text}).encode("utf-8")
    assert json.loads(inert_json({"title": text})) == {"title": text}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()], ids=["nan", "inf", "object"])
def test_what_json_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises(InputRejected, match="report: cannot be written as JSON"):
        inert_json({"cost": value})


def test_every_script_and_style_is_in_the_page() -> None:
    named = {f"js/{name}.js" for name in SCRIPTS} | {f"css/{name}.css" for name in STYLES}
    there = {f"{folder}/{path.name}" for folder in ("js", "css") for path in (STATIC / folder).iterdir()}
    assert named == there


def own_files() -> list[tuple[str, str]]:
    folders = ((STATIC / folder, folder) for folder in ("js", "css"))
    return [(f"{name}/{path.name}", path.read_text("utf-8")) for folder, name in folders for path in folder.iterdir()]


@pytest.mark.parametrize(("name", "text"), own_files(), ids=[name for name, _ in own_files()])
def test_own_scripts_fetch_nothing_and_write_no_markup(name: str, text: str) -> None:
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not addresses
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\"(style|on)"
    network = r"\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon|\bimport\(|@import|url\((?!#)"
    assert not re.search(f"{markup}|{network}", text)
    assert len(text.splitlines()) <= 400


def test_the_chart_library_is_small_and_has_its_licence() -> None:
    charts = (STATIC / "vendor" / "charts.min.js").read_text("utf-8")
    assert len(charts.encode()) <= 700_000
    assert not re.search(r"https?://|\beval\(|new Function|</script|<!--", charts)
    assert "Apache License" in (STATIC / "vendor" / "LICENSE").read_text("utf-8")
    assert "Apache ECharts" in (STATIC / "vendor" / "NOTICE").read_text("utf-8")
    assert "BSD 3-Clause" in (STATIC / "vendor" / "LICENSE.zrender").read_text("utf-8")
