"""Write the parts of the docs that come from code: the settings table and, in README.md, the demo's cluster.

`python tools/render_readme.py` writes them; a test fails when they are not what this would write. The
cluster is taken from a lake in which `llma demo` has run (LLMA_HOME), if there is one.
"""

import re
import subprocess
import sys
from pathlib import Path

from llma_assets.settings import Settings, allowed_values

ROOT = Path(__file__).parent.parent
README, CONFIGURATION = ROOT / "README.md", ROOT / "docs" / "configuration.md"
RUN, CLUSTER, WIDTH = "airline_trace_20260310_000000", 1, 116


def settings_table() -> str:
    """One row a setting: variable, default, meaning with its range."""
    lines = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (None, frozenset(), {}) else f"`{default}`"
        bounds = allowed_values(name)
        allowed = f" ({bounds})" if bounds else ""
        meaning = (field.description or "").rstrip(".")
        lines.append(f"| `LLMA_{name.upper()}` | {shown} | {meaning}{allowed} |")
    return "\n".join(lines)


def with_settings(page: str) -> str:
    """The page of the settings with its table in place."""
    return re.sub(r"\n\n\| variable.*?\n\n", lambda _: f"\n\n{settings_table()}\n\n", page, flags=re.S)


def with_cluster(page: str, cluster: str) -> str:
    """README with the demo's cluster in place."""
    return re.sub(r"(the embedder:\n\n```\n).*?(\n```)", lambda m: m[1] + cluster + m[2], page, flags=re.S)


def shown_cluster() -> str | None:
    """README's cluster, under its run and theme, as `llma clusters` prints it; None where the demo has not run."""
    command = [str(Path(sys.executable).parent / "llma"), "clusters", RUN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    blocks = done.stdout.strip().split("\n\n")
    at = next(place for place, block in enumerate(blocks) if block.startswith(f"[{CLUSTER}]"))
    # The run alone where it has no themes.
    theme = next(place for place in reversed(range(at)) if not blocks[place].startswith("["))
    lines = "\n\n".join(blocks[place] for place in sorted({0, theme, at})).splitlines()
    return "\n".join(line if len(line) <= WIDTH else line[:WIDTH].rsplit(" ", 1)[0] + " …" for line in lines)


if __name__ == "__main__":
    CONFIGURATION.write_text(with_settings(CONFIGURATION.read_text(encoding="utf-8")), encoding="utf-8")
    if cluster := shown_cluster():
        README.write_text(with_cluster(README.read_text(encoding="utf-8"), cluster), encoding="utf-8")
