"""Themes over clusters: which tree, where to cut it, and how long it takes.

    python benchmarks/themes.py DATA_FOLDER [--vectors FOLDER]

Scores are AMI of the themes with what the data say belongs together, over the items that are in a cluster:
the source of each item of a mixture of four sources, the modality (image, text, audio, video) that most of the
models wrote for a TensorFlow Hub request, groups of banking77's intents made by hand here before anything was
measured, and planted trees. `found` starts from the clusters that our method finds, `labelled` from the data's
own fine labels. Random directions have no themes: there the figure is how often themes are reported.
"""

import argparse
import json
import platform
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from labelled_sets import banking, traces, vectors_of
from methods import ours, version_one
from scipy.cluster.hierarchy import linkage
from sklearn.metrics import adjusted_mutual_info_score

from llma_assets.clustering.ranking import centroids, renumber
from llma_assets.clustering.result import NOISE
from llma_assets.clustering.themes import MAX_THEMES, MIN_STABILITY, Cut, Themes, _grow, themes
from llma_assets.clustering.vectors import unit_vectors

RESULT = Path(__file__).parent / "results" / "themes.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "hdbscan")
SOURCES = ("banking77", "tau2_airline", "gorilla_torchhub", "arena_hard_v01")
MODALITIES = {"image", "text", "audio", "video"}
# The published `coarse` column repeats the intents, so there is no coarse truth in the data.
INTENT_GROUPS = {
    "ordering a card": "activate_my_card card_about_to_expire card_arrival card_delivery_estimate card_linking "
    "get_physical_card getting_spare_card order_physical_card",
    "virtual cards": "get_disposable_virtual_card getting_virtual_card disposable_card_limits virtual_card_not_working",
    "card lost or broken": "card_not_working card_swallowed compromised_card lost_or_stolen_card "
    "contactless_not_working lost_or_stolen_phone",
    "codes": "change_pin passcode_forgotten pin_blocked",
    "top-up": "automatic_top_up pending_top_up top_up_by_bank_transfer_charge top_up_by_card_charge "
    "top_up_by_cash_or_cheque top_up_failed top_up_limits top_up_reverted topping_up_by_card verify_top_up",
    "transfers": "balance_not_updated_after_bank_transfer balance_not_updated_after_cheque_or_cash_deposit "
    "beneficiary_not_allowed cancel_transfer declined_transfer failed_transfer pending_transfer transfer_fee_charged "
    "transfer_into_account transfer_not_received_by_recipient transfer_timing receiving_money",
    "cash": "atm_support cash_withdrawal_charge cash_withdrawal_not_recognised declined_cash_withdrawal "
    "pending_cash_withdrawal wrong_amount_of_cash_received wrong_exchange_rate_for_cash_withdrawal",
    "card payments": "Refund_not_showing_up request_refund reverted_card_payment? card_payment_fee_charged "
    "card_payment_not_recognised card_payment_wrong_exchange_rate declined_card_payment "
    "direct_debit_payment_not_recognised extra_charge_on_statement pending_card_payment transaction_charged_twice",
    "exchange": "exchange_charge exchange_rate exchange_via_app fiat_currency_support",
    "where cards work": "apple_pay_or_google_pay card_acceptance country_support supported_cards_and_currencies "
    "visa_or_mastercard",
    "identity and account": "age_limit edit_personal_details terminate_account unable_to_verify_identity "
    "verify_my_identity verify_source_of_funds why_verify_identity",
}


@dataclass(frozen=True)
class Case:
    """One set of items in fine clusters (`labels`), and what belongs together (`truth`)."""

    group: str
    unit: np.ndarray
    labels: np.ndarray
    truth: np.ndarray


def ids(names: np.ndarray) -> np.ndarray:
    return renumber(np.unique(names, return_inverse=True)[1])[0]


