"""How well and how fast each method clusters: labelled queries and real traces, embedded with MiniLM.

    python benchmarks/clustering.py DATA_FOLDER [--vectors FOLDER] [--only SECTION ...]

Scores compare with the data's own labels, which the methods never see: banking77's intents, the task behind each
airline conversation, the topic of each arena prompt, the question behind each API request. AMI and ARI count noise as
one group. `raw` is what the method says; `assigned` is ours with its own assignment of borderline items; `reassigned`
first gives all noise to the nearest centroid. Sections:

* `methods`: ours, what others do and what we did before, on the same vectors, each in a process of its own: `cold` is
  from the start of Python, `warm` a further call. UMAP-5 + HDBSCAN and BERTopic are means of three seeds.
* `end_to_end`: texts in, clusters out, embedding included: ours and BERTopic. Of two sets also what the pipeline embeds
  of an extractive summary: its title and the user's requests.
* `small`: what a small team has; means of five draws.
* `choices`, `repeated`, `structureless`, `structured`, `strangers`: see `clustering_choices.py`.

Rows of peers that are not installed (`requirements-peers.txt`) are left out.
"""

import argparse
import json
import os
import platform
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from clustering_choices import choices, repeated, strangers, structured, structureless
from fresh_process import in_fresh_process
from labelled_sets import REQUESTS, SETS, vectors_of
from methods import METHODS, NOISE, OURS, SEEDED, WITH_EMBEDDING, Method, ours, version_one
from scoring import figures, means, scores

from llma_assets.clustering.vectors import unit_vectors

RESULT = Path(__file__).parent / "results" / "clustering.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "hdbscan", "onnxruntime", "umap-learn", "pynndescent", "numba")
PEERS = ("bertopic", "sentence-transformers", "torch", "scikit-network")
# Texts of 16, 382 and 174 tokens on average, and what the pipeline embeds of the last two.
END_TO_END = ("banking77, 2,000 queries", "tau2 airline, 517 traces", "gorilla torchhub, 1,488 requests", *REQUESTS)
# 20 is the least that is clustered at all; a small team has a few dozen items a week.
SMALL = (20, 50, 100, 200)
SMALL_DRAWS = 5

Sets = dict[str, tuple[np.ndarray, list[str], list[str]]]


def compared(table: str, methods: dict[str, tuple[Method, tuple[str, ...]]], sets: Sets) -> dict[str, object]:
    """Every method that is installed on every set."""
    results: dict[str, object] = {}
    for name, (unit, texts, truth) in sets.items():
        rows: dict[str, object] = {}
        for method, (_, needed) in methods.items():
            if all(find_spec(module) for module in needed):
                seeds = (1, 2, 3) if method in SEEDED else (42, 42)
                calls, costs = in_fresh_process(table, method, unit, texts, seeds if table == "METHODS" else seeds[:1])
                rows[method] = means([figures(unit, truth, **call) for call in calls]) | costs
                print(name, method, json.dumps(rows[method]), flush=True)
        results[name] = rows
    return results


def small(sets: Sets) -> dict[str, object]:
    """Draws of a few dozen items from a few groups."""
    results: dict[str, object] = {}
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {OURS: ours, "k-means (v1)": version_one}
    for name in ("banking77, 2,000 queries", "tau2 airline, 517 traces", "gorilla torchhub, 1,488 requests"):
        unit, _, truth = sets[name]
        for size in SMALL:
            rows: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
            for draw in range(SMALL_DRAWS):
                random = np.random.default_rng(draw)
                groups = random.choice(np.unique(truth), max(2, size // 12), replace=False)
                chosen = random.permutation(np.flatnonzero(np.isin(truth, groups)))[:size]
                for way, run in ways.items():
                    labels = run(unit[chosen])
                    rows[way].append(
                        scores([truth[row] for row in chosen], labels)
                        | {"clusters": len(np.unique(labels[labels != NOISE]))}
                    )
            results[f"{name.split(',')[0]}, {size} items of {max(2, size // 12)} groups"] = {
                way: means(found) for way, found in rows.items()
            }
    return results


def installed() -> dict[str, str]:
    """Versions of what is there."""
    found = {}
    for name in LIBRARIES + PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Measure, and write after each section."""
    sections: dict[str, Callable[[Sets], object]] = {
        "methods": lambda sets: compared("METHODS", METHODS, sets),
        "end_to_end": lambda sets: compared(
            "WITH_EMBEDDING", WITH_EMBEDDING, {name: sets[name] for name in END_TO_END}
        ),
        "small": small,
        "choices": choices,
        "repeated": repeated,
        "structureless": lambda sets: structureless(),
        "structured": structured,
        "strangers": strangers,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    parser.add_argument("--only", nargs="*", choices=sections, help="leave the others as they were")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="The number of unique classes")
    sets: Sets = {}
    for name, (file, load) in (SETS | REQUESTS).items():
        texts, truth = load(arguments.data)
        sets[name] = (unit_vectors(vectors_of(file, texts, arguments.vectors)), texts, truth)
    whole = {name: sets[name] for name in SETS}
    report = json.loads(RESULT.read_text()) if arguments.only and RESULT.exists() else {"results": {}}
    report |= {"python": platform.python_version(), "cores": os.cpu_count(), "versions": installed()}
    for section in arguments.only or sections:
        report["results"][section] = sections[section](sets if section == "end_to_end" else whole)
        print(section, json.dumps(report["results"][section], indent=1, ensure_ascii=False), flush=True)
        RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
