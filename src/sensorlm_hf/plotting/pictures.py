"""Inline figures for HTML pages, in two widths, light and dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape

import matplotlib
from matplotlib.figure import Figure

NARROW, WIDE = 360, 760
"""Widths in pixels at which figures are drawn, so that text is readable on phones and desktops."""

BREAKPOINT = 640
"""Maximum window width, in CSS pixels, for the narrow figure."""


def svg_bytes(figure: Figure) -> bytes:
    """Returns a figure as SVG, byte-identical for identical figures."""
    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "sensorlm", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def picture(draw: Callable[[str, int], Figure], alt: str) -> str:
    """Returns a `<picture>` element that adapts to the window width and the colour scheme.

    Args:
        draw: Draws the figure for a theme, `"light"` or `"dark"`, and a width in pixels.
        alt: Alternative text.
    """
    uri, size = {}, {}
    for width in (NARROW, WIDE):
        for theme in ("light", "dark"):
            figure = draw(theme, width)
            uri[theme, width] = "data:image/svg+xml;base64," + base64.b64encode(svg_bytes(figure)).decode("ascii")
            size[width] = [round(side * figure.dpi) for side in figure.get_size_inches()]
    narrow, dark = f"(max-width: {BREAKPOINT}px)", "(prefers-color-scheme: dark)"
    sources = [
        (f"{narrow} and {dark}", "dark", NARROW),
        (narrow, "light", NARROW),
        (dark, "dark", WIDE),
    ]
    lines = ["<picture>"]
    for media, theme, width in sources:
        across, down = size[width]
        lines.append(f'<source media="{media}" srcset="{uri[theme, width]}" width="{across}" height="{down}">')
    across, down = size[WIDE]
    lines.append(f'<img src="{uri["light", WIDE]}" width="{across}" height="{down}" alt="{escape(alt)}">')
    lines.append("</picture>")
    return "\n".join(lines)
