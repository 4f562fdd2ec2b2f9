"""One method in a process of its own: what a run costs from the start of Python, and what a second call costs.

Peak memory is the process's own (VmHWM), so this runs on Linux only.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BENCHMARKS = Path(__file__).parent
# Table and name, folder, when the process was started, seeds.
CODE = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import fresh_process; fresh_process.work(*sys.argv[1:])"


def in_fresh_process(
    table: str, name: str, unit: np.ndarray, texts: list[str], seeds: tuple[int, ...]
) -> tuple[list[dict[str, np.ndarray]], dict[str, float]]:
    """Run a method once for each seed, one after another in one process.

    Args:
        table, name: where the method is in `methods`.

    Returns:
        The labels of each call, and: `cold_wall_s`, `cold_cpu_s` and `peak_rss_mib` from the start of Python to the
        end of the first call, reading the vectors included; `warm_wall_s` and `warm_cpu_s`, means of the others.
    """
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "unit.npy"), unit)
        Path(folder, "texts.json").write_text(json.dumps(texts))
        job = json.dumps({"table": table, "name": name, "folder": folder, "seeds": seeds})
        subprocess.run([sys.executable, "-W", "ignore", "-c", CODE, job, repr(time.monotonic())], check=True)
        labels = [dict(np.load(Path(folder, f"{call}.npz"))) for call in range(len(seeds))]
        return labels, json.loads(Path(folder, "costs.json").read_text())


def work(job: str, started: str) -> None:
    """What the process does."""
    import methods

    task = json.loads(job)
    folder = Path(task["folder"])
    unit, texts = np.load(folder / "unit.npy"), json.loads((folder / "texts.json").read_text())
    method, _ = getattr(methods, task["table"])[task["name"]]
    costs: dict[str, float] = {}
    warm: list[tuple[float, float]] = []
    for call, seed in enumerate(task["seeds"]):
        wall, cpu = time.monotonic(), time.process_time()
        found = method(unit, texts, seed)
        if call:
            warm.append((time.monotonic() - wall, time.process_time() - cpu))
        else:
            costs["cold_wall_s"] = time.monotonic() - float(started)
            costs["cold_cpu_s"] = time.process_time()
            costs["peak_rss_mib"] = peak_rss_mib()
        arrays = {"raw": found.raw} if found.assigned is None else {"raw": found.raw, "assigned": found.assigned}
        np.savez(folder / f"{call}.npz", **arrays)
    if warm:
        costs["warm_wall_s"], costs["warm_cpu_s"] = (float(value) for value in np.mean(warm, axis=0))
    (folder / "costs.json").write_text(json.dumps({name: round(value, 2) for name, value in costs.items()}))


def peak_rss_mib() -> float:
    """Not getrusage's figure: that one keeps the peak of the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)
