"""The explorer in a browser: `make browser`. It needs Chromium, which LLMA_CHROMIUM names where PATH does not."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llma_assets.explorer.page import render_page
from llma_assets_tests.explorer.sample_report import CLUSTERS, sample_report
from llma_assets_tests.explorer.test_page import HOSTILE

pytestmark = pytest.mark.browser

Open = Callable[..., Any]
CHROMIUM = os.environ.get("LLMA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PLACES = {
    "overview": "#overview",
    "flat": "#overview?flat=1&sort=avg_cost&color=cost",
    "filtered": "#overview?errors=1&color=errors",
    "cluster": "#cluster?id=1",
    "outliers": "#cluster?id=-1",
    "item": "#item?id=trace-1&line=5-6",
    "search": "#search?q=flight",
    "compare": "#compare",
    "skipped": "#overview?run=airline_generation_20260310_000000",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "no Chromium found; install it (Debian: apt-get install chromium) or set LLMA_CHROMIUM"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files that are opened: an ordinary one, and one full of hostile texts."""
    folder = tmp_path_factory.mktemp("pages")
    reports = {"plain": sample_report(), "large": sample_report(800), "hostile": sample_report(words=HOSTILE)}
    reports["untold"] = sample_report()
    reports["untold"][0]["content"] = "none"
    items = reports["untold"][0]["runs"][0]["items"]
    items["title"] = items["detail"] = [None] * len(items["id"])
    for name, (report, chunks) in reports.items():
        (folder / f"{name}.html").write_bytes(render_page(report, chunks))
    return {name: folder / f"{name}.html" for name in reports}


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a file at a place; at the end no page may have complained."""
    complaints: list[str] = []
    contexts = []

    def _open(name: str = "plain", place: str = "", **options: Any) -> Any:
        context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith("file:") else complaints.append(asked.url))
        page.goto(pages[name].as_uri() + place)
        page.wait_for_selector("h1")
        return page

    yield _open
    for context in contexts:
        context.close()
    assert complaints == []


def expect(locator: Any) -> Any:
    """Assertions that wait: the address changes first, and the view after it."""
    from playwright.sync_api import expect as waiting

    return waiting(locator)


def ready(page: Any) -> None:
    """Until what is unpacked is there."""
    page.wait_for_selector("main .loading", state="detached")


def over_the_map(page: Any) -> Iterator[tuple[float, float]]:
    """Moves the mouse over the map from place to place."""
    box = page.locator(".map-canvas").bounding_box()
    for step in range(1, 400):
        place = box["x"] + box["width"] * (step % 20) / 20, box["y"] + box["height"] * (step // 20) / 20
        page.mouse.move(*place)
        yield place


def test_from_the_map_to_a_line_and_back(opened: Open) -> None:
    """The analyst's walk, all by mouse: a point on the map, the card of its cluster, the cluster, an item, a line."""
    page = opened()
    heading = page.locator("h1")
    expect(heading).to_have_text("96 traces, 7 clusters in 3 themes", use_inner_text=True)
    note = page.locator(".note-cluster")
    names = (note.inner_text() for _ in over_the_map(page) if note.is_visible())
    name = next(name for name in names if name in CLUSTERS)
    card = page.locator(".card", has=page.get_by_role("link", name=name, exact=True))
    before = page.locator(".map-canvas").screenshot()
    card.hover()
    expect(note).to_be_hidden()
    assert page.locator(".map-canvas").screenshot() != before, "its points stand out"
    card.get_by_role("link").click()
    expect(heading).to_have_text(name, use_inner_text=True)
    assert page.url.endswith(f"#cluster?id={CLUSTERS.index(name)}")
    page.locator(".items tbody a").first.click()
    ref = page.locator(".ref").first
    lines = ref.get_attribute("data-lines").split("-")
    ref.click()
    marked = page.locator(".text-marked")
    numbers = range(int(lines[0]), int(lines[-1]) + 1)
    expect(marked).to_have_count(len(numbers))
    assert [line.get_attribute("id") for line in marked.all()] == [f"line-{number}" for number in numbers]
    expect(marked.first).to_be_visible()
    expect(ref).to_have_attribute("aria-current", "true")
    page.go_back()
    page.go_back()
    expect(heading).to_have_text(name, use_inner_text=True)
    page.go_back()
    expect(heading).to_have_text("96 traces, 7 clusters in 3 themes", use_inner_text=True)


