"""The explorer in a browser: how soon it is there, and how smoothly its map moves.

    python benchmarks/explorer.py PAGE

PAGE is a page of `llma report`; that of the result is of the 5,000 traces of `benchmarks/report.py`. Needs Chromium and
`llma_assets_tests/explorer/requirements.txt`. Without a graphics card, at 1440 by 900. Each figure is the median of
`ROUNDS` fresh browsers: from the start of the navigation to the first text that is painted, and until the map is there;
from a click to the page of a cluster; frames while the mouse moves over the map, drags it, and turns its wheel. A
frame of over 33 ms misses 30 a second.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

RESULT = Path(__file__).parent / "results" / "explorer.json"
ROUNDS = 5
SECONDS = 3.0
RECORD = """() => {
    window.frames_ms = [];
    let last = performance.now();
    const next = (now) => {
        window.frames_ms.push(now - last);
        last = now;
        window.frame = requestAnimationFrame(next);
    };
    window.frame = requestAnimationFrame(next);
}"""
STOP = "() => { cancelAnimationFrame(window.frame); return window.frames_ms.slice(1); }"


def frames(page: Page, act: Any) -> list[float]:
    """Milliseconds of each frame while `act(step)` is done again and again."""
    page.evaluate(RECORD)
    end, step = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        act(step)
        step += 1
    return page.evaluate(STOP)


def one_round(browser: Any, address: str) -> dict[str, Any]:
    """All figures once, in a context of their own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".map-canvas canvas")
    ready = page.evaluate("performance.now()")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    items = page.evaluate("JSON.parse(document.getElementById('report').textContent).runs[0].items.id.length")
    box = page.locator(".map-canvas").bounding_box()
    assert box

    def place(step: int) -> tuple[float, float]:
        return box["x"] + 100 + (step * 7) % (box["width"] - 200), box["y"] + 100 + (step * 5) % (box["height"] - 200)

    told: dict[str, Any] = {"items": items, "first_paint_ms": paint, "ready_ms": ready}
    told["hover"] = frames(page, lambda step: page.mouse.move(*place(step)))
    page.mouse.move(*place(0))
    page.mouse.down()
    told["pan"] = frames(page, lambda step: page.mouse.move(*place(step)))
    page.mouse.up()
    told["zoom"] = frames(page, lambda step: page.mouse.wheel(0, -60 if step // 20 % 2 else 60))
    start = time.monotonic()
    page.evaluate("location.hash = '#cluster?id=0'")
    page.wait_for_selector(".items")
    told["cluster_ms"] = (time.monotonic() - start) * 1000
    context.close()
    if faults:
        sys.exit(f"the page complained: {faults}")
    return told


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of the rounds."""
    told: dict[str, Any] = {"items": rounds[0]["items"]}
    for name in ("first_paint_ms", "ready_ms", "cluster_ms"):
        told[name] = round(statistics.median(one[name] for one in rounds))
    for name in ("hover", "pan", "zoom"):
        each = [sorted(one[name]) for one in rounds]
        told[name] = {
            "frames_per_second": round(statistics.median(1000 * len(ms) / sum(ms) for ms in each), 1),
            "median_ms": round(statistics.median(ms[len(ms) // 2] for ms in each), 1),
            "p95_ms": round(statistics.median(ms[int(len(ms) * 0.95)] for ms in each), 1),
        }
    return told


def main(path: Path) -> None:
    chromium = os.environ.get("LLMA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    rounds = []
    with sync_playwright() as playwright:
        for _ in range(ROUNDS):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            rounds.append(one_round(browser, path.resolve().as_uri()))
            version = browser.version
            browser.close()
    told = {"page_bytes": path.stat().st_size, **summary(rounds)}
    told |= {"chromium": version, "machine": platform.machine(), "cpus": os.cpu_count(), "rounds": ROUNDS}
    RESULT.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(RESULT.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
