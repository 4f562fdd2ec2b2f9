"""Private names of a module are read in it; vulture, which `make lint` runs, passes over what begins with `_`."""

import ast
from pathlib import Path
from typing import TypeGuard

import llma_assets

ROOT = Path(llma_assets.__file__).parent


def _unread(source: str) -> set[str]:
    """Private names that a module gives a value and never reads."""
    module = ast.parse(source)
    statements = [one for one in module.body if isinstance(one, ast.Assign | ast.AnnAssign)]
    given = {node.id for one in statements for node in ast.walk(one) if _is_private(node, ast.Store)}
    read = {node.id for node in ast.walk(module) if _is_private(node, ast.Load)}
    return {name for name in given - read if name != "_" and not name.startswith("__")}


def _is_private(node: ast.AST, context: type[ast.expr_context]) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, context) and node.id.startswith("_")


def test_a_name_that_nobody_reads_is_found() -> None:
    assert _unread("_A = 1\n_B: int = _A\n_C, _ = 2, 3\nE = 4\n\ndef f() -> int:\n    return _C\n") == {"_B"}


def test_every_private_name_is_read_in_its_module() -> None:
    found = {str(path.relative_to(ROOT)): _unread(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {}
