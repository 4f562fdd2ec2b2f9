"""The explorer's page: one HTML file that holds its style, its scripts and its data, and asks nothing of a network.

Whatever comes out of a trace is data in it, never markup: JSON without any character that HTML knows, and bytes in
base64. The content security policy names style and scripts by their hashes: nothing else runs, whatever the data say.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from llma_assets.errors import InputRejected

# In the order in which they are joined: one scope, each file knows those before it.
SCRIPTS = (
    "dom",
    "format",
    "data",
    "state",
    "filters",
    "palette",
    "parts",
    "navigate",
    "points",
    "map",
    "mapbar",
    "filterbar",
    "cards",
    "glance",
    "selection",
    "overview",
    "trend",
    "items",
    "cluster",
    "flow",
    "tracetext",
    "item",
    "search",
    "compare",
    "header",
    "app",
)
STYLES = ("base", "parts", "overview", "pages")
CHARTS = "vendor/charts.min.js"

# What HTML or an older JavaScript could take for more than text, and halves of characters, which UTF-8 has no form for.
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
_PLACE = re.compile(r"\{\{([a-z]+)\}\}")


def render_page(report: dict[str, Any], chunks: Sequence[bytes]) -> bytes:
    """The page of one team and day.

    Args:
        report: what the page shows at once; `schema`, `team`, `date`, `version` and `runs`.
        chunks: JSON arrays compressed by raw deflate, read by the page when an item is opened.

    Returns:
        HTML in UTF-8; the same bytes for the same input.

    Raises:
        InputRejected: the report holds NaN, infinity, or what JSON has no form for.
    """
    style, charts, app = _style(), _static(CHARTS), _app()
    places = {
        "csp": content_security_policy(scripts=(charts, app), styles=(style,)),
        "title": html.escape(f"{report['team']} · {report['date']} · clusters"),
        "team": html.escape(str(report["team"])),
        "date": html.escape(str(report["date"])),
        "style": style,
        "charts": charts,
        "app": app,
        "report": inert_json(report),
        "chunks": "\n".join(
            f'<script type="application/octet-stream" id="chunk-{number}">{base64.b64encode(chunk).decode()}</script>'
            for number, chunk in enumerate(chunks)
        ),
    }
    template = files("llma_assets.explorer").joinpath("page.html").read_text(encoding="utf-8")
    # One pass, so that a title which looks like a place stays a title.
    return _PLACE.sub(lambda place: places[place[1]], template).encode("utf-8")


def inert_json(value: Any) -> str:
    """JSON in which no character means anything to HTML, wherever it is put.

    Raises:
        InputRejected: as `render_page`.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError) as error:
        told = f"report: cannot be written as JSON ({error}); allowed are finite numbers and text"
        raise InputRejected(told) from error
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def content_security_policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """A policy under which only these scripts and styles act, and nothing is fetched.

    Text set as markup is refused, too (trusted types); the one policy that a script here makes takes the empty string.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(_hash(script) for script in scripts)}",
            f"style-src {' '.join(_hash(style) for style in styles)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types default",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


@cache
def _static(path: str) -> str:
    # As an HTML parser hands it on, else a checkout with other line ends would break the hashes.
    text = files("llma_assets.explorer").joinpath("static", *path.split("/")).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


@cache
def _style() -> str:
    return "\n".join(_static(f"css/{name}.css") for name in STYLES)


@cache
def _app() -> str:
    parts = "\n".join(_static(f"js/{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'
