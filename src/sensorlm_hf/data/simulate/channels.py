"""Simulated sensor readings of a synthetic subject: one function for each group of channels.

Features that the reference reports as device codes are derived from wrist movement and then mapped to that scale: their
population mean and standard deviation match the schema, their definition is our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr

from .layout import Minutes, Window
from .physiology import Body, _column, autoregressive
from .plan import DEEP, LIGHT, REM, WAKE

Channels = dict[str, np.ndarray]

_VALID_FROM = 0.05
"""Share of valid beats below which a minute has no heart-rate variability."""


def _heart(windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Heart rate as reported by the device, and resting heart rate while awake."""
    strap = _column([w.person.device.strap for w in windows])
    fast = autoregressive(minutes.z("heart fast"), 0.45)
    spread = (1.5 + 1.5 * ~body.asleep + 1.1 * minutes.energy) * (1 + (0.40 + 0.85 * body.asleep) * strap)
    spread = spread * _column([w.person.flutter for w in windows])
    shown = body.heart_rate + spread * fast
    # Motion artefacts: the optical sensor sometimes loses beats during vigorous movement.
    lost = (minutes.u("lost beats") < 0.03 * minutes.energy) & (strap == 0)
    shown = np.where(lost, shown * 0.82, shown)
    still = ~body.asleep & (minutes.energy < 0.32) & (minutes.stage != WAKE)
    resting = np.where(still, body.heart_rate + 3.0 + 1.5 * fast, np.nan)
    return {"HR": shown, "hr_at_rest_mean": resting}


