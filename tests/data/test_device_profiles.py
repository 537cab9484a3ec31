"""Device profiles: which channels remain."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest

from sensorlm_hf import Event, SensorDay, get_schema
from sensorlm_hf.data.device_profiles import PROFILES, DeviceProfile, apply_profile, get_profile

KEYS = get_schema("sensorlm-26").keys
START = datetime(2024, 3, 1, tzinfo=timezone.utc)
DAY = SensorDay(np.ones((30, 26)), START, "p", events=(Event("activity", "yoga", 0, 20),), labels={"age": 30})


def test_every_profile_lists_channels_of_the_schema_in_its_order() -> None:
    assert PROFILES["all"].channels == KEYS
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert profile.description
        assert profile.channels == tuple(key for key in KEYS if key in profile.channels), name
    assert len({profile.channels for profile in PROFILES.values()}) == len(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_only_the_channels_of_the_device_remain(name: str) -> None:
    day = apply_profile(DAY, name)
    seen = [key for key, known in zip(KEYS, day.mask.any(axis=0), strict=True) if known]
    assert tuple(seen) == PROFILES[name].channels
    assert (day.events, day.labels, day.sample_id) == (DAY.events, DAY.labels, DAY.sample_id)
    assert DAY.mask.all(), "the day itself is unchanged"


def test_devices_have_the_sensors_that_they_are_known_for() -> None:
    has = {name: set(profile.channels) for name, profile in PROFILES.items()}
    assert has["heart_rate_steps"] == {"HR", "steps"}
    assert has["steps"] == {"steps"}
    assert {"HR", "eda_level_real", "wrist_temperatures", "log_energy"} < has["empatica_e4"]
    assert "altim_std" not in has["empatica_e4"]
    assert {"HR", "rmssd_percentile_0595", "sdnn_percentile_0595", "hrv_rr_median"} < has["chest_strap"]
    assert not has["chest_strap"] & {"steps", "log_energy", "eda_level_real"}
    assert "eda_level_real" not in has["apple_watch"]


def test_other_schemas() -> None:
    day = SensorDay(np.ones((30, 34)), START, "p", schema="sensorlm-34")
    assert apply_profile(day, "all") is day
    assert apply_profile(day, "heart_rate_steps").mask.sum() == 2 * 30
    own = {"name": "glucose", "channels": [{"key": "glucose", "mean": 5.0, "std": 1.0}]}
    day = SensorDay(np.ones((30, 1)), START, "p", schema=own)
    assert apply_profile(day, "all") is day
    with pytest.raises(ValueError, match="Schema 'glucose' has none of the channels of profile 'steps': steps"):
        apply_profile(day, "steps")


def test_names_and_own_profiles() -> None:
    own = DeviceProfile("ring", "a ring", ("HR",))
    assert get_profile(own) is own
    assert apply_profile(DAY, own).mask.sum() == 30
    with pytest.raises(ValueError, match="Unknown device profile 'ring'; available profiles are all, heart_rate_steps"):
        get_profile("ring")
