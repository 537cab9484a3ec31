"""Draws the pictures of the documentation while it is built, so that they show what the code draws today.

A page shows one with `<!-- picture: day | What it shows. -->`; it comes in light and dark, as the page.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

WIDTH = 760
SEED = 2024
LABELS = ["weight lifting", "running", "yoga", "office work", "watching television", "sleep"]
MAP_DAYS = 240


@lru_cache(maxsize=1)
def day() -> Any:
    """The day of all pictures: that of `sensorlm-hf demo`."""
    from sensorlm_hf.demo import built_in_day

    return built_in_day()


@lru_cache(maxsize=1)
def timeline() -> Any:
    """Scores of some labels over the day, by the demo model."""
    from transformers import pipeline

    import sensorlm_hf  # noqa: F401

    classify = pipeline("zero-shot-sensor-classification")
    return classify(day(), candidate_labels=LABELS, return_timeline=True)


@lru_cache(maxsize=1)
def embedded() -> tuple[Any, list[str]]:
    """Embeddings of simulated days by the demo model, and what each was about."""
    import numpy as np
    from transformers import pipeline

    import sensorlm_hf

    sports = {"running", "swimming", "yoga", "weight lifting", "tennis", "outdoor cycling"}
    days = sensorlm_hf.simulate_days(MAP_DAYS, seed=SEED, days_per_person=1)
    days = [item for item in days if item.labels["main_activity"] in sports]
    embeddings = pipeline("sensor-feature-extraction")(days, batch_size=16)
    return np.stack(embeddings), [str(item.labels["main_activity"]) for item in days]


def _day(theme: str) -> Any:
    from sensorlm_hf.plotting import plot_day

    return plot_day(day(), theme=theme, width=WIDTH)


def _heatmap(theme: str) -> Any:
    from sensorlm_hf.plotting import plot_heatmap

    return plot_heatmap(day(), theme, width=WIDTH)


def _timeline(theme: str) -> Any:
    from sensorlm_hf.plotting import plot_timeline

    return plot_timeline(day(), timeline(), theme, width=WIDTH)


def _map(theme: str) -> Any:
    from sensorlm_hf.plotting import plot_embedding_map

    embeddings, labels = embedded()
    return plot_embedding_map(embeddings, labels, theme, method="tsne", width=WIDTH)


PICTURES: dict[str, Callable[[str], Any]] = {"day": _day, "heatmap": _heatmap, "timeline": _timeline, "map": _map}
"""What draws each picture, given a theme."""

ALL_DAY = ("HR", "steps")
DEVICES: dict[str, tuple[tuple[str, ...], int]] = {
    "apple_health": (("HR", "sdnn_percentile_0595", "steps"), 5),
    "fitbit": (("HR", "rmssd_percentile_0595", "steps"), 1),
    "fitbit_api": (("HR", "rmssd_percentile_0595", "steps"), 1),
    "garmin": (("HR", "rmssd_percentile_0595", "steps"), 1),
    "oura": (("HR", "rmssd_percentile_0595"), 5),
    "polar": (ALL_DAY, 1),
    "samsung": (("HR", "rmssd_percentile_0595", "wrist_temperatures", "steps"), 1),
    "health_connect": (ALL_DAY, 5),
    "google_fit": (ALL_DAY, 5),
    "health_auto_export": (ALL_DAY, 5),
    "withings": (ALL_DAY, 10),
    "fitabase": (ALL_DAY, 1),
    "actigraph": (("HR", "log_energy", "axis_mean", "steps"), 1),
    "axivity": (("log_energy", "axis_mean", "sleep_coefficient", "steps"), 1),
    "workouts": (("HR",), 1),
    "e4": (("HR", "rmssd_percentile_0595", "eda_level_real", "wrist_temperatures", "log_energy"), 1),
    "embraceplus": (("HR", "rmssd_percentile_0595", "eda_level_real", "wrist_temperatures", "steps"), 1),
}
"""Channels that each device gives, and the minutes between its heart rates."""

_NIGHTS_ONLY = ("rmssd_percentile_0595", "sdnn_percentile_0595")
_WITHOUT_EVENTS = ("axivity", "actigraph", "e4", "embraceplus")
_BESIDE_SLEEP = ("fitbit", "fitbit_api", "garmin", "oura", "samsung")


def as_device(name: str) -> Any:
    """Returns the day with what a device would have of it: its channels, as often as it measures them.

    Args:
        name: One of [`DEVICES`].
    """
    from dataclasses import replace

    import numpy as np

    channels, every = DEVICES[name]
    whole = day()
    values = np.full_like(whole.values, np.nan)
    minutes = np.arange(len(values))
    asleep = np.any([(minutes >= e.start_minute) & (minutes < e.end_minute) for e in whole.events_of("sleep")], axis=0)
    sports = [event for event in whole.events_of("activity") if event.label in LABELS[:3]]
    active = np.any([(minutes >= e.start_minute) & (minutes < e.end_minute) for e in sports], axis=0)
    for key in channels:
        column = whole.schema.index(key)
        seen = minutes % every == 0 if key == "HR" else np.ones(len(values), dtype=bool)
        if name in _BESIDE_SLEEP and key in _NIGHTS_ONLY:
            seen = asleep & (minutes % 5 == 0) if name == "oura" else asleep
        elif key == "sdnn_percentile_0595":
            seen = minutes % 120 < 1
        seen = seen & active if name == "workouts" else seen
        values[seen, column] = whole.values[seen, column]
    events = [event for event in whole.events if name not in _WITHOUT_EVENTS and event.label in ("sleep", *LABELS[:3])]
    return replace(whole, values=values, events=tuple(events), subject_id=name.replace("_", " "))


def _as_device(name: str) -> Callable[[str], Any]:
    def draw(theme: str) -> Any:
        from sensorlm_hf.plotting import plot_day

        return plot_day(as_device(name), DEVICES[name][0], theme, width=WIDTH)

    return draw


_ASKED = re.compile(r"<!-- picture: (\w+) \| (.+?) -->", flags=re.S)


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Adds the pictures that pages ask for."""
    from mkdocs.structure.files import File
    from transformers.utils import logging as transformers_logging

    from sensorlm_hf.plotting.pictures import svg_bytes

    transformers_logging.disable_progress_bar()
    logging.getLogger("sensorlm_hf.pipelines").setLevel(logging.ERROR)  # the page says which model it is
    for name in sorted({match[1] for file in files.documentation_pages() for match in asked(file.content_string)}):
        for theme in ("light", "dark"):
            drawn = svg_bytes(drawer(name)(theme))
            files.append(File.generated(config, f"images/drawn/{name}-{theme}.svg", content=drawn))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Puts the pictures in their places."""
    return show(markdown, "../" * page.file.src_uri.count("/"))


def asked(markdown: str) -> list[re.Match[str]]:
    """Returns where a page asks for pictures: their names and what they show."""
    return list(_ASKED.finditer(markdown))


def drawer(name: str) -> Callable[[str], Any]:
    """Returns what draws a picture.

    Raises:
        ValueError: If there is no such picture.
    """
    if name in DEVICES:
        return _as_device(name)
    if name not in PICTURES:
        raise ValueError(f"There is no picture {name!r}; there are {', '.join((*PICTURES, *DEVICES))}.")
    return PICTURES[name]


def show(markdown: str, root: str) -> str:
    """Replaces what asks for pictures by images, of which the page shows the one of its colours.

    Args:
        markdown: The page.
        root: Path from the page to the root of the documentation.
    """

    def images(match: re.Match[str]) -> str:
        drawer(match[1])
        alt = " ".join(match[2].split())
        return "\n".join(
            f"![{alt}]({root}images/drawn/{match[1]}-{theme}.svg#only-{theme}){{ width={WIDTH} loading=lazy }}"
            for theme in ("light", "dark")
        )

    return _ASKED.sub(images, markdown)
