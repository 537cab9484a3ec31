"""Colours, fonts and text sizes of all plots.

Colours are those of Okabe and Ito, "Color Universal Design" (2008), which are distinguishable with any common form of
colour blindness. No plot relies on colour alone: rows and panels are labelled, gaps are hatched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import matplotlib.style
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.font_manager import FontProperties, get_font_names
from matplotlib.textpath import text_to_path

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)

DPI = 100
"""Pixels per inch: a width in pixels becomes `width / DPI` inches."""

# Fallback fonts, if installed, for labels in other scripts.
_OTHER_SCRIPTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
)


@dataclass(frozen=True)
class Theme:
    """Colours of a plot.

    Attributes:
        name: `"light"` or `"dark"`.
        background: Figure background.
        text: Titles, labels and ticks.
        muted: Notes and axes.
        grid: Grid lines.
        hatch: Hatching of spans without data.
        gap: Background of the hatching.
        modalities: Modality -> colour of its channels.
        kinds: Kind of event -> colour of its bands.
        diverging: Colours of low, mean and high values in a heat map.
    """

    name: str
    background: str
    text: str
    muted: str
    grid: str
    hatch: str
    gap: str
    modalities: Mapping[str, str]
    kinds: Mapping[str, str]
    diverging: tuple[str, str, str]

    @property
    def colormap(self) -> LinearSegmentedColormap:
        """Colour map from low over mean to high values."""
        return LinearSegmentedColormap.from_list(f"sensorlm-{self.name}", self.diverging)


def _modalities(acc: str, alt: str) -> Mapping[str, str]:
    return MappingProxyType({"PPG": VERMILLION, "ACC": acc, "EDA": GREEN, "TEMP": PURPLE, "ALT": alt, "OTHER": alt})


_KINDS = MappingProxyType({"sleep": SKY, "activity": ORANGE, "mood": YELLOW})

THEMES: Mapping[str, Theme] = MappingProxyType(
    {
        "light": Theme(
            name="light",
            background="#FFFFFF",
            text="#1B1F24",
            muted="#5B636E",
            grid="#E4E7EB",
            hatch="#9AA2AD",
            gap="#F4F5F7",
            modalities=_modalities(BLUE, BLACK),
            kinds=_KINDS,
            diverging=(BLUE, "#FBFBFB", VERMILLION),
        ),
        "dark": Theme(
            name="dark",
            background="#15181D",
            text="#ECEFF3",
            muted="#A3ACB8",
            grid="#2B3038",
            hatch="#6B7480",
            gap="#1D2127",
            modalities=_modalities(SKY, "#DDE2E8"),
            kinds=_KINDS,
            diverging=(SKY, "#23272E", ORANGE),
        ),
    }
)
"""The themes by name."""


def get_theme(theme: str | Theme) -> Theme:
    """Returns a theme by name; a [`Theme`] is returned unchanged.

    Raises:
        ValueError: If the theme is unknown.
    """
    if isinstance(theme, Theme):
        return theme
    if not isinstance(theme, str) or theme not in THEMES:
        raise ValueError(f"`theme` must be one of {', '.join(THEMES)} or a Theme, got {theme!r}.")
    return THEMES[theme]


@lru_cache(maxsize=1)
def font_family() -> tuple[str, ...]:
    """Returns the font families: matplotlib's default, then installed fallbacks for other scripts."""
    installed = set(get_font_names())
    return ("DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Returns the width of a line of text in pixels, for text of `size` points."""
    font = FontProperties(family=list(font_family()), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) * DPI / 72


@lru_cache(maxsize=1024)
def shorten(text: str, size: float, room: float) -> str:
    """Truncates a text with an ellipsis to at most `room` pixels, keeping at least one letter."""
    if text_width(text, size) <= room:
        return text
    low, high = 1, len(text) - 1  # number of letters to keep
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", size) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


@contextmanager
def own_style() -> Iterator[None]:
    """Overrides the caller's matplotlib settings while a figure is created, and restores them."""
    with matplotlib.style.context("default"):
        yield
