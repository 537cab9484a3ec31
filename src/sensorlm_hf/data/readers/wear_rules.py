"""Rules that the readers of devices share: when a device was worn, and which share of a minute each sleep stage has."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

MAX_STEPS_MINUTES = 60
"""Step records longer than this are dropped, because the time of the steps is unknown."""

WORN_MINUTES = 15
"""Maximum time between heart rates while a device counts as worn; at rest some measure every five to ten minutes."""


def worn_minutes(observed: np.ndarray) -> np.ndarray:
    """Returns the minutes between heart rates that are close together.

    Args:
        observed: `(minutes,)` bool, minutes with a heart rate.
    """
    worn = np.zeros(len(observed), dtype=bool)
    for before, after in pairwise(np.flatnonzero(observed)):
        if after - before <= WORN_MINUTES:
            worn[before : after + 1] = True
    return worn


def stage_shares(shares: Mapping[str, np.ndarray], worn: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the share of each minute that was spent in each stage; together at most 1.

    Some apps write one light sleep for the night and the other stages over it, so light sleep has what the others
    leave.

    Args:
        shares: `{stage channel: (minutes,) recorded shares}`, nan where nothing was recorded.
        worn: `(minutes,)` bool, minutes in which a stage that was not recorded was absent rather than unknown.

    Returns:
        The same keys; nan where unknown. Empty if no stage was recorded at all.
    """
    recorded = [~np.isnan(share) for share in shares.values()]
    if not np.any(recorded):
        return {}
    known = np.any(recorded, axis=0) | worn
    parts = {key: np.minimum(np.nan_to_num(share), 1.0) for key, share in shares.items()}
    light = "sleep_stage_light"
    others = np.sum([part for key, part in parts.items() if key != light] or [np.zeros(len(worn))], axis=0)
    kept = {
        key: np.minimum(part, np.maximum(1.0 - others, 0.0)) if key == light else part / np.maximum(others, 1.0)
        for key, part in parts.items()
    }
    return {key: np.where(known, part, np.nan) for key, part in kept.items()}
