"""When a device was worn, and the shares of sleep stages."""

from __future__ import annotations

import numpy as np

from sensorlm_hf.data.readers.wear_rules import WORN_MINUTES, stage_shares, worn_minutes

NAN = float("nan")


def test_minutes_between_close_heart_rates_are_worn() -> None:
    observed = np.zeros(60, dtype=bool)
    observed[[3, 3 + WORN_MINUTES, 4 + 2 * WORN_MINUTES]] = True
    worn = np.flatnonzero(worn_minutes(observed)).tolist()
    assert worn == list(range(3, 4 + WORN_MINUTES))
    assert not worn_minutes(np.zeros(60, dtype=bool)).any()


def test_light_sleep_has_what_the_other_stages_leave() -> None:
    recorded = {
        "sleep_stage_light": np.array([1, 1, 1, NAN, NAN]),
        "sleep_stage_deep": np.array([NAN, 0.5, 1, 1, NAN]),
        "sleep_stage_rem": np.array([NAN, NAN, NAN, 1, NAN]),
    }
    shares = stage_shares(recorded, np.zeros(5, dtype=bool))
    assert shares["sleep_stage_light"][:4].tolist() == [1, 0.5, 0, 0]
    assert shares["sleep_stage_deep"][:4].tolist() == [0, 0.5, 1, 0.5]
    assert all(np.isnan(share[4]) for share in shares.values())
    assert stage_shares(recorded, np.ones(5, dtype=bool))["sleep_stage_light"][4] == 0
    assert stage_shares({"sleep_stage_light": np.array([NAN])}, np.ones(1, dtype=bool)) == {}
    assert stage_shares({}, np.ones(1, dtype=bool)) == {}
