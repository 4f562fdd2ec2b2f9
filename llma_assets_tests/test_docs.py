"""The docs name what is there: paths, packages, commands of make, numbers of faults. Nothing is run here."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CITED = re.compile(r"\b[FBS]\d{1,2}\b")
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

sys.path.insert(0, str(ROOT / "tools"))
import draw_packages  # noqa: E402


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_the_picture_of_the_packages_is_drawn_from_the_imports() -> None:
    page = text(draw_packages.PAGE)
    assert draw_packages.with_drawing(page) == page, "python tools/draw_packages.py"


def test_every_package_is_in_a_layer_and_in_the_table() -> None:
    packages = draw_packages.imports().keys() - {"__init__", "demo"}
    assert packages <= {name for layer in draw_packages.layers() for name in layer}
    table = text(draw_packages.PAGE).partition("| package | holds |")[2].partition("\n\n")[0]
    assert packages == set(re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines() if row)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_and_link_of_a_page_is_there(page: Path) -> None:
    named = re.findall(r"`((?:llma_assets|llma_assets_tests|docs|benchmarks|tools)/[\w./-]*)`", text(page))
    assert [path for path in named if not (ROOT / path).exists()] == []
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text(page))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_target_of_make_that_a_page_names_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), flags=re.M))
    named = {target for page in PAGES for target in re.findall(r"`make ([a-z-]+)", text(page))}
    assert named
    assert named <= targets


def test_every_fault_that_tests_cite_is_explained_and_every_explained_one_is_cited() -> None:
    sources = (ROOT / "llma_assets_tests").rglob("*.py")
    cited = {number for path in sources for number in CITED.findall(text(path))}
    rows = re.findall(r"^\| ([FBS]\d+) \|", text(DOCS / "faults.md"), flags=re.M)
    assert len(rows) == len(set(rows))
    assert cited == set(rows)


def test_decisions_are_numbered_listed_and_short() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", text(DOCS / "decisions" / "README.md"))
    assert listed == [path.name for path in DECISIONS]
    assert {path.name: len(text(path).splitlines()) for path in DECISIONS if len(text(path).splitlines()) > 30} == {}
