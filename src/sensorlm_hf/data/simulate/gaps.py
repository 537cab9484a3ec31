"""Gaps of a simulated device: charging, not being worn, water, missing sensors."""

from __future__ import annotations

import numpy as np

from ...days import MINUTES_PER_DAY
from ...schema import SensorSchema
from .channels import SENSOR_OF
from .layout import LEAD, Minutes, Window
from .people import DROPOUT_STREAM, GAP_STREAM, stream

_OPTICAL = frozenset({"HR", "HRV", "REST", "RMSSD", "SPO2"})


def off_wrist_spans(seed: int, window: Window) -> list[tuple[int, int]]:
    """Samples the spans of a window in which the device is not worn, in minutes from the window's start.

    Most days have a charging break of 30 to 90 minutes, often around the morning shower or in the evening; some have a
    second one, and one in ten people takes the device off at night.
    """
    person = window.person
    u = iter(stream(seed, GAP_STREAM, person.number, window.day).random(16).tolist())
    busy = [(e.start - 5, e.end + 5) for e in window.exercises]
    spans = []
    for start, end, _ in window.sleeps:
        if not person.wears_at_night:
            spans.append((start - 10, end + 12))
    wakes = [end for _, end, _ in window.sleeps if 0 <= end < MINUTES_PER_DAY - 120]
    beds = [start for start, _, _ in window.sleeps if 200 <= start <= MINUTES_PER_DAY]
    if next(u) < (0.58 if person.wears_at_night else 0.12):
        moment, length = next(u), int(22 + 70 * next(u) ** 1.6)
        if moment < 0.45 and wakes:
            start = wakes[0] + int(5 + 40 * next(u))
        elif moment < 0.85 and beds:
            start = beds[-1] - int(20 + 150 * next(u)) - length
        else:
            start = int(MINUTES_PER_DAY * next(u))
        spans.append((start, start + length))
    for chance, longest in ((0.30, 35), (0.12, 60), (0.02, 600)):
        if next(u) < chance:
            start = int(MINUTES_PER_DAY * next(u))
            spans.append((start, start + 5 + int((longest - 5) * next(u))))
    # People wear the device for exercise: gaps during exercise are dropped, so that logs without signals are rare.
    nights = [(start - 10, end + 12) for start, end, _ in window.sleeps]
    return [s for s in spans if s in nights or not any(a < s[1] and s[0] < b for a, b in busy)]


def dropout_spans(seed: int, window: Window) -> list[tuple[int, int]]:
    """Samples the spans in which the heart rate is lost although the device is worn, in minutes of the window.

    Most last one or two minutes, at a wrist that moves; a chest strap loses contact less often and for longer.
    """
    person = window.person
    rng = stream(seed, DROPOUT_STREAM, person.number, window.day)
    strap = person.device.strap
    count = int(rng.poisson(person.dropouts * (0.6 if strap else 1.0)))
    starts = rng.integers(0, MINUTES_PER_DAY, count).tolist()
    lengths = rng.geometric(0.15 if strap else 0.55, count).tolist()
    return [(start, min(start + length, MINUTES_PER_DAY)) for start, length in zip(starts, lengths, strict=True)]


def remove_unobserved(
    seed: int, values: np.ndarray, schema: SensorSchema, windows: list[Window], minutes: Minutes
) -> list[list[tuple[int, int]]]:
    """Sets unobserved values to NaN, in place.

    Args:
        seed: Seed of the cohort.
        values: `(windows, 1440, channels)`.
        schema: Its channels.
        windows: The chunk's windows.
        minutes: Their minutes.

    Returns:
        For each window the spans in which the device was off the wrist.
    """
    sensors = [SENSOR_OF[key] for key in schema.keys]
    optical = np.array([sensor in _OPTICAL for sensor in sensors])
    blind = minutes.blind[:, LEAD:].copy()
    gaps = []
    for index, window in enumerate(windows):
        spans = off_wrist_spans(seed, window)
        gaps.append(spans)
        for start, end in spans:
            values[index, max(start, 0) : max(end, 0)] = np.nan
        for start, end in dropout_spans(seed, window):
            blind[index, start:end] = True
        lacking = np.array([sensor not in window.person.device.sensors for sensor in sensors])
        values[index][:, lacking] = np.nan
        if blind[index].any():
            values[index][np.ix_(blind[index], optical)] = np.nan
    return gaps
