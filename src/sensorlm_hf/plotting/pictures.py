"""Pictures for a page: inlined, in two widths, light and dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape

import matplotlib
from matplotlib.figure import Figure

NARROW, WIDE = 360, 760
"""Widths in pixels at which pictures are drawn, so that text stays readable on a phone and on a desk."""

BREAKPOINT = 640
"""Widest window, in CSS pixels, that gets the narrow picture."""


def svg_bytes(figure: Figure) -> bytes:
    """Returns a figure as SVG, the same bytes for the same figure."""
    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "sensorlm", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def picture(draw: Callable[[str, int], Figure], alt: str) -> str:
    """Returns a `<picture>` that follows the width of the window and the colour scheme.

    Args:
        draw: Draws the figure for a theme, `"light"` or `"dark"`, and a width in pixels.
        alt: What the picture shows, in words.
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