def mixtures(sets: dict[str, tuple[np.ndarray, np.ndarray]]) -> Iterator[Case]:
    """Seeded draws of two to four sources, equal and unequal; banking77 gives 20 of its intents."""
    plans: dict[str, tuple[int, Callable[[np.random.Generator], np.ndarray]]] = {
        "four sources of 300 to 500": (6, lambda r: r.integers(300, 501, 4)),
        "three sources of 400": (4, lambda r: r.permutation([0, 400, 400, 400])),
        "two sources of 400": (6, lambda r: r.permutation([0, 0, 400, 400])),
        "four sources, 500 500 50 50": (6, lambda r: r.permutation([500, 500, 50, 50])),
        "four sources, 500 50 50 50": (4, lambda r: r.permutation([500, 50, 50, 50])),
    }
    for name, (draws, plan) in plans.items():
        for draw in range(draws):
            random = np.random.default_rng(1000 + draw)
            vectors, truth, fine = [], [], []
            for source, size in zip(SOURCES, plan(random), strict=True):
                unit, labels = sets[source]
                rows = np.arange(len(unit))
                if source == "banking77":
                    rows = rows[np.isin(labels, random.choice(np.unique(labels), 20, replace=False))]
                rows = random.permutation(rows)[:size]
                vectors.append(unit[rows])
                truth += [source] * len(rows)
                fine += [f"{source} {label}" for label in labels[rows]]
            unit = np.concatenate(vectors)
            yield Case(f"{name}, found", unit, ours(unit), np.array(truth))
            yield Case(f"{name}, labelled", unit, ids(np.array(fine)), np.array(truth))


def modalities(data: Path, folder: Path | None) -> Iterator[Case]:
    texts, domains = traces(data, "gorilla_tensorflowhub", "source_model_domain")
    requests = np.array(traces(data, "gorilla_tensorflowhub", "distinct_id")[1])
    unit = unit_vectors(vectors_of("gorilla_tensorflowhub", texts, folder))
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for request, domain in zip(requests, domains, strict=True):
        word = domain.lower().replace("-", " ").split(" ")[0].strip(",")
        if word in MODALITIES:
            votes[request][word] += 1
    truth = np.array([votes[request].most_common(1)[0][0] if votes[request] else "" for request in requests])
    for draw in range(3):
        chosen = np.random.default_rng(1000 + draw).choice(np.unique(requests), 250, replace=False)
        rows = np.flatnonzero((truth != "") & np.isin(requests, chosen))
        yield Case("modalities, found", unit[rows], ours(unit[rows]), truth[rows])
        yield Case("modalities, labelled", unit[rows], ids(requests[rows]), truth[rows])


