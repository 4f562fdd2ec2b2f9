"""Reads a page as a browser would: its elements, its policy, its data and its chunks."""

import base64
import json
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class ReadPage(HTMLParser):
    """The page, parsed; `elements` are start tags with their attributes, in order."""

    html: bytes
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._inside = ""
        self.feed(self.html.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = str(dict(attrs).get("id") or "") if tag == "script" else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + data

    @property
    def policy(self) -> str:
        """The content security policy."""
        (policy,) = (
            attributes["content"]
            for tag, attributes in self.elements
            if tag == "meta" and (attributes.get("http-equiv") or "").lower() == "content-security-policy"
        )
        return policy or ""

    @property
    def report(self) -> Any:
        """The data that the page shows at once."""
        return json.loads(self.texts["report"])

    @property
    def chunks(self) -> list[list[dict[str, Any]]]:
        """The details, chunk by chunk."""
        names = sorted((name for name in self.texts if name.startswith("chunk-")), key=lambda name: int(name[6:]))
        return [json.loads(zlib.decompress(base64.b64decode(self.texts[name]), -15)) for name in names]

    def details(self, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The detail of each item of a run, by item id, of those that have one."""
        items, chunks = run["items"], self.chunks
        return {
            item: chunks[place[0]][place[1]]
            for item, place in zip(items["id"], items["detail"], strict=True)
            if place is not None
        }

    def everything(self) -> str:
        """All that anybody can read in it, unpacked."""
        return json.dumps([self.report, self.chunks], ensure_ascii=False)
