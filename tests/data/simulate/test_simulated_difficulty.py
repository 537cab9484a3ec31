"""The cohort is neither trivial nor unlearnable, as measured by the benchmark scripts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.mark.slow
def test_supervised_ceiling_is_between_090_and_098():
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "simulated_difficulty.py"), "--days", "3000"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    auroc = float(re.search(r"AUROC ([0-9.]+) \(chance", done.stdout)[1])
    assert 0.90 <= auroc <= 0.98


@pytest.mark.slow
def test_simulation_speed_is_measured_for_every_schema():
    command = [sys.executable, str(SCRIPTS / "simulate.py"), "--days", "64"]
    done = subprocess.run(command, capture_output=True, text=True)
    # The exit status reports whether it was fast enough, which is not checked because the machine may be busy.
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    speeds = re.findall(r"^(sensorlm-\d+) +(\d+) +\d+ +200$", done.stdout, re.MULTILINE)
    assert [name for name, _ in speeds] == ["sensorlm-26", "sensorlm-34"]
    assert all(int(speed) > 0 for _, speed in speeds)


@pytest.mark.slow
def test_simulated_and_real_segments_are_similar(real_data, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPTS / "simulated_vs_real.py"),
            "--data",
            str(real_data),
            "--out",
            str(tmp_path / "a.png"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").stat().st_size > 20_000
    tables = re.findall(r"^(sleep|sedentary|light|vigorous) +([0-9.]+) +([0-9.]+)", done.stdout, re.MULTILINE)
    assert len(tables) == 12
    real, strap = ({name: float(mean) for name, _, mean in block} for block in (tables[:4], tables[4:8]))
    for segment in ("sleep", "sedentary", "light"):
        assert abs(real[segment] - strap[segment]) < 8
