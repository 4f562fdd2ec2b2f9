"""Every command of the README is run, on the real traces that the demo ships."""

import gzip
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llma_assets.cli.app import app
from llma_assets.cli.demo import TEAMS, run_due
from llma_assets.cli.project import Project
from llma_assets_tests import ROOT
from llma_assets_tests.real_traces import demo_events

README = (ROOT / "README.md").read_text(encoding="utf-8")
LLMA = str(Path(sys.executable).parent / "llma")


def commands() -> list[str]:
    """The `llma` lines of the README's shell block, without their comments."""
    (block,) = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    return [line.split("  #")[0].strip() for line in block.splitlines()]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with the file that the README ingests, and the environment of a person who starts there."""
    folder = tmp_path_factory.mktemp("readme")
    with gzip.open(folder / "events.jsonl.gz", "wt", encoding="utf-8") as file:
        for event in demo_events("airline", 200):
            file.write(json.dumps(event) + "\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LLMA_", "DAGSTER_", "OPENAI_"))}
    # A browser that shows nothing: `llma report` opens one.
    yield folder, environment | {"LLMA_EMBEDDER": "lsa", "NO_COLOR": "1", "BROWSER": "true"}


def run(workplace: tuple[Path, dict[str, str]], *arguments: str) -> subprocess.CompletedProcess[str]:
    folder, environment = workplace
    return subprocess.run([LLMA, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_command_of_the_readme_works_in_its_order(workplace: tuple[Path, dict[str, str]]) -> None:
    found = commands()
    assert [line.split()[1] for line in found] == [
        "doctor", "ingest", "estimate", "run", "status", "runs", "clusters", "report", "search", "export",
        "trace", "sql", "alerts", "teams", "dev",
    ]  # fmt: skip
    for line in found[:-1]:
        done = run(workplace, *shlex.split(line)[1:])
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), line
        assert "Traceback" not in done.stderr, line
        assert "Warning" not in done.stderr, f"{line}\n{done.stderr}"
    _json_is_printed(workplace, [line for line in found[4:-1] if line.split()[1] != "export"])
    _the_ui_answers(workplace, found[-1])


def _json_is_printed(workplace: tuple[Path, dict[str, str]], lines: list[str]) -> None:
    """In this process: a start of Python each takes longer than the commands."""
    folder, environment = workplace
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("LLMA_HOME")
        patch.setenv("BROWSER", environment["BROWSER"])
        for line in lines:
            done = CliRunner().invoke(app, [*shlex.split(line)[1:], "--json"])
            assert done.exit_code == 0, f"{line}\n{done.output}"
            assert json.loads(done.stdout), line


def _the_ui_answers(workplace: tuple[Path, dict[str, str]], line: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder, environment = workplace
    command = [LLMA, *shlex.split(line)[1:], "--port", str(port)]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as ui:
        try:
            query = {"query": "{ assetNodes { assetKey { path } hasMaterializePermission } }"}
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/graphql", json.dumps(query).encode(), {"Content-Type": "application/json"}
            )
            answer = _first_answer(request, ui)
        finally:
            os.killpg(ui.pid, signal.SIGINT)
            ui.wait()
    names = sorted(node["assetKey"]["path"][0] for node in answer["data"]["assetNodes"])
    assert names[-2:] == ["trace_events", "trace_summaries"]
    assert len(names) == 10


def _first_answer(request: urllib.request.Request, ui: subprocess.Popen[bytes]) -> dict:
    """The first answer with assets; the server is asked again until it listens, or its process ends."""
    while ui.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found = json.load(answer)
            if found.get("data", {}).get("assetNodes"):
                return found
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"the UI ended with {ui.returncode}")


@pytest.mark.slow
def test_the_demo_runs_without_key_and_network(
    workplace: tuple[Path, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """S22: every socket that is not on this machine is refused."""
    guard = tmp_path / "sitecustomize.py"
    guard.write_text(
        "import socket\n"
        "_connect = socket.socket.connect\n"
        "def connect(self, address):\n"
        "    if self.family != socket.AF_UNIX and not str(address[0]).startswith(('127.', '::1', 'localhost')):\n"
        "        raise OSError(f'no network in this test: {address}')\n"
        "    return _connect(self, address)\n"
        "socket.socket.connect = connect\n"
    )
    folder, environment = workplace
    home = tmp_path / "demo"
    environment = environment | {"LLMA_HOME": str(home), "PYTHONPATH": str(tmp_path)}
    own = [LLMA, "ingest", "events.jsonl.gz", "--team", "mine"]
    subprocess.run(own, cwd=folder, env=environment, capture_output=True, check=True)
    done = subprocess.run([LLMA, "demo"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "|mine" not in done.stdout, "a demo runs its own teams only"
    assert "smoke test" in done.stdout
    assert "what to type next" in done.stdout
    pages = [line.removeprefix("open it in a browser: ") for line in done.stdout.splitlines()[-2:]]
    assert [Path(page).read_bytes()[:15] for page in pages] == [b"<!doctype html>"] * 2
    maps = sorted(path.name for path in (home / "maps").iterdir())
    assert maps == ["airline_trace_20260310_000000.png", "assistant_trace_20250608_000000.png"]
    runs = r"(?m)^\s*(?:summarize|cluster)_traces\s+20\d\d-"
    assert re.search(runs, done.stdout)
    monkeypatch.setenv("LLMA_HOME", str(home))
    monkeypatch.setenv("LLMA_TEAMS_ALLOW", ",".join(TEAMS))
    assert run_due(Project()) == 0
    assert not re.search(runs, capsys.readouterr().out), "nothing is due a second time"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake (\w+)", README)) - {"are"}))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    """What they run is `llma demo`, `llma dev` and these tests, all run here."""
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_settings_table_is_what_the_code_says() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    from render_readme import CONFIGURATION, settings_table, with_settings

    page = CONFIGURATION.read_text(encoding="utf-8")
    assert with_settings(page) == page
    assert settings_table() in page


def test_every_local_link_of_the_docs_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