def test_an_answer_leads_to_its_cluster(opened: Open) -> None:
    page = opened()
    page.locator(".answer", has_text="Fails most").get_by_role("link").click()
    expect(page.locator("h1")).to_have_text(CLUSTERS[1], use_inner_text=True)
    assert page.url.endswith("#cluster?id=1")


def test_the_name_of_a_cluster_on_the_map_opens_it(opened: Open) -> None:
    page = opened(place="#overview?color=cluster")
    for x, y in over_the_map(page):
        if page.locator(".note").is_hidden():
            page.mouse.click(x, y)
            if "#cluster" in page.url:
                break
    page.wait_for_selector(".items")
    assert "#cluster?id=" in page.url


def test_a_point_on_the_map_opens_its_item(opened: Open) -> None:
    page = opened()
    x, y = next(place for place in over_the_map(page) if page.locator(".note").is_visible())
    seen = page.locator(".note-title").inner_text()
    page.mouse.click(x, y)
    expect(page.locator("h1")).to_have_text(seen, use_inner_text=True)


def test_a_lasso_lists_what_it_holds(opened: Open) -> None:
    page = opened()
    page.get_by_role("button", name="Draw a box").click()
    box = page.locator(".map-canvas").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5, steps=5)
    page.mouse.up()
    expect(page.locator(".selection h3")).to_have_text("96 traces selected", use_inner_text=True)
    page.keyboard.press("Escape")
    expect(page.locator(".selection")).to_be_hidden()


def test_the_wheel_zooms_and_dragging_pans(opened: Open) -> None:
    page = opened()
    box = page.locator(".map-canvas").bounding_box()
    shots = [page.locator(".map-canvas").screenshot()]
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(300)
    shots.append(page.locator(".map-canvas").screenshot())
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 100, steps=4)
    page.mouse.up()
    page.wait_for_timeout(300)
    shots.append(page.locator(".map-canvas").screenshot())
    assert len(set(shots)) == 3


def test_filters_colours_and_order_are_in_the_address(opened: Open) -> None:
    page = opened(place="#overview?errors=1&color=errors&sort=avg_cost&flat=1")
    expect(page.locator(".active-count")).to_have_text("12 of 96 traces", use_inner_text=True)
    expect(page.locator(".card-title")).to_have_text([CLUSTERS[1]], use_inner_text=True)
    expect(page.locator(".legend-name")).to_have_text(["no error", "with errors"], use_inner_text=True)
    expect(page.locator("#sort")).to_have_value("avg_cost")
    page.get_by_role("button", name="Remove the filter").click()
    expect(page.locator(".card-title")).to_have_count(8)
    page.locator("#map-color").select_option("day")
    expect(page.locator(".legend li")).to_have_count(7)
    assert "errors=" not in page.url and "color=day" in page.url
    page.evaluate("location.hash = '#overview?color=latency&day=2026-03-04'")
    expect(page.locator("#map-color")).to_have_value("latency")
    expect(page.locator(".active-count")).to_have_text("14 of 96 traces", use_inner_text=True)


def test_sorting_answers_what_costs_most(opened: Open) -> None:
    page = opened(place="#overview?flat=1")
    page.locator("#sort").select_option("total_cost")
    expect(page.locator(".card-title").first).to_have_text(CLUSTERS[1], use_inner_text=True)
    page.locator("#sort").select_option("newest")
    expect(page.locator(".card-title").first).to_have_text(CLUSTERS[4], use_inner_text=True)
    expect(page.locator(".card-title").last).to_have_text("Outliers", use_inner_text=True)


