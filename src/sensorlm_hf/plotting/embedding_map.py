"""`plot_embedding_map`: embeddings of days in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .._extras import requires_extra
from .frame import MARGIN, check_width, new_figure, write
from .theme import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    Theme,
    font_family,
    get_theme,
    own_style,
    shorten,
)

METHODS = ("pca", "tsne")
"""Projection methods: principal components (linear) or t-SNE (preserves neighbourhoods)."""

MAX_CLASSES = 35
"""Maximum number of classes that colour and shape can distinguish."""

_SHAPES = ("o", "s", "^", "D", "v")
_LEGEND_ROW, _HEADER, _ENTRY, _TEXT = 19, 56, 168, 8.5


def project(embeddings: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Projects embeddings to two dimensions.

    Args:
        embeddings: `(N, D)`, at least three rows.
        method: One of [`METHODS`].
        seed: Seed of t-SNE.

    Returns:
        `(N, 2)` float64; the sign of each axis is set so that the largest value is positive.

    Raises:
        ValueError: If the method is unknown, or the embeddings are too few or not finite.
    """
    embeddings = np.asarray(embeddings, dtype=float)
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}.")
    if embeddings.ndim != 2 or len(embeddings) < 3 or not np.isfinite(embeddings).all():
        raise ValueError(f"`embeddings` must be finite, (N, D) with N >= 3, got shape {embeddings.shape}.")
    if method == "pca":
        with requires_extra("plot", "A map of embeddings"):
            from sklearn.decomposition import PCA

        points = PCA(2, svd_solver="full").fit_transform(embeddings)
    else:
        with requires_extra("plot", "A map of embeddings"):
            from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(embeddings) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(embeddings)
    farthest = np.take_along_axis(points, np.abs(points).argmax(axis=0)[None], axis=0)
    return points * np.where(farthest < 0, -1.0, 1.0)


def plot_embedding_map(
    embeddings: np.ndarray,
    labels: Sequence[str],
    theme: str | Theme = "light",
    *,
    method: str = "pca",
    seed: int = 0,
    width: int = 800,
    title: str | None = None,
) -> Figure:
    """Plots embeddings as points, by class.

    Classes differ in both colour and shape, and the largest ones are labelled in place, so the plot does not rely on
    colour alone. Distances in the map only roughly reflect distances between embeddings.

    Args:
        embeddings: `(N, D)` embeddings of days or events.
        labels: `(N,)` class of each.
        theme: `"light"`, `"dark"` or a [`Theme`].
        method: One of [`METHODS`]; see [`project`].
        seed: Seed of t-SNE.
        width: Width in pixels; text size is fixed.
        title: Title; by default the number of points and classes.

    Returns:
        The figure, 100 pixels per inch.

    Raises:
        ValueError: If there is not one label per row, there are more than [`MAX_CLASSES`] classes, or [`project`]
            rejects the embeddings.

    Example:
        >>> plot_embedding_map(embeddings, [day.labels["main_activity"] for day in days]).savefig("map.png")
    """
    if len(labels) != len(embeddings):
        raise ValueError(f"Give one label per row, got {len(labels)} labels and {len(embeddings)} embeddings.")
    return plot_points(project(embeddings, method, seed), labels, theme, method=method, width=width, title=title)


