"""The map: the layout that the clusters were found in, as a picture; items known from an earlier map stay there."""

import numpy as np

from llma_assets.clustering.anchors import Anchors, anchored
from llma_assets.clustering.neighborhood import Neighborhood


def project(neighborhood: Neighborhood, anchors: Anchors | None) -> np.ndarray:
    """Places on the map for the m distinct rows of `neighborhood`.

    Args:
        anchors: where some of them were on an earlier map; they stay near there, and the others go near their
            neighbours. Ignored without a layout, and where they name fewer than 3 rows or a single place.

    Returns:
        float64, shape (m, 2), within [−1, 1], rounded to 6 decimals: centred and as large as fits, or with anchors
        in their frame, cut off at its edges.

    Raises:
        ValueError: anchors that do not fit the rows.
    """
    if anchors is not None:
        anchors.check(len(neighborhood.places))
        if neighborhood.is_laid_out and anchors.usable():
            moved = anchored(neighborhood.graph, neighborhood.places, anchors)
            return np.round(np.clip(moved, -1.0, 1.0), 6) + 0.0
    return _framed(neighborhood.places)


def _framed(places: np.ndarray) -> np.ndarray:
    """Centred, as large as fits into [−1, 1]."""
    if not len(places):
        return places
    centred = places - places.mean(axis=0)
    widest = np.abs(centred).max()
    return np.round(centred / widest if widest > 1e-12 else np.zeros_like(centred), 6) + 0.0
