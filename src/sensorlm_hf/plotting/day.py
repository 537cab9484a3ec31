"""`plot_day`: the signals of a day, its gaps and its events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..days import SensorDay
from ..schema import MODALITIES, Channel
from .events import ROW_HEIGHT, draw_bands, draw_strip, lay_out_events
from .frame import HEADER, MARGIN, check_width, draw_hatch_sample, draw_header, new_figure, write
from .theme import Theme, font_family, get_theme, own_style, shorten, text_width
from .time_axis import TICK_SIZE, Tick, clock_changes, clock_ticks, hatch_missing, style_time_axis

MAIN_CHANNELS = ("HR", "steps", "eda_level_real", "wrist_temperatures")
"""Channels shown first in a plot of a day, if the schema has them."""

_UNITS = {"uS": "µS", "uS/min": "µS/min", "degC": "°C", "ms^2": "ms²"}
_COUNTS = ("steps/min", "count")

# Pixels. Panels are lower when there are many.
_LEFT, _RIGHT, _FOOTER, _TITLE = 66, 18, 78, 27
_PANEL, _LOW_PANEL, _MANY = 92, 60, 8
_FIELD = 9
"""Font size of panel titles in points."""


def default_channels(day: SensorDay) -> tuple[str, ...]:
    """Returns the keys of the channels that [`plot_day`] shows by default.

    These are the observed channels of [`MAIN_CHANNELS`]. If there are fewer than four, observed channels that captions
    always describe are added in schema order, then other observed channels. If nothing was observed, the first four
    channels in that order are returned.
    """
    observed = np.any(day.mask, axis=0)
    preferred = [key for key in MAIN_CHANNELS if key in day.schema]
    preferred += [channel.key for channel in day.schema if channel.in_every_caption]
    preferred += day.schema.keys
    ranked = list(dict.fromkeys(preferred))
    chosen = [key for key in ranked if observed[day.schema.index(key)]] or ranked
    return _by_modality(day, chosen[: len(MAIN_CHANNELS)])


def plot_day(
    day: SensorDay,
    channels: Sequence[str] | None = None,
    theme: str | Theme = "light",
    *,
    width: int = 800,
    title: str | None = None,
) -> Figure:
    """Plots a day: a strip of events above one panel per channel over local time.

    Panels are ordered and coloured by modality. Spans without data are hatched; sleep and activities shade the panels,
    moods are lines. Clock changes inside the window are marked with their size.

    Args:
        day: The day, or a window of any length.
        channels: Keys of the channels; by default [`default_channels`].
        theme: `"light"`, `"dark"` or a [`Theme`].
        width: Width in pixels; text size is fixed, so choose the width at which the figure is displayed.
        title: Title; the subject id by default.

    Returns:
        The figure, 100 pixels per inch; its height depends on the content.

    Raises:
        KeyError: If the schema has no such channel.
        ValueError: If `channels` is empty or repeats one, the theme is unknown or the width out of range.
        TypeError: If an argument has the wrong type.

    Example:
        >>> plot_day(day, ["HR", "steps"], theme="dark").savefig("day.svg")
    """
    if not isinstance(day, SensorDay):
        raise TypeError(f"`day` must be a SensorDay, got {type(day).__name__}.")
    colours = get_theme(theme)
    keys = default_channels(day) if channels is None else _check_channels(day, channels)
    room = float(check_width(width) - _LEFT - _RIGHT)
    with own_style():
        strip = lay_out_events(day, room)
        panel = _LOW_PANEL if len(keys) > _MANY else _PANEL
        height = HEADER + strip.rows * ROW_HEIGHT + len(keys) * (panel + _TITLE) + _FOOTER
        figure = new_figure(width, height, colours)
        ticks = clock_ticks(day, room)
        top = float(HEADER)
        if strip.rows:
            axes = _axes(figure, top, strip.rows * ROW_HEIGHT, colours)
            style_time_axis(axes, day, ticks, colours, labels=False)
            draw_strip(axes, day, strip, room, colours)
            axes.tick_params(axis="y", length=0, labelcolor=colours.text, labelfontfamily=list(font_family()))
            axes.tick_params(axis="y", labelsize=TICK_SIZE)
            top += strip.rows * ROW_HEIGHT
        for key in keys:
            axes = _axes(figure, top + _TITLE, panel, colours)
            _draw_channel(axes, day, day.schema[key], ticks, colours, room, last=key == keys[-1])
            top += _TITLE + panel
        draw_header(figure, day, colours, title)
        _draw_footer(figure, day, keys, strip.unlabelled, colours)
    return figure


def _by_modality(day: SensorDay, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(keys, key=lambda key: (MODALITIES.index(day.schema[key].modality), day.schema.index(key))))


def _check_channels(day: SensorDay, channels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(channels, str) or not isinstance(channels, Sequence):
        raise TypeError(f"`channels` must be a list of channel keys, got {channels!r}.")
    if not channels:
        raise ValueError(f"`channels` is empty; give some of {', '.join(day.schema.keys)}.")
    repeated = sorted({key for key in channels if list(channels).count(key) > 1})
    if repeated:
        raise ValueError(f"`channels` repeats {', '.join(repeated)}; list each channel once.")
    return _by_modality(day, channels)


def _axes(figure: Figure, top: float, height: float, theme: Theme) -> Axes:
    """Adds axes at a distance from the top, pixels."""
    width, total = figure.get_size_inches() * figure.dpi
    axes = figure.add_axes(
        (_LEFT / width, 1 - (top + height) / total, (width - _LEFT - _RIGHT) / width, height / total),
        facecolor=theme.background,
    )
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(theme.muted)
        spine.set_linewidth(0.8)
    return axes


def _draw_channel(
    axes: Axes, day: SensorDay, channel: Channel, ticks: list[Tick], theme: Theme, room: float, *, last: bool
) -> None:
    values = day.channel(channel.key).astype(np.float64)
    observed = ~np.isnan(values)
    colour = theme.modalities[channel.modality]
    minutes = np.arange(len(values))
    if channel.unit in _COUNTS:
        axes.stairs(values, np.arange(len(values) + 1), fill=True, color=colour, linewidth=0, zorder=3)
        axes.set_ylim(0, max(1.0, 1.08 * np.nanmax(values)) if observed.any() else 1)
    else:
        axes.plot(minutes + 0.5, values, color=colour, linewidth=1.1, zorder=3, solid_joinstyle="round")
        alone = observed & ~np.r_[False, observed[:-1]] & ~np.r_[observed[1:], False]
        axes.plot(minutes[alone] + 0.5, values[alone], ".", color=colour, markersize=3, zorder=3)
        axes.margins(y=0.12)
        if observed.any() and np.nanmax(values) == np.nanmin(values):
            axes.set_ylim(*(values[observed][0] + np.array([-1, 1]) * max(abs(values[observed][0]) * 0.1, 1e-3)))
    draw_bands(axes, day, theme)
    hatch_missing(axes, observed, theme)
    style_time_axis(axes, day, ticks, theme, labels=last)
    axes.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    if not observed.any():
        axes.set_yticks([])
    axes.tick_params(
        axis="y",
        colors=theme.muted,
        labelcolor=theme.text,
        labelsize=TICK_SIZE,
        length=0,
        labelfontfamily=list(font_family()),
    )
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    for minute, _ in clock_changes(day):
        axes.axvline(minute, color=theme.text, linewidth=1, linestyle=(0, (2, 2)), zorder=4)
    _write_title(axes, channel, observed, colour, theme, room)


def _write_title(axes: Axes, channel: Channel, observed: np.ndarray, colour: str, theme: Theme, room: float) -> None:
    """Writes name and unit at the left, and how much was observed at the right, above the panel."""
    unit = _UNITS.get(channel.unit, channel.unit)
    share = f"{observed.sum():,} of {len(observed):,} min"
    name = f"{channel.label} ({unit})"
    if text_width(name, _FIELD) + text_width(share, _FIELD) + 24 > room:
        share = f"{observed.mean():.0%}"
    name = shorten(name, _FIELD, room - text_width(share, _FIELD) - 24)
    axes.plot([0.004], [1.115], marker="s", markersize=5, color=colour, transform=axes.transAxes, clip_on=False)
    for x, text, shade, side in ((14 / room, name, theme.text, "left"), (1.0, share, theme.muted, "right")):
        axes.text(
            x,
            1.06,
            text,
            transform=axes.transAxes,
            ha=side,
            va="bottom",
            fontsize=_FIELD,
            fontfamily=list(font_family()),
            color=shade,
            parse_math=False,
        )


def _draw_footer(figure: Figure, day: SensorDay, keys: Sequence[str], unlabelled: int, theme: Theme) -> None:
    """Explains the hatching and lists what the plot leaves out."""
    width = figure.get_size_inches()[0] * figure.dpi
    observed = np.any(day.mask, axis=0)
    absent = [
        day.schema[key].label
        for key in MAIN_CHANNELS
        if key in day.schema and not observed[day.schema.index(key)] and key not in keys
    ]
    notes = []
    for minute, jump in clock_changes(day):
        clock = day.clock(minute)
        notes.append(f"clocks go {'forward' if jump > 0 else 'back'} {abs(jump)} min to {clock:%H:%M}")
    if absent:
        notes.append(f"no data: {', '.join(absent)}")
    if unlabelled:
        notes.append(f"{unlabelled} short event{'s' if unlabelled > 1 else ''} without a label")
    lines = [" · ".join(["not observed", *notes])]
    prefix = MARGIN + 30
    if text_width(lines[0], TICK_SIZE) > width - prefix - MARGIN:
        lines = ["not observed", " · ".join(notes)]
    for number, line in enumerate(lines):
        x = prefix if number == 0 else MARGIN
        write(figure, x, 30 - 15 * number, line, TICK_SIZE, theme.muted, room=width - x - MARGIN)
    draw_hatch_sample(figure, MARGIN, 24, theme)
