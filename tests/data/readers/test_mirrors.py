"""Copies of measurements by a second app."""

from __future__ import annotations

import numpy as np

from sensorlm_hf.data.readers.mirrors import mirrored_rows


def test_copies_of_the_main_source_are_found() -> None:
    seconds = np.array([0.0, 60.0, 120.0, 59.0, 125.0, 60.0, 500.0])
    values = np.array([40.0, 44.0, 40.0, 44.0, 41.0, 40.0, 10.0])
    sources = np.array(["watch", "watch", "watch", "app", "app", "app", "watch"])
    assert mirrored_rows(seconds, values, sources).tolist() == [False, False, False, True, False, False, False]
    assert not mirrored_rows(seconds, values, np.full(7, "watch")).any()
