"""Costly packages load when they are needed. What may import what is said in pyproject.toml; `make lint` checks it."""

import ast
from pathlib import Path

import llma_assets

HEAVY = {"sklearn", "hdbscan", "umap", "scipy", "onnxruntime", "onnx", "matplotlib", "openai", "pandas", "tokenizers"}


def test_costly_packages_are_imported_inside_functions() -> None:
    modules = sorted(Path(llma_assets.__file__).parent.rglob("*.py"))
    found = {str(path): names for path in modules if (names := _imported_at_the_top(path) & HEAVY)}
    assert len(modules) > 100
    assert found == {}


def _imported_at_the_top(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
