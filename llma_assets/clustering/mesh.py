"""The push between all points of a map, by way of a mesh: n + grid log grid instead of n² pairs.

Every point of a t-SNE map pushes every other by K² (yᵢ − yⱼ), where K = 1 / (1 + |yᵢ − yⱼ|²), and that is
−½ the slope of the potential φ(y) = Σⱼ K(y − yⱼ). So the points are spread over a grid by cubic B-splines,
the grid is convolved with K by FFT, and potential and slope are read back through the same splines. The
splines' own blur is divided out in Fourier space, as in smooth particle-mesh Ewald (Essmann et al. 1995);
the use of a mesh for t-SNE is FIt-SNE's (Linderman et al. 2019). One transform there, one back.
"""

import numpy as np

# Distance of two mesh nodes, in units of the map, where K has width 1. On the finished map of 2,000 queries the
# push is wrong by 27 % at 1.0, 9 % at 0.6, 3 % at 0.4 and 1.1 % at 0.3, most of it between next neighbours. Label
# accuracy of neighbours on the map at 1.0 and at 0.3 differed by 0 to .04 on four sets, up as well as down
# (`benchmarks/results/map_choices.json`), but above 0.4 small groups lie down in rows along the mesh. So: coarse while
# the map takes shape, fine at the end.
COARSE, FINE = 0.8, 0.3
# Up to here all pairs cost about as much as the mesh. They must be taken one by one, too: a few scattered points
# push so little in all that the mesh's error is larger than the sum, and the map would fly apart.
PAIRS_LIMIT = 200
# Nodes a side; a wider map gets twice the spacing, so that an outlier costs neither time nor memory.
_MAX_NODES = 512


def push_pairwise(places: np.ndarray) -> tuple[np.ndarray, float]:
    """As `RepulsionMesh.push`, from all m² pairs."""
    x, y = np.ascontiguousarray(places.T)
    apart_x, apart_y = x[:, None] - x, y[:, None] - y
    kernel = 1.0 / (1.0 + apart_x * apart_x + apart_y * apart_y)
    np.fill_diagonal(kernel, 0.0)
    squared = kernel * kernel
    forces = np.stack([(squared * apart_x).sum(axis=1), (squared * apart_y).sum(axis=1)], axis=1)
    return forces, float(kernel.sum(dtype=np.float64))


class RepulsionMesh:
    """Computes the push for one map after another; keeps the transformed kernel between them."""

    def __init__(self, spacing: float, max_nodes: int = _MAX_NODES) -> None:
        self._spacing = spacing
        self._max_nodes = max_nodes
        self._kernel_of: tuple[float, int] | None = None
        self._kernel = np.zeros((0, 0), np.float32)

    def push(self, places: np.ndarray) -> tuple[np.ndarray, float]:
        """What all points do to each.

        Args:
            places: float32, shape (m, 2), m ≥ 1.

        Returns:
            Σⱼ Kᵢⱼ² (yᵢ − yⱼ), float32 of shape (m, 2), and Σ Kᵢⱼ over all i ≠ j, which on a map
            of few or far scattered points may come out too small, even negative.
        """
        spacing = self._spacing
        # Of one coordinate after the other: along the first axis NumPy looks for them ten times as long.
        along = np.ascontiguousarray(places.T)
        lowest = along.min(axis=1)
        extent = float((along.max(axis=1) - lowest).max())
        while extent / spacing > self._max_nodes:
            spacing *= 2.0
        cells = (places - lowest) / spacing
        whole = cells.astype(np.int64)
        side = int(whole.max()) + 4
        values, slopes = _cubic_splines((cells - whole).T.astype(np.float32))
        step = np.arange(4)
        # Each point touches 4 × 4 nodes.
        nodes = (whole[:, 0] * side + whole[:, 1]) + (step[:, None] * side + step)[:, :, None]
        weights = values[:, None, 0] * values[None, :, 1]
        density = np.bincount(nodes.ravel(), weights.ravel(), side * side).reshape(side, side)
        around = self._convolve(density.astype(np.float32), spacing).ravel().take(nodes)
        in_y = np.einsum("abm,bm->am", around, values[:, 1])
        potential = np.einsum("am,am->m", in_y, values[:, 0])
        slope_x = np.einsum("am,am->m", in_y, slopes[:, 0])
        slope_y = np.einsum("am,am->m", np.einsum("abm,bm->am", around, slopes[:, 1]), values[:, 0])
        forces = np.stack([slope_x, slope_y], axis=1) * np.float32(-0.5 / spacing)
        # K of a point with itself is 1, and has no slope.
        return forces, float(potential.sum(dtype=np.float64)) - len(places)

    def _convolve(self, density: np.ndarray, spacing: float) -> np.ndarray:
        """The potential at the nodes; zeros around keep opposite edges from meeting."""
        from scipy import fft

        side = len(density)
        padded = fft.next_fast_len(2 * side, real=True)
        if self._kernel_of != (spacing, padded):
            self._kernel, self._kernel_of = _kernel_transform(spacing, padded), (spacing, padded)
        # By hand rather than rfft2, as half of the rows are zero before and half are unused after.
        spectrum = fft.fft(fft.rfft(density, padded, axis=1), padded, axis=0, overwrite_x=True)
        spectrum *= self._kernel
        return fft.irfft(fft.ifft(spectrum, axis=0, overwrite_x=True)[:side], padded, axis=1)[:, :side]


def _kernel_transform(spacing: float, padded: int) -> np.ndarray:
    """Transform of K on a periodic grid, over the blur of spreading and of reading.

    Returns:
        float32, shape (padded, padded // 2 + 1).
    """
    from scipy import fft

    away = np.minimum(np.arange(padded), padded - np.arange(padded)) * spacing
    blur = (2.0 + np.cos(2.0 * np.pi * np.arange(padded) / padded)) / 3.0
    kernel = fft.rfft2(1.0 / (1.0 + away[:, None] ** 2 + away**2)).real
    return (kernel / (blur[:, None] * blur[: padded // 2 + 1]) ** 2).astype(np.float32)


def _cubic_splines(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the four nodes around each point, and their slopes.

    Args:
        right: shape (2, m), distance from the second node of the four in cells, 0 to 1.

    Returns:
        Two arrays of shape (4, 2, m).
    """
    left = 1.0 - right
    square, left_square = right * right, left * left
    values = np.stack(
        [
            left_square * left / 6.0,
            2.0 / 3.0 - square + square * right / 2.0,
            2.0 / 3.0 - left_square + left_square * left / 2.0,
            square * right / 6.0,
        ]
    )
    slopes = np.stack(
        [
            -left_square / 2.0,
            1.5 * square - 2.0 * right,
            2.0 * left - 1.5 * left_square,
            square / 2.0,
        ]
    )
    return values, slopes
