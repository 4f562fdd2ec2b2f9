"""Every Python block of the docs is run, and so is the notebook, on a small lake of the demo's traces."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llma_assets_tests import ROOT

# One worker, one lake.
pytestmark = pytest.mark.xdist_group("api")
NOTEBOOK = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
PAGES = ["docs/python.md", "README.md"]


@pytest.fixture
def reader(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One who sits in a folder where `make demo` was typed."""
    (tmp_path / ".llma").symlink_to(folder / ".llma")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("LLMA_HOME")


def run(sources: list[str], name: str) -> dict[str, Any]:
    """Run pieces of code one after the other, as a kernel does; what they leave behind.

    Without a kernel of its own (nbclient would bring jupyter-client, ipykernel, IPython and some twenty more): the
    notebook uses nothing that only IPython knows.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, source in enumerate(sources):
        exec(compile(source, f"{name} [{number}]", "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_of_a_page_runs(reader: None, page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.S)
    assert blocks
    assert run(blocks, page)["lake"].teams()["team_id"].tolist() == ["airline"]


def test_the_notebook_runs_from_top_to_bottom(reader: None, capsys: pytest.CaptureFixture[str]) -> None:
    import matplotlib.pyplot as plt

    left = run(["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"], "notebook")
    assert len(left["found"]) == 5
    assert left["cost"]["total_cost"].sum() > 0
    assert len(left["axes"].collections) == len(left["clusters"]["cluster_id"].loc[lambda ids: ids >= 0]) + 1
    plt.close("all")
    printed = capsys.readouterr().out
    assert left["clusters"]["title"][0] in printed
    assert left["own"].clusters[0].title in printed


def test_the_notebook_is_kept_without_what_a_run_leaves_in_it() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["metadata"]["language_info"]) == (4, {"name": "python"})
    identities = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(identities)) == len(identities)
    for cell in NOTEBOOK["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            assert not any(line.startswith(("%", "!")) for line in cell["source"]), "Python only"
