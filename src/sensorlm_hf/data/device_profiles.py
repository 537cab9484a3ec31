"""Device profiles: which channels of `sensorlm-26` a kind of device provides.

They are used to evaluate a model as if the days came from a simpler device, and to drop channels in training the way
they are missing in practice: not one by one, but all those that a device does not measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..days import SensorDay
from ..schema import get_schema


@dataclass(frozen=True)
class DeviceProfile:
    """The channels that a kind of device provides.

    Attributes:
        name: Name of the profile.
        description: What the device measures, as a noun phrase.
        channels: Keys of the channels, in the order of the schema.
    """

    name: str
    description: str
    channels: tuple[str, ...]


_ALL = get_schema("sensorlm-26").keys
_BEATS = tuple(key for key in _ALL if key.startswith("hrv_") or key.endswith("_percentile_0595"))


def _profile(name: str, description: str, *channels: str) -> DeviceProfile:
    unknown = set(channels) - set(_ALL)
    if unknown:
        raise ValueError(f"Profile {name!r} has channels {sorted(unknown)}, which sensorlm-26 lacks.")
    return DeviceProfile(name, description, tuple(key for key in _ALL if key in channels))


PROFILES: dict[str, DeviceProfile] = {
    profile.name: profile
    for profile in (
        _profile("all", "all channels", *_ALL),
        _profile("heart_rate_steps", "heart rate and steps only", "HR", "steps"),
        _profile(
            "heart_rate_steps_sleep",
            "heart rate, steps and the sleep coefficient",
            "HR",
            "steps",
            "sleep_coefficient",
        ),
        _profile(
            "fitbit",
            "a Fitbit with heart rate, steps, RMSSD, skin temperature and altitude",
            "HR",
            "steps",
            "rmssd_percentile_0595",
            "wrist_temperatures",
            "altim_std",
        ),
        _profile(
            "apple_watch", "an Apple Watch with heart rate, steps and SDNN", "HR", "steps", "sdnn_percentile_0595"
        ),
        _profile(
            "empatica_e4",
            "an Empatica E4 with pulse, acceleration, skin conductance and skin temperature",
            *(key for key in _ALL if key not in ("hr_at_rest_mean", "altim_std")),
        ),
        _profile("chest_strap", "a chest strap with heart rate and its variability", "HR", *_BEATS),
        _profile("steps", "a pedometer with steps only", "steps"),
    )
}
"""Profiles by name, from `sensorlm-26`; [`get_profile`] looks one up. Those of devices contain the channels that the
readers of this package obtain from a typical export. `"all"` hides nothing, whatever the schema."""


def get_profile(profile: str | DeviceProfile) -> DeviceProfile:
    """Returns a profile by name; a [`DeviceProfile`] is returned unchanged.

    Raises:
        ValueError: If there is no such profile.
    """
    if isinstance(profile, DeviceProfile):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"Unknown device profile {profile!r}; available profiles are {', '.join(PROFILES)}.")
    return PROFILES[profile]


def hidden_channels(day: SensorDay, profile: str | DeviceProfile) -> np.ndarray:
    """Returns which channels of a day a device does not provide, `(channels,)` bool; none for the profile `"all"`.

    Raises:
        ValueError: If there is no such profile, or the schema of the day has none of its channels.
    """
    profile = get_profile(profile)
    if profile == PROFILES["all"]:
        return np.zeros(len(day.schema), dtype=bool)
    hidden = np.array([key not in profile.channels for key in day.schema.keys])
    if hidden.all():
        raise ValueError(
            f"Schema {day.schema.name!r} has none of the channels of profile {profile.name!r}:"
            f" {', '.join(profile.channels)}."
        )
    return hidden


def apply_profile(day: SensorDay, profile: str | DeviceProfile) -> SensorDay:
    """Returns a day as a device with the given profile would have recorded it.

    Args:
        day: The day.
        profile: A profile, or the name of one in [`PROFILES`].

    Returns:
        The day with all other channels unobserved; events and labels are kept. The day itself if nothing is hidden.

    Raises:
        ValueError: If there is no such profile, or the schema of the day has none of its channels.

    Example:
        >>> from sensorlm_hf.data.simulate import simulate_days
        >>> day = apply_profile(simulate_days(1, seed=0)[0], "heart_rate_steps")
        >>> [key for key, seen in zip(day.schema.keys, day.mask.any(axis=0)) if seen]
        ['HR', 'steps']
    """
    hidden = hidden_channels(day, profile)
    return day.without(hidden) if hidden.any() else day