def _variability(windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Beat intervals and their variability: high at rest and during sleep, low during exertion and arousal."""
    people = [w.person for w in windows]
    strap = _column([p.device.strap for p in people])
    still = (
        0.55
        - 10.5 * minutes.energy
        - 0.7 * minutes.frequency
        + 1.0 * autoregressive(minutes.z("beats"), 0.6)
        + 0.3 * body.asleep
    )
    still = still + _column([0.6 * p.habit[5] for p in people]) - 4.0 * minutes.water
    good = 1 / (1 + np.exp(-still))
    # At night the optical sensor samples beats in a third of all five-minute blocks, to save battery.
    block = np.repeat(minutes.u("night beats")[:, ::5], 5, axis=1)
    good = np.where(body.asleep & (block < 0.66), np.float32(0.0), good)
    chest = np.clip(0.76 + 0.09 * minutes.z("beats") - 0.03 * minutes.energy, 0, 1)
    good = np.where(strap > 0, chest, np.where(good < 0.02, np.float32(0.0), good))
    rate = np.clip(body.heart_rate, 35, 220)
    slow = autoregressive(minutes.z("hrv slow"), 0.9)
    sdnn = _column([p.log_hrv for p in people]) - 0.0115 * (rate - 70) + 0.30 * slow + 0.16 * minutes.z("sdnn")
    sdnn = sdnn + 0.14 * (minutes.stage == REM) - 0.10 * (minutes.stage == DEEP) - 0.09 * np.clip(body.arousal, -1, 3)
    rmssd = sdnn - 0.33 - 0.010 * (rate - 70) + 0.14 * (minutes.stage == DEEP) + 0.22 * minutes.z("rmssd")
    entropy = 3.28 + 0.62 * (sdnn - 3.75) + 0.16 * minutes.z("entropy rr")
    # A chest strap also captures posture changes and drifts within the minute, unlike the still minutes of a watch.
    sdnn = sdnn + strap * (0.22 + 0.18 * ~body.asleep)
    sdnn_ms, rmssd_ms = np.exp(np.clip(sdnn, 0.5, 5.6)), np.exp(np.clip(rmssd, 0.5, 5.7))
    median = 60000.0 / rate * (1 + 0.012 * minutes.z("rr"))
    half = np.minimum(0.95 * sdnn_ms, 0.2 * median)
    features = {
        "hrv_rr_80th_percentile_mean": median + half,
        "hrv_rr_20th_percentile_mean": median - half,
        "hrv_rr_median": median,
        "rmssd_percentile_0595": rmssd_ms,
        "sdnn_percentile_0595": sdnn_ms,
        "hrv_shannon_entropy_rr": entropy,
        "hrv_shannon_entropy_rrd": 2.98 + 0.55 * (rmssd - 3.4) + 0.18 * minutes.z("entropy rrd"),
        "rr_med": median,
        # The 34-feature release trims intervals less, so that its spreads are larger and have a long tail.
        "sdnn0595": 1.10 * np.exp(1.15 * sdnn - 0.55),
        "rmssd0595": 1.55 * np.exp(1.30 * rmssd - 1.00),
        "pnn20": 1 / (1 + np.exp(-(1.7 * (rmssd - 3.25)))),
        "ShEnRR": 3.08 + 0.85 * (sdnn - 3.75) + 0.3 * minutes.z("entropy rr"),
        "LF": np.exp(2.05 * sdnn - 1.05 + 0.35 * minutes.z("bands")),
        "HF": np.exp(2.1 * rmssd - 1.70 + 0.4 * minutes.z("spectrum")),
        "VLF": np.exp(1.9 * sdnn - 0.55 + 0.45 * minutes.z("bands")),
        "coherence": 1 / (1 + np.exp(-(-1.75 + 0.5 * slow + 0.45 * minutes.z("spectrum") + 0.35 * body.asleep))),
        "spectralEn": 2.53 + 0.30 * minutes.z("bands") + 0.14 * slow,
    }
    features["LF_HF"] = np.clip(features["LF"] / np.maximum(features["HF"], 1.0), 0.05, 60)
    for key in ("LF", "HF", "VLF"):
        features[key] = np.minimum(features[key], 30_000.0)
    seen = good >= _VALID_FROM
    features = {key: np.where(seen, value, np.float32(np.nan)) for key, value in features.items()}
    return {"hrv_percent_good": good, "percent_good": np.clip(1.55 * good, 0, 1), **features}


def _steps(windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Steps per minute, as reported by a step counter or a movement counter."""
    v, noise = minutes.u("step size"), minutes.z("steps")
    # Minutes with steps come in bouts: neighbouring minutes are correlated.
    u = ndtr(autoregressive(minutes.z("stride"), 0.5)).astype(np.float32)
    everyday = ~minutes.exercise
    # Everyday steps occur in short bouts of any length; exercise keeps its cadence.
    stretch = np.where(everyday & (minutes.step_share < 0.9), 0.25 + 1.3 * v * v, np.clip(minutes.effort, 0.55, 1.06))
    # Traffic lights, hills and drinks slow down walks and runs for a few minutes.
    halting = minutes.exercise & (minutes.step_share >= 0.9) & (u > 0.9)
    stretch = np.where(halting, stretch * (0.35 + 0.5 * v), stretch)
    taken = np.where(u < minutes.step_share, minutes.cadence * stretch + 4.0 * noise, 0.0)
    # People who are awake get up from time to time, whatever they are doing.
    wandering = everyday & (minutes.stage == -1) & (u > 0.985)
    taken = np.where(wandering, 8 + 75 * v, taken)
    taken = np.where(body.asleep & (u < 0.004), 5 + 20 * v, taken)
    fidgeting = np.exp(0.45 * autoregressive(minutes.z("fidget"), 0.97) - 0.1)
    small = 33 * np.sqrt(minutes.energy) * (1 - 0.8 * minutes.rhythm) * np.maximum(2.2 * v - 0.3, 0) * fidgeting
    counted = 0.75 * taken + small
    counted = np.where(body.asleep & (u > 0.09), 0.0, counted)
    counter = _column([w.person.device.counts_movement for w in windows]) > 0
    return {"steps": np.clip(np.round(np.where(counter, counted, taken)), 0, 240)}


# Mean and spread of the movement features before mapping to the device's scale, measured over 2,000 simulated
# days: value on the scale = schema mean + gain x (feature - centre). Key: (centre, gain, schema mean).
_SCALE = {
    "jerk_auto": (195.3, 1.6, 203.5),
    "log_energy": (49.1, 1.5, 53.1),
    "covariance": (39.3, 1.4, 43.4),
    "log_energy_ratio": (37.4, 1.6, 44.8),
    "zero_crossing_std": (159.4, 2.0, 155.2),
    "zero_crossing_avg": (36.6, 2.0, 51.0),
    "axis_mean": (124.5, 1.7, 123.2),
    "kurtosis": (152.2, 1.55, 105.6),
    "sleep_coefficient": (7.0, 1.25, 7.26),
}


def _accelerometer(windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Movement features on the device's scale."""
    energy, rhythm = np.sqrt(minutes.energy), minutes.rhythm
    shake, spread, tilt = minutes.frequency, minutes.spread, minutes.tilt
    moving = np.clip(minutes.energy / 0.3, 0, 1)
    erratic, steady, shaking = energy * (1 - rhythm), moving * rhythm, moving * shake
    posture = 0.5 * autoregressive(minutes.z("posture"), 0.95)
    features = {
        "jerk_auto": 222 - 78 * erratic + 34 * moving * (rhythm - 0.4) - 12 * shaking + 9 * minutes.z("jerk"),
        "log_energy": -10 + 175 * energy + 6 * minutes.z("energy code"),
        "covariance": 32 + 27 * spread * (0.4 + 0.6 * moving) + 8 * steady + 6 * minutes.z("covariance"),
        "log_energy_ratio": 26
        + 62 * steady * (0.4 + energy)
        + 26 * energy
        - 14 * shaking
        + 6 * minutes.z("energy ratio"),
        "zero_crossing_std": 172
        - 60 * steady
        - 38 * erratic
        + 34 * shaking * (1 - rhythm)
        + 9 * minutes.z("crossing spread"),
        "zero_crossing_avg": 20
        + 95 * shake * (0.35 + 0.65 * moving)
        + 30 * energy
        - 18 * moving * spread
        + 7 * minutes.z("crossing mean"),
        "axis_mean": 131 + 30 * tilt + 13 * posture + 5 * minutes.z("axis"),
        "kurtosis": 128 - 150 * steady + 175 * erratic * (1 - shake) - 30 * body.asleep + 24 * minutes.z("kurtosis"),
        "sleep_coefficient": 10.5 - 14.5 * np.minimum(energy, 0.75) + 4.2 * body.asleep + 1.2 * minutes.z("sleep code"),
    }
    scaled = {}
    for key, (centre, gain, mean) in _SCALE.items():
        scaled[key] = mean + gain * (features[key] - np.float32(centre))
    scaled["sleep_coefficient"] = np.maximum(scaled["sleep_coefficient"], 0)
    return scaled


def _skin(windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Skin conductance and temperature."""
    people = [w.person for w in windows]
    drift = autoregressive(minutes.z("sweat drift"), 0.97)
    # Conductance storms occur in deep sleep (Sano, Picard and Stickgold, Int J Psychophysiol 94, 2014).
    storm = (minutes.stage == DEEP) * np.maximum(autoregressive(minutes.z("storm"), 0.8), 0)
    tone = _column([p.log_eda for p in people]) + 0.30 * drift - 0.30 * body.asleep + 0.55 * storm
    reactive = _column([0.22 + 0.07 * p.anxiety for p in people])
    level = np.exp(tone + reactive * np.clip(body.arousal, -2, 4)) + np.exp(0.45 * tone + 0.9) * 2.1 * body.sweat
    level = level * np.where(minutes.water, 0.25, 1.0) + 0.03 * np.abs(minutes.z("sweat floor"))
    rising = np.diff(level, axis=1, prepend=level[:, :1])
    contact = (
        236
        - 95 * minutes.energy * (1 - 0.5 * body.sweat)
        - 150 * minutes.water
        + 28 * drift
        + 22 * minutes.z("contact")
    )
    # Readings are steady while the sensor lies flat, and not while it moves.
    warm = body.skin + 0.05 * np.exp(0.6 * autoregressive(minutes.z("warmth scale"), 0.97)) * minutes.z("warmth")
    warming = np.diff(warm, axis=1, prepend=warm[:, :1])
    return {
        "eda_level_real": np.clip(level, 0.01, 58),
        "ceda_slope_real_micro_siemens": np.clip(
            2.9 + 1.0 * drift + 0.7 * minutes.z("sweat slope") + 2.2 * rising + 1.3 * body.sweat, -30, 30
        ),
        "leads_contact_counts": np.clip(contact, 0, 600),
        "wrist_temperatures": np.clip(warm, 14, 40.5),
        "skin_temperature_slope": 85 * warming + 5.0 * minutes.z("warmth slope"),
    }


def _altimeter(windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Variation of altitude within a minute, usually close to zero."""
    u, v = minutes.u("stairs"), minutes.u("stair size")
    spread = 1.7 * minutes.altitude * np.abs(0.75 + 0.55 * minutes.z("altitude"))
    # Stairs at home and at work.
    stairs = (~minutes.exercise) & ~body.asleep & (u > 0.994)
    spread = np.where(stairs, 0.05 + 0.25 * v, spread)
    return {"altim_std": 0.0025 * np.abs(minutes.z("altitude floor")) - 0.003 + spread}


def _sleep_and_oxygen(windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Sleep stages as estimated by the device, and blood oxygen."""
    u = minutes.u("stage")
    guess = minutes.stage
    # The device misclassifies a few minutes as light sleep or wakefulness.
    guess = np.where((guess > 0) & (u < 0.05), LIGHT, np.where((guess > 0) & (u > 0.985), WAKE, guess))
    older = _column([0.02 * (w.person.age - 45) for w in windows])
    oxygen = (
        95.6
        - older
        + 1.1 * autoregressive(minutes.z("oxygen slow"), 0.9)
        + 0.9 * minutes.z("oxygen")
        - 0.6 * body.asleep
    )
    oxygen = oxygen - 3.0 * np.maximum(autoregressive(minutes.z("desaturation"), 0.5) - 1.4, 0)
    calm = np.clip(1.25 - 4.5 * minutes.energy + 0.25 * minutes.z("trust"), 0, 1)
    trust = 100 * np.clip(calm - 0.55 * (minutes.u("trust") < 0.35), 0, 1)
    stages = {"awake": WAKE, "light": LIGHT, "deep": DEEP, "rem": REM}
    return {
        **{f"sleep_stage_{name}": (guess == stage).astype(np.float32) for name, stage in stages.items()},
        "spo2": np.where(trust > 5, np.clip(oxygen, 70, 100), np.float32(np.nan)),
        "spo2_confidence": trust,
        "spo2_coverage": np.clip(32 + 30 * calm + 14 * minutes.z("coverage"), 0, 100),
    }


_Group = tuple[Callable[[Sequence[Window], Minutes, Body], Channels], dict[str, str]]

_GROUPS: tuple[_Group, ...] = (
    (_heart, {"HR": "HR", "hr_at_rest_mean": "REST"}),
    (
        _variability,
        {
            **dict.fromkeys(("rmssd_percentile_0595", "rmssd0595"), "RMSSD"),
            **dict.fromkeys(
                (
                    "hrv_percent_good", "percent_good", "hrv_rr_80th_percentile_mean", "hrv_rr_20th_percentile_mean",
                    "hrv_rr_median", "sdnn_percentile_0595", "hrv_shannon_entropy_rr", "hrv_shannon_entropy_rrd",
                    "rr_med", "sdnn0595", "pnn20", "coherence", "ShEnRR", "LF", "HF", "LF_HF", "VLF", "spectralEn",
                ),
                "HRV",
            ),
        },
    ),
    (_steps, {"steps": "STEPS"}),
    (
        _accelerometer,
        dict.fromkeys(
            (
                "jerk_auto", "log_energy", "covariance", "log_energy_ratio", "zero_crossing_std", "zero_crossing_avg",
                "axis_mean", "kurtosis", "sleep_coefficient",
            ),
            "ACC",
        ),
    ),
    (
        _skin,
        {
            **dict.fromkeys(("eda_level_real", "ceda_slope_real_micro_siemens", "leads_contact_counts"), "EDA"),
            **dict.fromkeys(("wrist_temperatures", "skin_temperature_slope"), "TEMP"),
        },
    ),
    (_altimeter, {"altim_std": "ALT"}),
    (
        _sleep_and_oxygen,
        {
            **dict.fromkeys(("sleep_stage_awake", "sleep_stage_light", "sleep_stage_deep", "sleep_stage_rem"), "SLEEP"),
            **dict.fromkeys(("spo2", "spo2_confidence", "spo2_coverage"), "SPO2"),
        },
    ),
)  # fmt: skip

SENSOR_OF: dict[str, str] = {key: sensor for _, keys in _GROUPS for key, sensor in keys.items()}
"""Every channel that can be simulated, with the sensor of [`Device.sensors`] that it needs."""


def simulate_channels(keys: Sequence[str], windows: Sequence[Window], minutes: Minutes, body: Body) -> Channels:
    """Simulates channels of a chunk.

    Args:
        keys: Channels, of [`SENSOR_OF`].
        windows: The chunk's windows.
        minutes: Their minutes.
        body: Their bodies.

    Returns:
        For each key `(windows, SPAN)` values in physical units. Minutes without heart-rate variability are NaN;
        other gaps are added elsewhere.
    """
    wanted = set(keys)
    channels: Channels = {}
    for simulate, group in _GROUPS:
        if wanted & set(group):
            channels.update(simulate(windows, minutes, body))
    return {key: channels[key] for key in keys}