def test_search_finds_clusters_items_and_summaries(opened: Open) -> None:
    page = opened()
    page.keyboard.press("/")
    page.keyboard.type("gift cards")
    page.wait_for_selector(".results h2")
    expect(page.locator(".results .item-line-title").first).to_have_text(CLUSTERS[1], use_inner_text=True)
    assert page.locator("#search-box").evaluate("box => document.activeElement === box")
    page.locator("#search-box").fill("zzz")
    page.wait_for_selector(".results .empty")
    page.locator("#search-box").fill("called tools")
    page.locator("#deep").check()
    page.wait_for_selector(".results h2")
    assert "found" in page.locator("#live").inner_text()


def test_an_earlier_day_is_matched_by_lineage(opened: Open) -> None:
    page = opened(place="#compare")
    rows = {row.locator("th").inner_text().split("\n")[0]: row for row in page.locator(".compare tbody tr").all()}
    assert "New" in rows[next(name for name in rows if name.startswith(CLUSTERS[4]))].inner_text()
    assert "Gone" in next(row for name, row in rows.items() if name.startswith("Lost Bags")).inner_text()
    assert len(rows) == 8


def test_skipped_runs_say_why(opened: Open) -> None:
    page = opened(place=PLACES["skipped"])
    assert "too few items (12 of 20)" in page.locator(".warning").inner_text()
    expect(opened(place="#level=generation").locator("h1")).to_have_text("Not clustered", use_inner_text=True)


def test_thousands_are_paged(opened: Open) -> None:
    page = opened("large", "#cluster?id=1")
    expect(page.locator(".items tbody tr")).to_have_count(50)
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".pager span")).to_have_text("Page 2 of 2", use_inner_text=True)
    page.go_back()
    expect(page.locator(".pager span")).to_have_text("Page 1 of 2", use_inner_text=True)


def test_the_keyboard_reaches_everything(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".card-title a").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == page.locator(".card-title a").nth(1).inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector(".items")
    page.keyboard.press("Escape")
    page.wait_for_selector(".map-canvas[role=img]")
    page.locator(".panel summary").click()
    page.keyboard.press("Escape")
    expect(page.locator(".panel-body")).to_be_hidden()


@pytest.mark.parametrize("place", PLACES)
def test_hostile_texts_stay_texts(opened: Open, place: str) -> None:
    """S10 to S12: nothing that a trace says becomes an element, an address or a script; no page complains."""
    page = opened("hostile", PLACES[place])
    ready(page)
    found = page.evaluate(
        """() => ({
            foreign: document.querySelectorAll("img, iframe, object, embed, main script, animate").length,
            handlers: [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes])
                .filter((a) => a.name.startsWith("on") || (a.name === "href" && !a.value.startsWith("#"))).length,
        })"""
    )
    assert found == {"foreign": 0, "handlers": 0}


def test_hostile_items_open_by_their_links(opened: Open) -> None:
    page = opened("hostile", "#cluster?id=1")
    page.locator(".items tbody a").first.click()
    expect(page.locator("h1")).to_contain_text("<script>alert(1)</script>", use_inner_text=True)
    page.locator(".ref").first.click()
    expect(page.locator(".text-marked").first).to_be_visible()
    assert page.locator(".flow text").count() > 1


def test_a_page_without_content_shows_figures(opened: Open) -> None:
    page = opened("untold", "#cluster?id=1")
    page.locator(".items tbody a").first.click()
    expect(page.locator("h1")).to_contain_text("Trace ", use_inner_text=True)
    expect(page.get_by_role("button", name="Copy the trace id")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("place", PLACES)
def test_no_serious_fault_of_access(opened: Open, place: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(place=PLACES[place], viewport={"width": width, "height": 844}, color_scheme=scheme)
    ready(page)
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing reaches beyond the screen"


def test_dark_and_light_by_a_switch(opened: Open) -> None:
    page = opened(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(ground) != light
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(ground) == light