def directions(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    points = random.normal(size=shape)
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


def around(centres: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Items in clusters of unequal sizes around centres."""
    sizes = np.maximum(5, (20 * random.lognormal(0, 0.7, len(centres))).astype(int))
    labels = np.repeat(np.arange(len(centres), dtype=np.int32), sizes)
    points = centres[labels] + directions((len(labels), centres.shape[1]), random)
    return unit_vectors(points), labels


def planted() -> Iterator[Case]:
    for count, each in ((2, 6), (4, 20), (8, 8), (15, 6)):
        for draw in range(3):
            random = np.random.default_rng(1000 + draw)
            of_cluster = np.repeat(np.arange(count), random.integers(max(2, each // 2), each * 3 // 2 + 1, count))
            tops = directions((count, 384), random)
            centres = tops[of_cluster] + 1.2 * directions((len(of_cluster), 384), random)
            unit, labels = around(centres / np.linalg.norm(centres, axis=1, keepdims=True), random)
            yield Case(f"planted, {count} themes of about {each} clusters", unit, labels, of_cluster[labels])
    for draw in range(6):
        random = np.random.default_rng(2000 + draw)
        of_cluster = np.repeat(np.arange(8), random.permutation([20, 10, 8, 6, 5, 4, 3, 3]))
        centres = directions((8, 384), random)[of_cluster] + 1.2 * directions((len(of_cluster), 384), random)
        unit, labels = around(centres / np.linalg.norm(centres, axis=1, keepdims=True), random)
        yield Case("planted, 8 themes of 3 to 20 clusters", unit, labels, of_cluster[labels])


def height(found: Themes, groups: int) -> float:
    """Where the cut into `groups` ends; one group ends nowhere, as many as clusters begin at 0."""
    return float(found.heights[len(found.of_cluster) - groups])


RULES: dict[str, Callable[[Cut, Themes], float]] = {
    "stability × persistence × silhouette (ours)": lambda cut, _: cut.strength,
    "stability × persistence": lambda cut, _: cut.stability * cut.persistence,
    "stability": lambda cut, _: cut.stability,
    "persistence (largest ratio of heights)": lambda cut, _: cut.persistence,
    "largest gap of heights": lambda cut, found: height(found, cut.themes) - height(found, cut.themes + 1),
    "silhouette": lambda cut, _: cut.silhouette,
    "stability × silhouette": lambda cut, _: cut.stability * cut.silhouette,
    "stability² × silhouette": lambda cut, _: cut.stability**2 * cut.silhouette,
    "most themes of stability ≥ .9": lambda cut, _: cut.themes if cut.stability >= 0.9 else -cut.themes,
    "always 10": lambda cut, _: -abs(cut.themes - 10),
}


def groups_at(children: np.ndarray, leaves: int, groups: int) -> np.ndarray:
    """Group of each leaf after all but the last `groups - 1` merges."""
    members = {leaf: [leaf] for leaf in range(leaves)}
    for step, (one, other) in enumerate(children[: leaves - groups]):
        members[leaves + step] = members.pop(int(one)) + members.pop(int(other))
    result = np.empty(leaves, dtype=np.int64)
    for group, rows in enumerate(members.values()):
        result[rows] = group
    return result


def excess_of_mass(found: Themes, sizes: np.ndarray) -> np.ndarray:
    """The nodes that live longest, at any height, as HDBSCAN selects them (Campello et al. 2013)."""
    leaves = len(sizes)
    density = 1.0 / np.maximum(found.heights, 1e-6 * found.heights[-1])
    mass, best = list(sizes), [0.0] * leaves
    members = [[leaf] for leaf in range(leaves)]
    birth = np.full(2 * leaves - 1, density[-1])
    for step, pair in enumerate(found.children):
        birth[pair] = density[step]
    picked: list[list[list[int]]] = [[[leaf]] for leaf in range(leaves)]
    for step, (one, other) in enumerate(found.children):
        mass.append(mass[one] + mass[other])
        members.append(members[one] + members[other])
        own = mass[-1] * (density[step] - birth[leaves + step])
        below = best[one] + best[other]
        keep = own >= below and step < leaves - 2
        best.append(own if keep else below)
        picked.append([members[-1]] if keep else picked[one] + picked[other])
    result = np.empty(leaves, dtype=np.int64)
    for group, rows in enumerate(picked[-1]):
        result[rows] = group
    return result


def score(case: Case, of_cluster: np.ndarray) -> float:
    kept = case.labels != NOISE
    return float(adjusted_mutual_info_score(case.truth[kept], of_cluster[case.labels[kept]]))


def by_rule(case: Case) -> dict[str, tuple[float, int]]:
    """Score and number of themes of every rule on one tree."""
    found = themes(case.unit, case.labels, 0)
    leaves = len(found.of_cluster)
    scores = {cut.themes: score(case, groups_at(found.children, leaves, cut.themes)) for cut in found.cuts}
    result = {}
    for name, rule in RULES.items():
        chosen = max(found.cuts, key=lambda cut: rule(cut, found)).themes
        result[name] = (scores[chosen], chosen)
    masses = excess_of_mass(found, np.bincount(case.labels[case.labels != NOISE]))
    result["excess of mass"] = (score(case, masses), int(masses.max()) + 1)
    best = max(scores, key=lambda cut: scores[cut])
    result["best cut in hindsight"] = (scores[best], best)
    result["as delivered"] = (score(case, found.of_cluster), int(found.of_cluster.max()) + 1)
    if case.group.endswith("found") and "source" in case.group:
        plain = version_one(case.unit)
        kept = case.labels != NOISE
        result["v1 k-means on the items"] = (
            float(adjusted_mutual_info_score(case.truth[kept], plain[kept])),
            int(plain.max()) + 1,
        )
    return result


def by_tree(case: Case) -> dict[str, float]:
    """Score of the best cut in hindsight of every tree."""
    centres = unit_vectors(centroids(case.unit, case.labels)).astype(np.float64)
    sizes = np.bincount(case.labels[case.labels != NOISE]).astype(np.float64)
    leaves = len(centres)
    trees = {
        "Ward, weight √items (ours)": _grow(centres[None], np.sqrt(sizes)[None], 1).children[0],
        "Ward, weight items": _grow(centres[None], sizes[None], 1).children[0],
        "Ward, equal weights": linkage(centres, "ward")[:, :2],
        "average (cosine)": linkage(centres, "average", "cosine")[:, :2],
        "complete (cosine)": linkage(centres, "complete", "cosine")[:, :2],
    }
    most = min(MAX_THEMES, -(-leaves // 2))
    return {
        name: max(score(case, groups_at(children, leaves, groups)) for groups in range(2, most + 1))
        for name, children in trees.items()
    }


def nothing_to_find() -> dict[str, dict[str, float]]:
    """Clusters in random directions, by dimensions and number of clusters."""
    result = {}
    for dimensions, draws in ((50, 20), (384, 20), (1536, 5)):
        for count in (4, 6, 12, 40, 90):
            outcomes = []
            for draw in range(draws):
                random = np.random.default_rng(1000 + draw)
                outcomes.append(themes(*around(directions((count, dimensions), random), random), draw))
            result[f"{dimensions} dimensions, {count} clusters"] = {
                "draws": draws,
                "with_themes": sum(outcome.found for outcome in outcomes),
                "highest_strength": max(
                    (cut.strength for outcome in outcomes for cut in outcome.cuts if cut.stability >= MIN_STABILITY),
                    default=0,
                ),
                "highest_stability": max(cut.stability for outcome in outcomes for cut in outcome.cuts),
                "highest_silhouette": max(cut.silhouette for outcome in outcomes for cut in outcome.cuts),
            }
    return result


def times() -> dict[str, float]:
    """CPU milliseconds, best of five, warm, random items of 384 dimensions."""
    result = {}
    for items, clusters in ((2_000, 90), (20_000, 90), (20_000, 250)):
        random = np.random.default_rng(0)
        labels = random.integers(0, clusters, items).astype(np.int32)
        unit = unit_vectors(directions((clusters, 384), random)[labels] + directions((items, 384), random))
        spent = []
        for _ in range(5):
            start = time.process_time()
            themes(unit, labels, 0)
            spent.append(time.process_time() - start)
        result[f"{items} items, {clusters} clusters"] = round(1000 * min(spent), 1)
    return result


def means(rows: list[dict[str, tuple[float, int]]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "ami": round(float(np.mean([row[name][0] for row in rows])), 3),
            "themes": round(float(np.mean([row[name][1] for row in rows])), 1),
        }
        for name in rows[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept between runs")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="The number of unique classes")
    sets = {}
    for name in SOURCES:
        texts, truth = banking(arguments.data) if name == "banking77" else traces(arguments.data, name, "distinct_id")
        sets[name] = (unit_vectors(vectors_of(name, texts, arguments.vectors)), np.array(truth))
    group_of = {intent: group for group, intents in INTENT_GROUPS.items() for intent in intents.split()}
    queries, intents = sets["banking77"]
    by_hand = np.array([group_of[intent] for intent in intents])
    cases = [
        *mixtures(sets),
        *modalities(arguments.data, arguments.vectors),
        Case("banking77, groups made by hand, found", queries, ours(queries), by_hand),
        Case("banking77, groups made by hand, labelled", queries, ids(intents), by_hand),
        *planted(),
    ]
    rules: dict[str, list[dict[str, tuple[float, int]]]] = defaultdict(list)
    trees: dict[str, list[dict[str, float]]] = defaultdict(list)
    for case in cases:
        rules[case.group].append(by_rule(case))
        trees[case.group].append(by_tree(case))
    tree_table = {
        group: {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}
        for group, rows in trees.items()
    }
    rule_table = {group: means(rows) for group, rows in rules.items()}
    results = {
        "rules": rule_table,
        "rules, mean over the groups": {
            name: round(float(np.mean([table[name]["ami"] for table in rule_table.values()])), 3)
            for name in rule_table["modalities, found"]
        },
        "trees, best cut in hindsight": tree_table,
        "trees, mean over the groups": {
            name: round(float(np.mean([table[name] for table in tree_table.values()])), 3)
            for name in tree_table["modalities, found"]
        },
        "one source": {
            name: {"clusters": int(labels.max()) + 1, "found": outcome.found} | outcome.quality
            for name, (unit, _) in sets.items()
            for labels in [ours(unit)]
            for outcome in [themes(unit, labels, 0)]
        },
        "no themes": nothing_to_find(),
        "cpu_ms": times(),
    }
    versions = {name: version(name) for name in LIBRARIES}
    report = {"python": platform.python_version(), "versions": versions, "results": results}
    RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
