"""The simulator documentation matches its tables."""

from __future__ import annotations

from pathlib import Path

from sensorlm_hf.activities import ACTIVITIES
from sensorlm_hf.data.simulate import DEVICES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "simulation.md").read_text(encoding="utf-8")


def _rows(width: int) -> dict[str, list[str]]:
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in cells if len(row) == width}


def test_page_starts_by_stating_data_are_simulated():
    assert "simulated" in PAGE.split("\n\n")[1]


def test_every_activity_is_documented_with_source():
    rows = _rows(11)
    assert set(rows) - {"activity"} == {a.name for a in ACTIVITIES}
    for activity in ACTIVITIES:
        kind, category, place, met, compendium, cadence, share, minutes, altitude, marks = rows[activity.name]
        assert kind == ("exercise" if activity.benchmark else "everyday")
        assert (category, place, compendium) == (activity.category, activity.environment, activity.compendium)
        assert float(met) == activity.met
        assert float(share) == activity.step_share
        assert float(altitude) == activity.altitude
        assert minutes == "–".join(map(str, activity.duration))
        assert cadence == ("–".join(map(str, activity.cadence)) if activity.cadence[1] else "–")
        assert ("gym cardio" in marks, "outdoor sport" in marks) == (activity.gym_cardio, activity.outdoor_sport)
        assert ("locomotion" in marks, "under water" in marks) == (activity.locomotion, activity.water)


def test_every_device_is_documented_with_share():
    rows = _rows(3)
    for device in DEVICES:
        assert rows[device.name][0] == f"{device.share:.0%}"
    assert abs(sum(device.share for device in DEVICES) - 1) < 1e-9
