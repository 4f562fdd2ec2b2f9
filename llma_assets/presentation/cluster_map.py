"""The cluster map as a PNG: one dot an item, one colour a cluster, the largest ones named."""

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llma_assets.clustering.result import NOISE

NAMED_CLUSTERS = 12
_WIDTH_IN, _HEIGHT_IN, _DPI = 11.0, 5.8, 95  # as wide as the dialog in which Dagster shows it
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def cluster_map(items: Sequence[Mapping[str, Any]], titles: Mapping[int, str], heading: str) -> bytes:
    """A scatter plot of a clustering run.

    Args:
        items: mappings with `x`, `y`, `cluster_id`.
        titles: the name of each cluster by id, noise excluded.
        heading: what the picture shows.

    Returns:
        PNG bytes; the same input gives the same picture.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    palette = colormaps["tab20"]
    sizes: dict[int, int] = {}
    for item in items:
        sizes[item["cluster_id"]] = sizes.get(item["cluster_id"], 0) + 1
    order = sorted((c for c in sizes if c != NOISE), key=lambda c: (-sizes[c], c))
    for position, cluster_id in enumerate([NOISE, *order]):
        dots = [(item["x"], item["y"]) for item in items if item["cluster_id"] == cluster_id]
        if not dots:
            continue
        noise = cluster_id == NOISE
        label = None
        if noise or position <= NAMED_CLUSTERS:
            title = "Outliers" if noise else titles.get(cluster_id, f"cluster {cluster_id}")
            label = textwrap.shorten(_UNPRINTABLE.sub(" ", title), 52, placeholder="…") + f"  ({len(dots)})"
        xs, ys = zip(*dots, strict=True)
        color = "#b8b8b8" if noise else palette((position - 1) % 20)
        axes.scatter(
            xs, ys, s=10 if noise else 20, color=[color], label=label, linewidths=0, alpha=0.55 if noise else 0.85
        )
        if not noise and position <= NAMED_CLUSTERS:
            axes.annotate(
                str(cluster_id), (sum(xs) / len(xs), max(ys)), xytext=(0, 7), textcoords="offset points",
                ha="center", va="bottom", fontsize=8.5,
                fontweight="bold", bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": color, "alpha": 0.85},
            )  # fmt: skip
    axes.set_title(heading, loc="left", fontsize=11, parse_math=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#dddddd")
    if items:
        legend = axes.legend(
            loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8.5, markerscale=1.6
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    if len(order) > NAMED_CLUSTERS:
        figure.supxlabel(
            f"{len(order) - NAMED_CLUSTERS} smaller clusters are drawn but not named", fontsize=8, color="#666666"
        )
    canvas.draw()
    # 256 colours make it a third of the size, and nobody sees it.
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
    buffer = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
