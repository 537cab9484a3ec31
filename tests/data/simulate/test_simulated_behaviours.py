"""Simulated activities: the behaviour table is consistent with the activity ontology."""

from __future__ import annotations

import pytest

from sensorlm_hf.activities import ACTIVITIES
from sensorlm_hf.data.simulate.behaviours import BEHAVIOURS


@pytest.mark.parametrize(
    ("activity", "behaviour"), list(zip(ACTIVITIES, BEHAVIOURS, strict=True)), ids=[a.name for a in ACTIVITIES]
)
def test_each_row_is_consistent(activity, behaviour):
    for name in ("energy", "rhythm", "frequency", "spread", "burst"):
        assert 0 <= getattr(behaviour.movement, name) <= 1
    assert -1 <= behaviour.movement.tilt <= 1
    pattern = behaviour.pattern
    assert activity.stop_and_go == bool(pattern.period)
    # The two levels average to about the mean effort of the bout, except for intermittent work.
    mean = pattern.duty * pattern.high + (1 - pattern.duty) * pattern.low if pattern.period else 1.0
    assert 0.7 <= mean <= 1.1
