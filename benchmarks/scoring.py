"""Labels against the truth."""

import numpy as np
from methods import NOISE
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score


def nearest_centroid(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels with noise given to the nearest centroid."""
    found = np.unique(labels[labels != NOISE])
    if not len(found):
        return labels
    centres = np.stack([unit[labels == label].mean(axis=0) for label in found])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return np.where(labels == NOISE, found[(unit @ centres.T).argmax(axis=1)], labels)


def scores(truth: list[str], labels: np.ndarray) -> dict[str, float]:
    """AMI and ARI, noise as one group, and its share."""
    return {
        "ami": round(float(adjusted_mutual_info_score(truth, labels)), 3),
        "ari": round(float(adjusted_rand_score(truth, labels)), 3),
        "noise_share": round(float((labels == NOISE).mean()), 3),
    }


def figures(
    unit: np.ndarray, truth: list[str], raw: np.ndarray, assigned: np.ndarray | None = None
) -> dict[str, float]:
    """Scores before and after assignment, the number of clusters and the share of the largest."""
    final = raw if assigned is None else assigned
    found = {"raw": scores(truth, raw)}
    if assigned is not None:
        found["assigned"] = scores(truth, assigned)
    found["reassigned"] = scores(truth, nearest_centroid(unit, final))
    flat = {f"{name}_{stage}": value for stage, values in found.items() for name, value in values.items()}
    del flat["noise_share_reassigned"]
    sizes = np.bincount(final[final != NOISE], minlength=1)
    return flat | {
        "clusters": int((sizes > 0).sum()),
        "largest_share": round(float(sizes.max() / len(final)), 3),
    }


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each figure."""
    return {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}
