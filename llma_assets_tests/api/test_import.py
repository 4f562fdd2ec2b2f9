"""What an import of the package costs, and who may import its API."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import llma_assets as llma
from llma_assets.stages.declaration import STAGES

ROOT = Path(llma.__file__).parent

_PROGRAM = """
import json, os, sys
before = set(sys.modules)
import llma_assets as llma
imported = sorted(set(sys.modules) - before)
os.environ["LLMA_EMBEDDER"] = "lsa"
llma.cluster_texts(["a card"] * 3)
try:
    llma.open_lake("nowhere")
except llma.LlmaError:
    pass
import llma_assets.api.pipeline
print(json.dumps([imported, [name for name in sys.modules if name.partition(".")[0] == "dagster"]]))
"""


def test_the_package_is_imported_in_no_time_and_its_api_without_dagster() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    imported, dagster = json.loads(done.stdout)
    ours = {name for name in imported if name.startswith("llma_assets")}
    assert ours == {"llma_assets", "llma_assets.version"}
    assert {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) == {"llma_assets"}
    assert dagster == []


def test_every_name_of_the_api_is_there_and_described() -> None:
    for name in set(llma.__all__) - {"__version__"}:
        assert getattr(llma, name).__doc__, name
        assert name in dir(llma)


def test_another_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(AttributeError, match=r"'open_lakes'.*open_lake"):
        llma.open_lakes  # type: ignore[attr-defined]  # noqa: B018


def test_only_the_front_door_imports_the_api() -> None:
    above = {ROOT / "__init__.py", *(ROOT / "api").glob("*.py")}
    api = {f"llma_assets.{name}" for name in llma.__all__}
    for path in set(ROOT.rglob("*.py")) - above:
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                named |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
        assert not [one for one in named if one in api or f"{one}.".startswith("llma_assets.api.")], path


def test_a_run_without_dagster_has_every_stage() -> None:
    tree = ast.parse((ROOT / "api" / "pipeline.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {f"llma_assets.stages.{name}" for name in STAGES} <= imported
