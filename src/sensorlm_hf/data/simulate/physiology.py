"""Physiology of a synthetic subject: exertion, heart rate, arousal, sweat and skin temperature per minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from .layout import AWAKE, LEAD, SPAN, Minutes, Window
from .plan import CODE, DEEP, REM, WAKE, circadian

_HEART_ON, _HEART_OFF = 1.2, 2.6
_SWEAT_ON, _SWEAT_OFF = 9.0, 22.0
_SKIN_ON, _SKIN_OFF = 14.0, 18.0


@dataclass
class Body:
    """State of the bodies of a chunk; arrays are `(windows, SPAN)` float32.

    Attributes:
        load: Fraction of the aerobic reserve in use, 0 to about 1.
        heart_rate: True heart rate, bpm.
        arousal: Mental arousal, standard score.
        sweat: Sweating, 0 to about 1.
        skin: Skin temperature at the wrist, degC.
        asleep: Whether the person is asleep, bool.
    """

    load: np.ndarray
    heart_rate: np.ndarray
    arousal: np.ndarray
    sweat: np.ndarray
    skin: np.ndarray
    asleep: np.ndarray


def autoregressive(noise: np.ndarray, memory: float) -> np.ndarray:
    """Converts white noise to autocorrelated noise with unit variance and lag-1 correlation `memory`.

    Args:
        noise: `(windows, minutes)` white noise.
        memory: Correlation of neighbouring minutes, 0 to 1.
    """
    gain = float(np.sqrt(1 - memory**2))
    start = noise[:, :1].astype(np.float64) * (1 - gain)  # so that the first minute has unit variance too
    filtered, _ = lfilter([gain], [1.0, -memory], noise, axis=-1, zi=start)
    return filtered.astype(np.float32)


def _follow(targets: np.ndarray, rising: Sequence[float], falling: Sequence[float]) -> np.ndarray:
    """Makes signals follow their targets exponentially, with different time constants for rise and fall.

    Args:
        targets: `(signals, windows, minutes)`.
        rising: Time constant of each signal, minutes, while the target is above it.
        falling: The same while the target is below it.
    """
    by_time = np.ascontiguousarray(targets.transpose(2, 0, 1))
    up, down = (
        (1 - np.exp(-1 / np.array(constants, np.float32))).astype(np.float32)[:, None]
        for constants in (rising, falling)
    )
    state = by_time[0].copy()
    for step in by_time:
        gap = step - state
        state += np.maximum(gap, 0) * up
        state += np.minimum(gap, 0) * down
        step[:] = state
    return by_time.transpose(1, 2, 0)


def _column(values: Sequence[float]) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def simulate_bodies(windows: Sequence[Window], minutes: Minutes) -> Body:
    """Simulates the bodies of a chunk of windows.

    Heart rate: the fraction of the reserve in use equals that of the oxygen-uptake reserve (Swain and Leutholtz, Med
    Sci Sports Exerc 29, 1997), with time constants of 1.2 min upwards and 2.6 min downwards, on top of a circadian
    wave, posture, digestion, arousal and sleep stage; in long hard exercise it drifts upwards (Coyle and
    Gonzalez-Alonso, Exerc Sport Sci Rev 29, 2001). Skin temperature rises in sleep and falls in the cold, in water and
    at the start of exercise.
    """
    people = [window.person for window in windows]
    rest, top = _column([p.heart_rate_rest for p in people]), _column([p.heart_rate_max for p in people])
    capacity = _column([p.capacity for p in people])
    anxious = _column([p.anxiety for p in people])
    stage = minutes.stage
    in_bed, asleep = stage > AWAKE, stage > WAKE
    awake = 1.0 - asleep.astype(np.float32)
    wave = circadian(minutes.clock, _column([p.chronotype for p in people]))
    arousal = autoregressive(minutes.z("arousal"), 0.985) * (0.75 + 0.2 * anxious) + 0.30 * anxious
    arousal += _tension(windows)
    arousal *= awake * 0.9 + 0.1
    # Effort in exercise rises and falls over minutes, with the terrain if outdoors, and most of all on wheels and skis.
    terrain = minutes.outdoor * np.where(minutes.step_share < 0.5, np.float32(0.24), np.float32(0.09))
    surge = (0.09 + terrain) * autoregressive(minutes.z("surge"), 0.85)
    busy = np.where(minutes.exercise, 1 + surge + 0.04 * minutes.z("busy"), 1 + 0.16 * minutes.z("busy"))
    met = 1 + (minutes.met - 1) * minutes.effort * np.clip(busy, 0.2, 1.8)
    load = np.clip((met - 1) / (capacity - 1), 0, 0.97)
    upright = ~in_bed & (minutes.code != CODE["resting"])
    target = rest + 1.5 * wave + upright * np.float32(7.5) + _digestion(windows)
    target += 5.0 * (stage == WAKE) - 2.2 * (stage == DEEP) + 2.0 * (stage == REM)
    target += np.where(asleep, -1.0, 2.8 * np.clip(arousal, -1.5, 3.0))
    target += load * (top - rest - 8) * (1 - 0.06 * minutes.water)
    target += 0.17 * np.minimum(minutes.since, 60) * (load > 0.35)
    target += 5.2 * autoregressive(minutes.z("heart slow"), 0.97) * (0.42 + 0.73 * awake)
    # Small movements outside of activities raise the heart rate by a few beats while awake.
    target += awake * 3.2 * np.maximum(autoregressive(minutes.z("heart small"), 0.6), 0)
    # Turning in bed and arousals do so briefly; a chest strap records them fully, a watch smooths them.
    turn = asleep & (minutes.u("arousals") < 0.014)
    target += turn * (6 + 26 * minutes.u("arousal size")) * (0.45 + 1.15 * _column([p.device.strap for p in people]))
    outside = _outdoor_temperature(windows, wave)
    chill = np.where(minutes.outdoor & ~minutes.water, np.clip(outside - 20, -24, 10), np.float32(0))
    thermal = np.clip(0.15 * chill, -3.4, 1.2) - 3.2 * minutes.water + 1.0 * (~minutes.outdoor & (load > 0.3))
    skin = 31.2 + _column([p.skin for p in people]) + 2.4 * asleep + 0.9 * (in_bed & ~asleep) - 0.35 * wave
    skin = skin + thermal - 1.7 * load - 0.22 * np.clip(arousal, -1, 3)
    skin += 0.95 * autoregressive(minutes.z("skin"), 0.975)
    sweat = np.clip(1.15 * load + 0.02 * chill * (load > 0.15) - 0.10, 0, 1.4)
    followed = _follow(
        np.stack([target, sweat.astype(np.float32), skin.astype(np.float32)]),
        (_HEART_ON, _SWEAT_ON, _SKIN_ON),
        (_HEART_OFF, _SWEAT_OFF, _SKIN_OFF),
    )
    heart = np.minimum(followed[0], top + 3)
    return Body(load.astype(np.float32), heart, arousal.astype(np.float32), followed[1], followed[2], asleep)


def _tension(windows: Sequence[Window]) -> np.ndarray:
    """Tense episodes: jumps that decay."""
    time = np.arange(-LEAD, SPAN - LEAD, dtype=np.float32)
    total = np.zeros((len(windows), SPAN), np.float32)
    for index, window in enumerate(windows):
        for start, size, decay in window.tension:
            first = max(int(start) + LEAD, 0)
            total[index, first:] += np.float32(size) * np.exp(-(time[first:] - np.float32(start)) / np.float32(decay))
    return total


def _digestion(windows: Sequence[Window]) -> np.ndarray:
    """Increase of the heart rate after meals, bpm."""
    curve = 4.2 * (1 - np.exp(-np.arange(150) / 8.0)) * np.exp(-np.arange(150) / 70.0)
    curve = curve.astype(np.float32)
    total = np.zeros((len(windows), SPAN), np.float32)
    for index, window in enumerate(windows):
        for start in window.meals:
            first, last = max(start + LEAD, 0), min(start + LEAD + len(curve), SPAN)
            if last > first:
                total[index, first:last] += curve[first - start - LEAD : last - start - LEAD]
    return total


def _outdoor_temperature(windows: Sequence[Window], wave: np.ndarray) -> np.ndarray:
    """Air temperature outdoors, degC, from latitude, season and time of day."""
    latitude = np.array([abs(w.person.latitude) for w in windows], np.float32)
    summer = np.array([w.person.summer(w.day) for w in windows], np.float32)
    mean = 29 - 0.38 * latitude + 0.20 * latitude * summer
    return mean[:, None] + 3.5 * wave
