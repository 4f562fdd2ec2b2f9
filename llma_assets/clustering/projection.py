"""The map: a place in the plane for every item, near what it resembles."""

import numpy as np

from llma_assets.clustering.reduction import pca

_PERPLEXITY = 15.0
# sklearn spends the first 250 on early exaggeration. More than 400 moved 10-NN label accuracy by
# .003 or less, and cost in proportion (2.2 CPU-s at 2,000 items and 400 steps).
_STEPS = 400
# t-SNE needs a neighbourhood; below this the first two principal components show all there is.
_MIN_POINTS = 8


def project(layout: np.ndarray, seed: int) -> np.ndarray:
    """Place m points in the plane by t-SNE, starting from their principal components.

    Args:
        layout: shape (m, c), the space that the clusters were found in, so that the map shows them.
        seed: for the optimizer; the start is fixed.

    Returns:
        float64, shape (m, 2), centred, within [−1, 1], rounded to 6 decimals.
    """
    places = _plane(layout)
    if len(layout) >= _MIN_POINTS and places.std() > 0:
        places = _tsne(layout, places, seed)
    if not len(places):
        return places
    places = places - places.mean(axis=0)
    widest = np.abs(places).max()
    return np.round(places / widest if widest > 1e-12 else np.zeros_like(places), 6) + 0.0


def _plane(layout: np.ndarray) -> np.ndarray:
    """The first two principal components, with a column of zeros where there is only one."""
    places = np.zeros((len(layout), 2))
    if len(layout) > 1:
        components = pca(layout, 2)
        places[:, : components.shape[1]] = components
    return places


def _tsne(layout: np.ndarray, start: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    spread = start[:, 0].std()
    model = TSNE(
        init=(start / max(spread, 1e-12) * 1e-4).astype(np.float32),
        perplexity=min(_PERPLEXITY, (len(layout) - 1) / 3),
        max_iter=_STEPS,
        learning_rate="auto",
        random_state=seed,
        n_jobs=1,
    )
    return model.fit_transform(layout).astype(np.float64)
