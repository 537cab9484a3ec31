"""Common parts of all plots: figure, title and legend."""

from __future__ import annotations

import io

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..days import SensorDay
from .theme import DPI, Theme, font_family, shorten
from .time_axis import date_text

HEADER = 56
"""Height of the title lines, pixels."""

MARGIN = 14
"""Distance of text from the figure's edges, pixels."""

WIDTHS = (300, 4000)
"""Minimum and maximum width of a figure, pixels."""


class Picture(Figure):
    """A figure with a notebook representation, which matplotlib only provides through pyplot's backends."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Returns the figure at double resolution, for high-density screens, and its display size."""
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=2 * self.dpi)
        width, height = (round(side * self.dpi) for side in self.get_size_inches())
        return stream.getvalue(), {"width": width, "height": height}


def new_figure(width: int, height: float, theme: Theme) -> Figure:
    """Creates an empty figure of `width` x `height` pixels."""
    return Picture(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=theme.background)


def check_width(width: int) -> int:
    """Validates a width in pixels.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is outside [`WIDTHS`].
    """
    if isinstance(width, bool) or not isinstance(width, int):
        raise TypeError(f"`width` must be an integer number of pixels, got {width!r}.")
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise ValueError(f"`width` must be between {WIDTHS[0]} and {WIDTHS[1]} pixels, got {width}.")
    return width


def write(
    figure: Figure, x: float, y: float, text: str, size: float, colour: str, *, room: float, bold: bool = False
) -> None:
    """Writes a line, truncated to `room` pixels; `x` and `y` (of its middle) are pixels from the lower left corner."""
    width, height = figure.get_size_inches() * figure.dpi
    figure.text(
        x / width,
        y / height,
        shorten(text, size * (1.12 if bold else 1), room),
        fontsize=size,
        fontweight="bold" if bold else "normal",
        fontfamily=list(font_family()),
        color=colour,
        va="center",
        parse_math=False,
    )


def draw_header(figure: Figure, day: SensorDay, theme: Theme, title: str | None) -> None:
    """Writes the title, and below it the time and place of the window's start."""
    width, height = figure.get_size_inches() * figure.dpi
    room = width - 2 * MARGIN
    write(
        figure, MARGIN, height - 19, day.subject_id if title is None else title, 11.5, theme.text, room=room, bold=True
    )
    offset = day.start.strftime("%z")
    offset = f"UTC{offset[:3]}:{offset[3:5]}"
    zone = getattr(day.start.tzinfo, "key", None)
    place = f"{zone} ({offset})" if zone and zone != "UTC" else offset
    when = f"{date_text(day, year=True)}, {day.start:%H:%M}, {place}"
    write(figure, MARGIN, height - 39, when, 9, theme.muted, room=room)


def draw_hatch_sample(figure: Figure, x: float, y: float, theme: Theme) -> None:
    """Draws a hatched swatch of 24 x 12 pixels for the legend."""
    width, height = figure.get_size_inches() * figure.dpi
    figure.add_artist(
        Rectangle(
            (x / width, y / height),
            24 / width,
            12 / height,
            facecolor=theme.gap,
            edgecolor=theme.hatch,
            hatch="////",
            linewidth=0,
        )
    )
