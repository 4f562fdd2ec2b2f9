"""How long the code location takes to load, and the demo to run: `python benchmarks/startup.py`.

Definitions are loaded in a fresh process with an empty environment, five times; the demo runs once in
an empty home. Wall seconds, CPU seconds and peak RSS go to benchmarks/results/startup.json.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent / "results" / "startup.json"
LLMA = str(Path(sys.executable).parent / "llma")


def main() -> None:
    """Measure both and write the result."""
    load = [sys.executable, "-c", "from llma_assets.definitions import defs"]
    with tempfile.TemporaryDirectory() as folder:
        loads = [measure(load, {}, folder) for _ in range(5)]
        demo = measure([LLMA, "demo"], os.environ | {"LLMA_HOME": f"{folder}/home"}, folder)
    facts: dict[str, Any] = {"cores": os.cpu_count(), "python": sys.version.split()[0], "dagster": version("dagster")}
    facts |= {"definitions_load": sorted(loads, key=lambda one: one["wall_s"]), "demo": demo}
    print(json.dumps(facts, indent=1))
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")


def measure(command: list[str], environment: dict[str, str], folder: str) -> dict[str, float]:
    """Run `command` in a process of its own and measure it."""
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return {
        "wall_s": round(time.monotonic() - started, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_rss_mib": round(usage.ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