def plot_points(
    points: np.ndarray,
    labels: Sequence[str],
    theme: str | Theme = "light",
    *,
    method: str = "pca",
    width: int = 800,
    title: str | None = None,
) -> Figure:
    """Plots points computed by [`project`]; see [`plot_embedding_map`].

    Args:
        points: `(N, 2)`.
        labels: `(N,)` class of each.
        theme: `"light"`, `"dark"` or a [`Theme`].
        method: Projection method, for the subtitle.
        width: Width in pixels.
        title: Title.

    Raises:
        ValueError: If there is not one label per point, or there are more than [`MAX_CLASSES`] classes.
    """
    colours = get_theme(theme)
    check_width(width)
    names = [str(label) for label in labels]
    if len(names) != len(points):
        raise ValueError(f"Give one label per point, got {len(names)} labels and {len(points)} points.")
    classes = sorted(set(names), key=lambda name: (-names.count(name), name))
    if len(classes) > MAX_CLASSES:
        raise ValueError(f"A map shows at most {MAX_CLASSES} classes, got {len(classes)}; merge some of them.")
    dark = colours.name == "dark"  # on which blue is hardly visible
    first, sixth = (SKY, YELLOW) if dark else (BLUE, SKY)
    palette = (first, VERMILLION, GREEN, PURPLE, ORANGE, sixth, colours.text)
    styles = {name: (palette[i % 7], _SHAPES[(i // 7 + i) % 5]) for i, name in enumerate(classes)}
    member = np.array([classes.index(name) for name in names])
    columns = max(1, (width - 2 * MARGIN) // _ENTRY)
    rows = -(-len(classes) // columns)
    legend = rows * _LEGEND_ROW + 24
    with own_style():
        height = _HEADER + round(0.62 * width) + legend
        figure = new_figure(width, height, colours)
        axes = figure.add_axes(
            (MARGIN / width, legend / height, 1 - 2 * MARGIN / width, 1 - (_HEADER + legend) / height),
            facecolor=colours.background,
        )
        for k, name in enumerate(classes):
            own = points[member == k]
            colour, shape = styles[name]
            axes.scatter(
                own[:, 0], own[:, 1], s=18, marker=shape, color=colour, alpha=0.9 if dark else 0.75, linewidths=0.3,
                edgecolors=colours.background, zorder=2,
            )  # fmt: skip
        _name_clusters(axes, points, member, classes, colours)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color(colours.grid)
        way = "principal components" if method == "pca" else "t-SNE"
        head = f"{len(names)} points, {len(classes)} classes" if title is None else title
        write(figure, MARGIN, height - 19, head, 11.5, colours.text, room=width - 2 * MARGIN, bold=True)
        remark = f"two dimensions by {way}"
        write(figure, MARGIN, height - 39, remark, 9, colours.muted, room=width - 2 * MARGIN)
        for i, name in enumerate(classes):
            x = MARGIN + (i % columns) * _ENTRY
            y = legend - 22 - (i // columns) * _LEGEND_ROW
            _legend_entry(figure, x, y, f"{name} ({names.count(name)})", *styles[name], colours)
    return figure


def _legend_entry(figure: Figure, x: float, y: float, text: str, colour: str, shape: str, theme: Theme) -> None:
    width, height = figure.get_size_inches() * figure.dpi
    figure.add_artist(
        Line2D([(x + 6) / width], [y / height], marker=shape, color=colour, markersize=6, linestyle="none")
    )
    write(figure, x + 16, y, text, _TEXT, theme.text, room=_ENTRY - 24)


def _name_clusters(axes: Any, points: np.ndarray, member: np.ndarray, classes: Sequence[str], theme: Theme) -> None:
    """Writes class names at the medians of their points, the largest classes first, if there is space."""
    span = np.ptp(points, axis=0)
    taken: list[np.ndarray] = []
    for k, name in enumerate(classes):
        middle = np.median(points[member == k], axis=0)
        if any(abs(middle[0] - t[0]) < 0.16 * span[0] and abs(middle[1] - t[1]) < 0.045 * span[1] for t in taken):
            continue
        taken.append(middle)
        axes.text(
            *middle,
            shorten(name, _TEXT, 130),
            fontsize=_TEXT,
            fontweight="bold",
            fontfamily=list(font_family()),
            color=theme.text,
            ha="center",
            va="center",
            zorder=4,
            parse_math=False,
            bbox={"facecolor": theme.background, "edgecolor": "none", "alpha": 0.6, "pad": 1},
        )
