"""`plot_heatmap`: the normalised channels of a day, as the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..days import SensorDay
from ..processing import SensorLMFeatureExtractor
from .frame import HEADER, MARGIN, check_width, draw_hatch_sample, draw_header, new_figure, write
from .theme import Theme, font_family, get_theme, own_style, shorten, text_width
from .time_axis import TICK_SIZE, clock_ticks, hatch_missing, style_time_axis

COLOUR_RANGE = 3.0
"""Limit of the colour scale in standard deviations from the mean."""

_ROW, _FOOTER, _RIGHT = 17, 82, 18
_LABELS_SHARE, _LABELS_MOST = 0.36, 246
_GAP_TEXT = "not observed"


def plot_heatmap(
    day: SensorDay,
    theme: str | Theme = "light",
    *,
    feature_extractor: Any = None,
    width: int = 800,
    title: str | None = None,
) -> Figure:
    """Plots the normalised channels of a day as a heat map, hatched where nothing was observed.

    Rows are in the order of the model's input channels, with lines between modalities. The model also receives the mask
    of observed minutes, so the zeros of missing minutes are not shown.

    Args:
        day: The day.
        theme: `"light"`, `"dark"` or a [`Theme`].
        feature_extractor: The model's [`SensorLMFeatureExtractor`]; by default one for the day's schema and length.
        width: Width in pixels; text size is fixed.
        title: Title; the subject id by default.

    Returns:
        The figure, 100 pixels per inch; its height depends on the number of channels.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the day does not fit the extractor, the theme is unknown or the width out of range.

    Example:
        >>> plot_heatmap(day).savefig("day.png")
    """
    if not isinstance(day, SensorDay):
        raise TypeError(f"`day` must be a SensorDay, got {type(day).__name__}.")
    colours = get_theme(theme)
    check_width(width)
    if feature_extractor is None:
        feature_extractor = SensorLMFeatureExtractor(day.schema, window_minutes=len(day))
    inputs = feature_extractor(day, return_tensors="np", allow_empty=True)
    values, mask = inputs["sensor_values"][0], inputs["sensor_mask"][0].astype(bool)
    channels = feature_extractor.channels
    with own_style():
        height = HEADER + _ROW * len(channels) + _FOOTER
        figure = new_figure(width, height, colours)
        left = round(min(_LABELS_MOST, _LABELS_SHARE * width))
        room = width - left - _RIGHT
        axes = figure.add_axes(
            (left / width, _FOOTER / height, room / width, _ROW * len(channels) / height), facecolor=colours.gap
        )
        axes.imshow(
            np.ma.masked_array(values, ~mask).T,
            aspect="auto",
            cmap=colours.colormap,
            norm=Normalize(-COLOUR_RANGE, COLOUR_RANGE),
            extent=(0, len(day), len(channels) - 0.5, -0.5),
            interpolation="nearest",
            zorder=1,
        )
        for row in range(len(channels)):
            hatch_missing(axes, mask[:, row], colours, (row - 0.5, 1.0))
        style_time_axis(axes, day, clock_ticks(day, room), colours, labels=True)
        axes.grid(visible=False)
        axes.set_yticks(
            range(len(channels)),
            [shorten(c["label"], TICK_SIZE, left - 24) for c in channels],
            parse_math=False,
        )
        axes.tick_params(
            axis="y",
            length=0,
            pad=10,
            labelsize=TICK_SIZE,
            labelcolor=colours.text,
            labelfontfamily=list(font_family()),
        )
        _mark_modalities(axes, [c["modality"] for c in channels], room, colours)
        for spine in axes.spines.values():
            spine.set_color(colours.muted)
            spine.set_linewidth(0.8)
        draw_header(figure, day, colours, title)
        _draw_legend(figure, colours)
    return figure


def _mark_modalities(axes: Axes, modalities: Sequence[str], room: float, theme: Theme) -> None:
    """Draws a stripe in the modality's colour next to each row, and lines between modalities."""
    for row, modality in enumerate(modalities):
        axes.add_patch(
            Rectangle(
                (-7 / room, row - 0.5),
                4 / room,
                1,
                transform=axes.get_yaxis_transform(),
                facecolor=theme.modalities[modality],
                linewidth=0,
                clip_on=False,
            )
        )
        if row and modality != modalities[row - 1]:
            axes.axhline(row - 0.5, color=theme.text, linewidth=0.9, zorder=3)


def _draw_legend(figure: Figure, theme: Theme) -> None:
    """Draws the colour scale and a hatched swatch at the bottom."""
    width, height = figure.get_size_inches() * figure.dpi
    bar = 96
    scale = figure.add_axes((MARGIN / width, 24 / height, bar / width, 12 / height))
    scale.imshow(np.linspace(0, 1, 128)[None], aspect="auto", cmap=theme.colormap)
    scale.set_axis_off()
    x = MARGIN + bar + 6
    text = f"−{COLOUR_RANGE:.0f} to +{COLOUR_RANGE:.0f} standard deviations"
    write(figure, x, 30, text, TICK_SIZE, theme.muted, room=width - x - MARGIN)
    x = MARGIN + bar + 6 + round(text_width(text, TICK_SIZE)) + 18
    if x + 30 + text_width(_GAP_TEXT, TICK_SIZE) + MARGIN <= width:
        draw_hatch_sample(figure, x, 24, theme)
        write(figure, x + 30, 30, _GAP_TEXT, TICK_SIZE, theme.muted, room=width - x - 30 - MARGIN)
    else:
        draw_hatch_sample(figure, MARGIN, 6, theme)
        write(figure, MARGIN + 30, 12, _GAP_TEXT, TICK_SIZE, theme.muted, room=width - 2 * MARGIN - 30)
