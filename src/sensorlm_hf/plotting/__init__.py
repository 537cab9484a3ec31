"""Pictures of days: signals with their gaps and events, and the day as a model sees it.

Everything returns a `matplotlib.figure.Figure` made without pyplot: nothing global changes, any backend works, and
figures are freed like any other object. Save one with `figure.savefig("day.svg")`; a notebook shows it by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .day import default_channels, plot_day
    from .heatmap import plot_heatmap
    from .theme import THEMES, Theme, get_theme

__all__ = ["THEMES", "Theme", "default_channels", "get_theme", "plot_day", "plot_heatmap"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "THEMES": "theme",
        "Theme": "theme",
        "default_channels": "day",
        "get_theme": "theme",
        "plot_day": "day",
        "plot_heatmap": "heatmap",
    },
)
