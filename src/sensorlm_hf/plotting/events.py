"""Events as a strip of labelled bars, laid out so that no two labels overlap, and as bands behind the signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from ..days import Event, SensorDay
from .theme import Theme, font_family, shorten, text_width

KIND_ORDER = ("sleep", "activity", "mood")
"""Kinds of events from top to bottom."""

LABEL_SIZE = 8
"""Size of labels, points."""

ROW_HEIGHT = 17
"""Height of a row, pixels."""

MAX_ROWS = 6
"""Maximum number of rows per kind of event."""

_PAD = 4.0
_GAP = 5.0
_MARKER = 11.0


@dataclass(frozen=True)
class Placed:
    """An event in the strip.

    Attributes:
        event: The event.
        row: Row, counted over all kinds from the top.
        label: Displayed label; empty if there was no space.
        label_x: Left edge of the label, pixels from the left edge of the axis.
    """

    event: Event
    row: int
    label: str
    label_x: float


@dataclass(frozen=True)
class Strip:
    """All events, laid out.

    Attributes:
        placed: The events.
        kinds: `(kind, first row, number of rows)` from the top.
        rows: Number of rows.
        unlabelled: Number of events without a label for lack of space.
    """

    placed: tuple[Placed, ...]
    kinds: tuple[tuple[str, int, int], ...]
    rows: int
    unlabelled: int


def lay_out_events(day: SensorDay, width: float) -> Strip:
    """Arranges events and their labels in rows without overlap.

    Each kind has separate rows. Events are placed in order of start, each in the first row where its bar and label fit.
    If a kind needs more than [`MAX_ROWS`] rows, as few labels as necessary are dropped, shortest events first.

    Args:
        day: The day.
        width: Width of the axis, pixels.

    Returns:
        The layout.
    """
    placed: list[Placed] = []
    kinds: list[tuple[str, int, int]] = []
    first_row = unlabelled = 0
    for kind in KIND_ORDER:
        events = day.events_of(kind)
        if not events:
            continue
        longest_first = sorted(range(len(events)), key=lambda i: -events[i].duration)
        for named in range(len(events), -1, -1):
            rows, items = _fill_rows(events, set(longest_first[:named]), len(day), width)
            if rows <= MAX_ROWS:
                break
        unlabelled += len(events) - named
        placed += [Placed(p.event, p.row + first_row, p.label, p.label_x) for p in items]
        kinds.append((kind, first_row, rows))
        first_row += rows
    return Strip(tuple(placed), tuple(kinds), first_row, unlabelled)


def _fill_rows(events: Sequence[Event], named: set[int], minutes: int, width: float) -> tuple[int, list[Placed]]:
    ends: list[float] = []
    items = []
    for index, event in enumerate(events):
        begin = max(event.start_minute, 0) * width / minutes
        end = max(min(event.end_minute, minutes) * width / minutes, begin + 2)
        label, label_x, left = "", begin, begin
        if event.duration == 0:  # a point in time: a marker, then its label
            left, end = begin - _MARKER / 2, begin + _MARKER / 2
        if index in named:
            label = shorten(event.label, LABEL_SIZE, width - 2 * _PAD - _MARKER)
            size = text_width(label, LABEL_SIZE)
            label_x = (end if event.duration == 0 else begin) + _PAD
            if label_x + size > width:  # at the right edge, labels go left of the marker
                label_x = (left if event.duration == 0 else width) - _PAD - size
                label_x = max(label_x, 0.0)
            left, end = min(left, label_x), max(end, label_x + size + _PAD)
        row = next((r for r, taken in enumerate(ends) if taken <= left), len(ends))
        if row == len(ends):
            ends.append(0.0)
        ends[row] = end + _GAP
        items.append(Placed(event, row, label, label_x))
    return len(ends), items


def draw_strip(axes: Axes, day: SensorDay, strip: Strip, width: float, theme: Theme) -> None:
    """Draws the strip; row 0 is at the top of the axes, whose x axis is in minutes."""
    axes.set_ylim(strip.rows, 0)
    for item in strip.placed:
        event, colour = item.event, theme.kinds[item.event.kind]
        start = max(event.start_minute, 0)
        if event.duration == 0:
            axes.plot(
                [start],
                [item.row + 0.5],
                marker="D",
                markersize=5.5,
                color=colour,
                markeredgecolor=theme.text,
                markeredgewidth=0.7,
                clip_on=False,
                zorder=4,
            )
        else:
            length = min(event.end_minute, len(day)) - start
            axes.broken_barh([(start, length)], (item.row + 0.08, 0.84), facecolor=colour, alpha=0.4, linewidth=0)
            if event.start_minute >= 0:  # events that began earlier have no left edge
                edge = max(len(day) / width * 2, 0.5)
                axes.broken_barh([(start, edge)], (item.row + 0.08, 0.84), facecolor=colour, linewidth=0)
        if item.label:
            axes.text(
                item.label_x / width * len(day),
                item.row + 0.52,
                item.label,
                fontsize=LABEL_SIZE,
                fontfamily=list(font_family()),
                color=theme.text,
                va="center",
                ha="left",
                parse_math=False,
                zorder=5,
            )
    axes.set_yticks([first + rows / 2 for _, first, rows in strip.kinds], [kind for kind, _, _ in strip.kinds])
    for _, first, _ in strip.kinds[1:]:
        axes.axhline(first, color=theme.grid, linewidth=0.8)


def draw_bands(axes: Axes, day: SensorDay, theme: Theme) -> None:
    """Shades sleep and activities and draws a line at each mood, behind the signals."""
    for kind in KIND_ORDER:
        colour = theme.kinds[kind]
        events = day.events_of(kind)
        moments = [event.start_minute for event in events if event.duration == 0]
        starts = [event.start_minute for event in events if event.duration and event.start_minute > 0]
        spans = [
            (max(event.start_minute, 0), min(event.end_minute, len(day)) - max(event.start_minute, 0))
            for event in events
            if event.duration
        ]
        if spans:
            axes.broken_barh(
                _union(spans), (0, 1), transform=axes.get_xaxis_transform(), facecolor=colour, alpha=0.16, linewidth=0
            )
        axes.vlines(
            starts, 0, 1, transform=axes.get_xaxis_transform(), color=colour, linewidth=0.8, alpha=0.45, zorder=1
        )
        for minute in moments:
            axes.axvline(minute, color=colour, linewidth=1.2, alpha=0.8, zorder=1)


def _union(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merges overlapping spans, which would otherwise look darker."""
    joined: list[tuple[int, int]] = []
    for start, length in sorted(spans):
        if joined and start < sum(joined[-1]):
            before = joined[-1]
            joined[-1] = (before[0], max(sum(before), start + length) - before[0])
        else:
            joined.append((start, length))
    return joined
