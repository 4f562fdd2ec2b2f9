"""The pure core stays pure: no Dagster, no I/O, no SDK, read off the imports."""

import ast
import sys
from pathlib import Path

import pytest

import llma_assets

ROOT = Path(llma_assets.__file__).parent
PURE = ["traces", "summarization", "clustering", "labeling", "lineage", "emission", "explorer", "findings", "tables"]
ALLOWED_OUTSIDE = {"numpy", "scipy", "sklearn", "hdbscan", "umap", "threadpoolctl", "orjson", "pyarrow"}
FORBIDDEN_STANDARD = {
    "os",
    "io",
    "pathlib",
    "socket",
    "subprocess",
    "urllib",
    "http",
    "shutil",
    "tempfile",
    "random",
    "time",
}
MODULES = sorted(path for package in PURE for path in (ROOT / package).rglob("*.py"))
HEAVY = {"sklearn", "hdbscan", "umap", "scipy", "onnxruntime", "onnx", "matplotlib", "openai", "pandas", "tokenizers"}


def _imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_module_imports_nothing_of_the_outside_world(path: Path) -> None:
    for name in _imports(path):
        package = name.split(".")[0]
        if package == "llma_assets":
            inner = name.split(".")[1] if "." in name else ""
            assert inner in {*PURE, "errors", "vocabulary", "team_day", "clustering_jobs"}, name
        elif package in sys.stdlib_module_names:
            assert package not in FORBIDDEN_STANDARD, name
        else:
            assert package in ALLOWED_OUTSIDE, name


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_costly_packages_are_imported_inside_functions(path: Path) -> None:
    costly = {name.split(".")[0] for name in _imports(path, top_level_only=True)} & HEAVY
    assert not costly


def test_the_list_of_pure_modules_is_not_empty() -> None:
    assert len(MODULES) > 10
