"""`plot_timeline`: label scores over a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..days import SensorDay
from .frame import HEADER, MARGIN, check_width, draw_hatch_sample, draw_header, new_figure, write
from .theme import Theme, font_family, get_theme, own_style, shorten, text_width
from .time_axis import TICK_SIZE, clock_ticks, hatch_missing, style_time_axis

_ROW, _LOG_ROW, _SPACE, _FOOTER, _RIGHT = 22, 22, 8, 82, 18
_LABELS_SHARE, _LABELS_MOST = 0.36, 246
_GAP_TEXT, _BEST_TEXT = "not observed", "highest score"
MAX_LABELS = 30
"""Maximum number of labels in one plot."""


def plot_timeline(
    day: SensorDay,
    timeline: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    theme: str | Theme = "light",
    *,
    labels: Sequence[str] | None = None,
    width: int = 800,
    title: str | None = None,
) -> Figure:
    """Plots the label scores of a day over time, below the logged events.

    Each row is a label, with darker colours for higher scores; a dot marks the best label of each step, so that the
    plot does not rely on distinguishing shades. Logged events are shown in a separate row.

    Args:
        day: The day.
        timeline: Output of the zero-shot pipeline with `return_timeline=True`, or its `timeline`.
        theme: `"light"`, `"dark"` or a [`Theme`].
        labels: Labels to show, in order; by default all, in the order of the timeline.
        width: Width in pixels; text size is fixed.
        title: Title; the subject id by default.

    Returns:
        The figure, 100 pixels per inch; its height depends on the number of labels.

    Raises:
        TypeError: If `day` is not a [`SensorDay`] or the timeline is invalid.
        ValueError: If a label has no score, there are none or more than [`MAX_LABELS`], or the timeline is longer than
            the day.

    Example:
        >>> answer = classify(day, candidate_labels=["running", "office work", "sleep"], return_timeline=True)
        >>> plot_timeline(day, answer).savefig("timeline.png")
    """
    if not isinstance(day, SensorDay):
        raise TypeError(f"`day` must be a SensorDay, got {type(day).__name__}.")
    colours = get_theme(theme)
    check_width(width)
    names, scores, edges = _table(day, timeline, labels)
    logged = [event for event in day.events if event.kind != "mood"]
    with own_style():
        height = HEADER + (_LOG_ROW + _SPACE) * bool(logged) + _ROW * len(names) + _FOOTER
        figure = new_figure(width, height, colours)
        left = round(min(_LABELS_MOST, _LABELS_SHARE * width, 24 + max(text_width(n, TICK_SIZE) for n in names)))
        left = max(left, round(24 + text_width("log", TICK_SIZE)))
        room = width - left - _RIGHT
        axes = figure.add_axes((left / width, _FOOTER / height, room / width, _ROW * len(names) / height))
        _draw_scores(axes, names, scores, edges, left, colours)
        style_time_axis(axes, day, clock_ticks(day, room), colours, labels=True)
        axes.grid(visible=False)
        if logged:
            bottom = _FOOTER + _ROW * len(names) + _SPACE
            log = figure.add_axes((left / width, bottom / height, room / width, _LOG_ROW / height))
            _draw_log(log, logged, len(day), room, colours)
        draw_header(figure, day, colours, title)
        _draw_legend(figure, colours)
    return figure


def _table(
    day: SensorDay, timeline: Any, labels: Sequence[str] | None
) -> tuple[list[str], np.ndarray, list[tuple[int, int]]]:
    """Returns labels, `(labels, steps)` scores with NaN where there are none, and the minutes of the steps."""
    entries = timeline.get("timeline") if isinstance(timeline, Mapping) else timeline
    if not isinstance(entries, Sequence) or not entries or not isinstance(entries[0], Mapping):
        raise TypeError(
            "`timeline` must be the zero-shot pipeline's output for one day with return_timeline=True, got"
            f" {type(timeline).__name__}."
        )
    known = next((list(entry["scores"]) for entry in entries if entry["scores"] is not None), [])
    names = known if labels is None else list(labels)
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"The timeline has no scores of {', '.join(missing)}; it has {', '.join(known) or 'none'}.")
    if not names or len(names) > MAX_LABELS:
        raise ValueError(
            f"A timeline shows 1 to {MAX_LABELS} labels, got {len(names)}; select some with `labels`, or give a"
            " day with observed values."
        )
    edges = [(int(entry["start_minute"]), int(entry["end_minute"])) for entry in entries]
    if edges[-1][1] > len(day):
        raise ValueError(f"The timeline ends at minute {edges[-1][1]}, but the day has {len(day)} minutes.")
    scores = [
        [np.nan if entry["scores"] is None else float(entry["scores"][name]) for entry in entries] for name in names
    ]
    return names, np.array(scores), edges


def score_colormap(theme: Theme) -> LinearSegmentedColormap:
    """Returns a colour map from the background to one dark colour, so that lightness alone shows the score."""
    deep = theme.diverging[0] if theme.name == "light" else theme.diverging[2]
    return LinearSegmentedColormap.from_list(f"scores-{theme.name}", [theme.gap, deep])


def _draw_scores(
    axes: Axes, names: Sequence[str], scores: np.ndarray, edges: Sequence[tuple[int, int]], left: float, theme: Theme
) -> None:
    axes.set_facecolor(theme.gap)
    minutes = np.array([start for start, _ in edges] + [edges[-1][1]])
    axes.pcolormesh(
        minutes,
        np.arange(len(names) + 1) - 0.5,
        np.ma.masked_invalid(scores),
        cmap=score_colormap(theme),
        norm=Normalize(0, 1),
        zorder=1,
    )
    observed = np.repeat(~np.isnan(scores[0]), np.diff(minutes))
    hatch_missing(axes, observed, theme, (-0.5, float(len(names))))
    for step, (start, end) in enumerate(edges):
        if observed[start] and len(names) > 1:
            best = int(scores[:, step].argmax())
            axes.plot((start + end) / 2, best, ".", color=theme.text, markersize=3.5, zorder=3)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [shorten(name, TICK_SIZE, left - 16) for name in names], parse_math=False)
    axes.tick_params(
        axis="y", length=0, pad=6, labelsize=TICK_SIZE, labelcolor=theme.text, labelfontfamily=list(font_family())
    )
    for row in range(1, len(names)):
        axes.axhline(row - 0.5, color=theme.background, linewidth=1, zorder=2)
    for spine in axes.spines.values():
        spine.set_color(theme.muted)
        spine.set_linewidth(0.8)


def _draw_log(axes: Axes, events: Sequence[Any], minutes: int, room: float, theme: Theme) -> None:
    """Draws logged events as boxes with their names if there is space."""
    axes.set_xlim(0, minutes)
    axes.set_ylim(0, 1)
    axes.set_facecolor(theme.background)
    for event in events:
        start, end = max(event.start_minute, 0), min(event.end_minute, minutes)
        axes.add_patch(
            Rectangle(
                (start, 0.06), end - start, 0.88, facecolor=theme.kinds[event.kind], edgecolor=theme.background,
                linewidth=0.8,
            )
        )  # fmt: skip
        space = (end - start) / minutes * room - 6
        if space > 24:
            axes.text(
                (start + end) / 2,
                0.47,
                shorten(event.label, 7.5, space),
                fontsize=7.5,
                fontfamily=list(font_family()),
                color="#1B1F24",  # the bands are light in both themes
                ha="center",
                va="center",
                parse_math=False,
            )
    axes.set_yticks([0.5], ["log"])
    axes.tick_params(
        axis="y", length=0, pad=6, labelsize=TICK_SIZE, labelcolor=theme.text, labelfontfamily=list(font_family())
    )
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_legend(figure: Figure, theme: Theme) -> None:
    """Draws the score scale, the marker of the best label and a hatched swatch."""
    width, height = figure.get_size_inches() * figure.dpi
    bar = 96
    scale = figure.add_axes((MARGIN / width, 24 / height, bar / width, 12 / height))
    scale.imshow(np.linspace(0, 1, 128)[None], aspect="auto", cmap=score_colormap(theme))
    scale.set_axis_off()
    x: float = MARGIN + bar + 6
    write(figure, x, 30, "score 0 to 1", TICK_SIZE, theme.muted, room=width - x - MARGIN)
    x += text_width("score 0 to 1", TICK_SIZE) + 20
    dot = figure.add_axes((x / width, 24 / height, 12 / width, 12 / height))
    dot.plot(0.5, 0.5, ".", color=theme.text, markersize=5)
    dot.set_xlim(0, 1)
    dot.set_ylim(0, 1)
    dot.set_axis_off()
    write(figure, x + 15, 30, _BEST_TEXT, TICK_SIZE, theme.muted, room=width - x - 15 - MARGIN)
    x += 15 + text_width(_BEST_TEXT, TICK_SIZE) + 20
    y = 24.0
    if x + 30 + text_width(_GAP_TEXT, TICK_SIZE) + MARGIN > width:
        x, y = MARGIN, 6.0
    draw_hatch_sample(figure, x, y, theme)
    write(figure, x + 30, y + 6, _GAP_TEXT, TICK_SIZE, theme.muted, room=width - x - 30 - MARGIN)
