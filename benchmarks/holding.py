"""What clusters of the night before that stay might cost: new topics that wait, and a team's first days.

    python benchmarks/holding.py DATA_FOLDER [--vectors FOLDER] [--draws 8] [--jobs 2]

`new_topics`: all queries of banking77, the window of `replays.py` that changes by 15 % a night. Each draw holds ten
intents back; from the fourth night on they come at their natural rate, some six items a night. An intent is found on
the first night on which one cluster holds half of it or more and is made of it by half or more. Some never are.

* `found`: intents, by the end; `nights`: mean over those found in both ways; `within`: share of those found, by nights
  after the first item.
* `still_there`: share of all on the last three nights.

`first_days`: the days on which the window fills, 300 or 400 items each; AMI with the data's own labels and number of
clusters, means of the draws. `always` compares with the night before however little that had learned from.

What they gain is in `replays.py`.
"""

import argparse
import json
import os
import platform
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from replays import POOLS, Plan, clustered, plans, read_pool, rounded, snapshot, versions, windows
from sklearn.metrics import adjusted_mutual_info_score

from llma_assets.clustering.cluster import cluster
from llma_assets.clustering.reconciliation import EarlierLabels
from llma_assets.clustering.result import ALGORITHM_VERSION, NOISE, UNSEEN, ClusteringParams

RESULT = Path(__file__).parent / "results" / "holding.json"
NIGHTS, START, LAST = 16, 4, 3
TOPICS = 10
WITHIN = (0, 1, 2, 4, 8)
FIRST_DAYS = 8
A_DAY = {"banking77": 400, "traces": 300}


def found_nights(plan: Plan, vectors: np.ndarray, truth: np.ndarray, draw: int) -> tuple[dict[str, int], float]:
    """The night of each new topic that was found, and the share of topics that have a cluster at the end."""
    new = np.random.default_rng(draw).choice(np.unique(truth), TOPICS, replace=False)
    is_new = np.isin(truth, new)
    nights: dict[str, int] = {}
    at_the_end = []
    before = None
    for window in windows(plan, len(truth), lambda night: ~is_new | (night >= START), seed=draw):
        found = clustered(plan, window, vectors, before)
        before = snapshot(window, found)
        if window.night < START:
            continue
        there = [topic for topic in new.tolist() if has_cluster(truth[window.rows] == topic, found.labels)]
        for topic in there:
            nights.setdefault(topic, window.night - START)
        if window.night > plan.nights - LAST:
            at_the_end.append(len(there) / TOPICS)
    return nights, statistics.fmean(at_the_end)


def has_cluster(is_topic: np.ndarray, labels: np.ndarray) -> bool:
    """Whether one cluster holds half of the topic or more, and is made of it by half or more."""
    own = labels[is_topic & (labels != NOISE)]
    if not len(own):
        return False
    cluster = np.bincount(own).argmax()
    inside = np.count_nonzero(own == cluster)
    return bool(2 * inside >= max(np.count_nonzero(is_topic), np.count_nonzero(labels == cluster)))


def new_topics(vectors: np.ndarray, truth: np.ndarray, draws: int, workers: ProcessPoolExecutor) -> dict[str, object]:
    """The section of that name."""
    stays = next(plan for plan in plans(NIGHTS) if plan.name == "banking77, 15 % changed, rolling sample")
    ways = {"clusters stay": stays, "anew": replace(stays, is_held=False)}
    outcomes = {
        name: list(workers.map(partial(found_nights, plan, vectors, truth), range(draws)))
        for name, plan in ways.items()
    }
    nights = {
        name: {(draw, topic): night for draw, (found, _) in enumerate(every) for topic, night in found.items()}
        for name, every in outcomes.items()
    }
    both = set.intersection(*(set(found) for found in nights.values()))
    return {"topics": TOPICS * draws} | {
        name: {
            "found": len(found),
            "nights": rounded(statistics.fmean(found[one] for one in both)),
            "within": {str(most): rounded(sum(n <= most for n in found.values()) / len(found)) for most in WITHIN},
            "still_there": rounded(statistics.fmean(share for _, share in outcomes[name])),
        }
        for name, found in nights.items()
    }


def filling(vectors: np.ndarray, truth: np.ndarray, a_day: int, draw: int) -> dict[str, list[tuple[float, int]]]:
    """AMI and clusters of each of the first days."""
    order = np.random.default_rng(draw).permutation(len(vectors))
    figures: dict[str, list[tuple[float, int]]] = {"anew": [], "clusters stay": [], "always": []}
    for way, days in figures.items():
        before = np.full(len(vectors), UNSEEN, np.int32)
        for day in range(1, FIRST_DAYS + 1):
            rows = np.sort(order[: day * a_day])
            seen = len(rows) if way == "always" else (day - 1) * a_day
            earlier = None if way == "anew" or day == 1 else EarlierLabels(before[rows], seen)
            labels = cluster(vectors[rows], ClusteringParams(), earlier=earlier).labels
            before[rows] = labels
            days.append((adjusted_mutual_info_score(truth[rows], labels), len(np.unique(labels[labels != NOISE]))))
    return figures


def first_days(
    vectors: np.ndarray, truth: np.ndarray, a_day: int, draws: int, workers: ProcessPoolExecutor
) -> dict[str, object]:
    """The section of that name, for one pool."""
    found = list(workers.map(partial(filling, vectors, truth, a_day), range(draws)))
    return {
        way: {
            name: [rounded(statistics.fmean(one[way][day][place] for one in found)) for day in range(FIRST_DAYS)]
            for place, name in enumerate(("ami", "clusters"))
        }
        for way in found[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2, help="replays at a time")
    arguments = parser.parse_args()
    pools = {name: read_pool(arguments.data, arguments.vectors, sets) for name, sets in POOLS.items()}
    found = {name: (vectors, np.array(truth)) for name, (vectors, truth) in pools.items()}
    with ProcessPoolExecutor(arguments.jobs) as workers:
        results = {
            "new_topics": new_topics(*found["banking77"], arguments.draws, workers),
            "first_days": {
                name: first_days(*found[name], a_day, arguments.draws, workers) for name, a_day in A_DAY.items()
            },
        }
    report = {
        "python": platform.python_version(),
        "versions": versions(),
        "cores": os.cpu_count(),
        "algorithm_version": ALGORITHM_VERSION,
        "results": results,
    }
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
