"""Plots of days: signals with gaps and events, and the day as the model's input.

All functions return a `matplotlib.figure.Figure` created without pyplot: no global state changes, any backend works,
and figures are freed like any other object. Save one with `figure.savefig("day.svg")`; notebooks display it
automatically.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._extras import requires_extra
from .._lazy import lazy_names

with requires_extra("plot", "Plotting"):
    import matplotlib  # noqa: F401

if TYPE_CHECKING:
    from .dataset_pictures import add_pictures
    from .day import default_channels, plot_day
    from .embedding_map import plot_embedding_map
    from .heatmap import plot_heatmap
    from .results import plot_confusion, plot_lines, plot_roc
    from .theme import THEMES, Theme, get_theme
    from .timeline import plot_timeline

__all__ = [
    "THEMES",
    "Theme",
    "add_pictures",
    "default_channels",
    "get_theme",
    "plot_confusion",
    "plot_day",
    "plot_embedding_map",
    "plot_heatmap",
    "plot_lines",
    "plot_roc",
    "plot_timeline",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "THEMES": "theme",
        "Theme": "theme",
        "add_pictures": "dataset_pictures",
        "default_channels": "day",
        "get_theme": "theme",
        "plot_confusion": "results",
        "plot_day": "day",
        "plot_embedding_map": "embedding_map",
        "plot_heatmap": "heatmap",
        "plot_lines": "results",
        "plot_roc": "results",
        "plot_timeline": "timeline",
    },
)
