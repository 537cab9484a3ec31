"""Plots of results: ROC curves, confusion matrices, and lines over a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .frame import MARGIN, check_width, new_figure, write
from .theme import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Theme,
    font_family,
    get_theme,
    own_style,
    shorten,
    text_width,
)
from .timeline import score_colormap

_SIZE, _TITLE = 8.5, 11.5
_HEADER = 40
_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_DASHES = ("-", "--", "-.", ":")
_MARKS = ("o", "s", "^", "D", "v", "P")

Curve = tuple[Sequence[float], Sequence[float]]
"""x and y of a line."""


def _style(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.background)
    axes.tick_params(colors=theme.muted, labelcolor=theme.text, labelsize=_SIZE, labelfontfamily=list(font_family()))
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_color(theme.muted)
        spine.set_visible(side in ("left", "bottom"))


def _name_axes(axes: Axes, x: str, y: str, theme: Theme) -> None:
    options = {"fontsize": _SIZE, "color": theme.text, "fontfamily": list(font_family())}
    axes.set_xlabel(x, **options)  # type: ignore[arg-type]
    axes.set_ylabel(y, **options)  # type: ignore[arg-type]


def _legend(figure: Figure, axes: Axes, names: Sequence[str], theme: Theme, top: float) -> None:
    """Draws the legend of the lines below the plot, in columns."""
    width, height = figure.get_size_inches() * figure.dpi
    entry = min(width - 2 * MARGIN, 52 + max(text_width(name, _SIZE) for name in names))
    columns = max(1, int((width - 2 * MARGIN) // entry))
    handles = axes.get_lines()[: len(names)]
    for i, (name, line) in enumerate(zip(names, handles, strict=True)):
        x, y = MARGIN + (i % columns) * entry, top - 12 - (i // columns) * 18
        sample = figure.add_axes((x / width, (y - 6) / height, 28 / width, 12 / height))
        sample.plot(
            [0, 0.5, 1], [0, 0, 0], color=line.get_color(), linestyle=line.get_linestyle(), marker=line.get_marker(),
            markevery=[1], markersize=5, linewidth=1.6,
        )  # fmt: skip
        sample.set_axis_off()
        write(figure, x + 34, y, name, _SIZE, theme.text, room=entry - 40)


def _legend_height(names: Sequence[str], width: int) -> int:
    entry = min(width - 2 * MARGIN, 52 + max(text_width(name, _SIZE) for name in names))
    return 18 * -(-len(names) // max(1, int((width - 2 * MARGIN) // entry))) + 16


def plot_roc(
    curves: Mapping[str, Curve],
    theme: str | Theme = "light",
    *,
    areas: Mapping[str, float] | None = None,
    width: int = 800,
    title: str = "ROC, one class against the rest",
) -> Figure:
    """Plots ROC curves.

    Args:
        curves: `{class: (false positive rates, true positive rates)}`.
        theme: `"light"`, `"dark"` or a [`Theme`].
        areas: Areas under the curves, for the legend.
        width: Width in pixels; text size is fixed.
        title: Title.

    Returns:
        The figure, 100 pixels per inch.

    Raises:
        ValueError: If there is no curve.
    """
    if not curves:
        raise ValueError("There is no curve to plot; give at least one class.")
    colours = get_theme(theme)
    check_width(width)
    names = [f"{name}  {areas[name]:.2f}" if areas and name in areas else name for name in curves]
    with own_style():
        legend = _legend_height(names, width)
        side = min(width - 80, 460)
        height = _HEADER + side + 48 + legend
        figure = new_figure(width, height, colours)
        axes = figure.add_axes((60 / width, (legend + 48) / height, side / width, side / height))
        for i, (x, y) in enumerate(curves.values()):
            axes.plot(x, y, color=_COLOURS[i % 6], linestyle=_DASHES[(i // 6) % 4], linewidth=1.5)
        axes.plot([0, 1], [0, 1], color=colours.muted, linewidth=0.8, zorder=0)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        _style(axes, colours)
        _name_axes(axes, "false positive rate", "true positive rate", colours)
        write(figure, MARGIN, height - 19, title, _TITLE, colours.text, room=width - 2 * MARGIN, bold=True)
        _legend(figure, axes, names, colours, legend)
    return figure


def plot_confusion(
    counts: np.ndarray,
    class_names: Sequence[str],
    theme: str | Theme = "light",
    *,
    width: int = 800,
    title: str = "Confusion, share of each true class",
) -> Figure:
    """Plots a confusion matrix: rows are true classes, columns predicted classes, values percentages of the row.

    Args:
        counts: `(K, K)` counts.
        class_names: The classes.
        theme: `"light"`, `"dark"` or a [`Theme`].
        width: Width in pixels; text size is fixed.
        title: Title.

    Returns:
        The figure, 100 pixels per inch.

    Raises:
        ValueError: If the matrix does not fit the classes.
    """
    counts = np.asarray(counts, dtype=float)
    if counts.shape != (len(class_names), len(class_names)) or not len(class_names):
        raise ValueError(f"`counts` must be ({len(class_names)}, {len(class_names)}), got {counts.shape}.")
    colours = get_theme(theme)
    check_width(width)
    with own_style():
        left = round(min(0.3 * width, 20 + max(text_width(name, _SIZE) for name in class_names)))
        side = min(width - left - 20, 46 * len(class_names))
        cell = side / len(class_names)
        below = left
        height = _HEADER + side + below + 8
        figure = new_figure(width, height, colours)
        axes = figure.add_axes((left / width, below / height, side / width, side / height))
        total = counts.sum(axis=1, keepdims=True)
        share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
        axes.imshow(share, cmap=score_colormap(colours), vmin=0, vmax=1, aspect="auto")
        if cell >= 17:
            for row, column in np.argwhere(share >= 0.005):
                deep = share[row, column] > 0.55
                ink = ("#FFFFFF" if colours.name == "light" else "#1B1F24") if deep else colours.text
                axes.text(
                    column, row, f"{100 * share[row, column]:.0f}", fontsize=7.5 if cell < 30 else _SIZE, ha="center",
                    va="center", color=ink, fontfamily=list(font_family()),
                )  # fmt: skip
        short = [shorten(name, _SIZE, left - 14) for name in class_names]
        axes.set_yticks(range(len(short)), short, parse_math=False)
        axes.set_xticks(range(len(short)), short, rotation=90, parse_math=False)
        _style(axes, colours)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        write(figure, MARGIN, height - 19, title, _TITLE, colours.text, room=width - 2 * MARGIN, bold=True)
    return figure


def _tick_labels(ticks: Sequence[float], ends: tuple[float, float], width: float) -> list[str]:
    """Formats tick labels of a logarithmic axis, compactly even for large values such as operation counts.

    Args:
        ticks: Tick values, ascending.
        ends: Limits of the axis.
        width: Width of the axis in pixels.

    Returns:
        The labels; empty where a label would overlap the previous one.
    """
    labels = [f"{v:.1e}" if v >= 1e7 else f"{v:,.0f}" if v >= 1 else f"{v:g}" for v in ticks]
    places = width * np.log(np.array(ticks) / ends[0]) / np.log(ends[1] / ends[0])
    free = -np.inf
    for i, (label, place) in enumerate(zip(labels, places, strict=True)):
        half = text_width(label, _SIZE) / 2
        if place - half < free:
            labels[i] = ""
        else:
            free = place + half + 8
    return labels


def plot_lines(
    lines: Mapping[str, Curve],
    theme: str | Theme = "light",
    *,
    x_label: str,
    y_label: str,
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    fits: Mapping[str, Curve] | None = None,
    y_range: tuple[float, float] | None = (0.0, 1.0),
    width: int = 800,
    title: str = "",
) -> Figure:
    """Plots lines with markers over a logarithmic x axis: retrieval by pool size, scores by shots, scaling.

    Args:
        lines: `{name: (x, y)}`; x above 0.
        theme: `"light"`, `"dark"` or a [`Theme`].
        x_label: Label of the x axis.
        y_label: Label of the y axis.
        bands: `{name: (low, high)}` intervals of lines, at their x.
        fits: `{name: (x, y)}` fitted curves, drawn thin in the colour of the line with that name.
        y_range: Limits of the y axis; derived from the data if None.
        width: Width in pixels; text size is fixed.
        title: Title.

    Returns:
        The figure, 100 pixels per inch.

    Raises:
        ValueError: If there is no line, or an x is not above 0.
    """
    if not lines or any(min(x, default=0) <= 0 for x, _ in lines.values()):
        raise ValueError("Give at least one line, with x above 0: the axis is logarithmic.")
    colours = get_theme(theme)
    check_width(width)
    names = list(lines)
    with own_style():
        legend = _legend_height(names, width)
        height = _HEADER + 300 + 52 + legend
        figure = new_figure(width, height, colours)
        axes = figure.add_axes((64 / width, (legend + 52) / height, 1 - 84 / width, 300 / height))
        for i, (name, (x, y)) in enumerate(lines.items()):
            colour = _COLOURS[i % 6]
            axes.plot(
                x, y, color=colour, marker=_MARKS[i % 6], markersize=5, linewidth=1.5, linestyle=_DASHES[(i // 6) % 4]
            )
            if bands and name in bands:
                axes.fill_between(x, *bands[name], color=colour, alpha=0.16, linewidth=0)
        for name, (x, y) in (fits or {}).items():
            axes.plot(x, y, color=_COLOURS[names.index(name) % 6], linewidth=0.9, linestyle=":")
        axes.set_xscale("log")
        ticks = sorted({float(v) for x, _ in lines.values() for v in x})
        if len(ticks) <= 9:
            room = axes.get_window_extent().width
            axes.set_xticks(ticks, _tick_labels(ticks, axes.get_xlim(), room))
            axes.minorticks_off()
        if y_range is not None:
            axes.set_ylim(*y_range)
        _style(axes, colours)
        _name_axes(axes, x_label, y_label, colours)
        write(figure, MARGIN, height - 19, title, _TITLE, colours.text, room=width - 2 * MARGIN, bold=True)
        _legend(figure, axes, names, colours, legend)
    return figure
