"""The clock-time axis of a window, and spans without data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from ..days import MINUTES_PER_DAY, SensorDay
from .theme import Theme, font_family

TICK_SIZE = 8.5
"""Size of tick labels, points."""

_STEPS = (1, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)
_TICK_ROOM = 64
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Tick(NamedTuple):
    """A tick on the time axis: a minute of the window and its label."""

    minute: int
    label: str


def date_text(day: SensorDay, minute: int = 0, *, year: bool = False) -> str:
    """Returns the local date of a minute, `"Thu 24 Mar"`, in English regardless of the locale."""
    clock = day.clock(minute)
    text = f"{_WEEKDAYS[clock.weekday()]} {clock.day} {_MONTHS[clock.month - 1]}"
    return f"{text} {clock.year}" if year else text


def clock_minutes(day: SensorDay) -> np.ndarray:
    """Returns the minute of the local clock, 0 to 1439, of each minute of the window and of the one after it."""
    return np.array([c.hour * 60 + c.minute for c in map(day.clock, range(len(day) + 1))])


def clock_changes(day: SensorDay) -> list[tuple[int, int]]:
    """Returns the clock changes inside the window as `(minute, change in minutes)`."""
    offsets = [day.clock(minute).utcoffset() for minute in range(len(day))]
    return [
        (minute, round((offsets[minute] - offsets[minute - 1]).total_seconds() / 60))  # type: ignore[operator]
        for minute in range(1, len(day))
        if offsets[minute] != offsets[minute - 1]
    ]


def clock_ticks(day: SensorDay, width: float) -> list[Tick]:
    """Chooses ticks at round clock times.

    Ticks follow the local clock, including odd window starts, half-hour time zone offsets and clock changes. The first
    tick and each midnight also show the date.

    Args:
        day: The window.
        width: Width of the axis, pixels.

    Returns:
        Ticks by minute, at most one per 64 pixels, except around a clock change.
    """
    clock = clock_minutes(day)
    wanted = len(day) / max(width / _TICK_ROOM, 1)
    step = next((s for s in _STEPS if s >= wanted), MINUTES_PER_DAY)
    ticks: list[Tick] = []
    for minute in np.flatnonzero(clock % step == 0).tolist():
        label = f"{clock[minute] // 60:02d}:{clock[minute] % 60:02d}"
        if (not ticks or clock[minute] == 0) and minute < len(day):
            label += f"\n{date_text(day, minute)}"
        ticks.append(Tick(minute, label))
    return ticks


def style_time_axis(axes: Axes, day: SensorDay, ticks: list[Tick], theme: Theme, *, labels: bool) -> None:
    """Sets the limits, ticks and grid of a time axis, in minutes from the window's start."""
    axes.set_xlim(0, len(day))
    axes.set_xticks([tick.minute for tick in ticks])
    axes.tick_params(
        axis="x",
        colors=theme.muted,
        labelcolor=theme.text,
        labelsize=TICK_SIZE,
        length=3 if labels else 0,
        labelbottom=labels,
        labelfontfamily=list(font_family()),
    )
    if labels:
        axes.set_xticklabels([tick.label for tick in ticks])
    axes.grid(axis="x", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)


def missing_runs(observed: np.ndarray) -> list[tuple[int, int]]:
    """Returns `(start, length)` of each run of unobserved minutes, for a bool array `(minutes,)`."""
    padded = np.concatenate([[True], observed, [True]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(start), int(end - start)) for start, end in zip(edges[0::2], edges[1::2], strict=True)]


def hatch_missing(axes: Axes, observed: np.ndarray, theme: Theme, rows: tuple[float, float] | None = None) -> None:
    """Hatches the unobserved minutes.

    Args:
        axes: Axes with x in minutes.
        observed: `(minutes,)` bool.
        theme: Colours.
        rows: Lower edge and height in data coordinates; the full height by default.
    """
    runs = missing_runs(observed)
    if runs:
        axes.broken_barh(
            runs,
            (0, 1) if rows is None else rows,
            transform=axes.get_xaxis_transform() if rows is None else axes.transData,
            facecolor=theme.gap,
            edgecolor=theme.hatch,
            hatch="////",
            linewidth=0,
            zorder=1.5,
            label="not observed",
        )
