"""The cohort is neither trivial nor hopeless: the benchmark's own check, run as a user would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.mark.slow
def test_the_supervised_ceiling_lies_between_090_and_098():
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "simulated_difficulty.py"), "--days", "3000"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    auroc = float(re.search(r"AUROC ([0-9.]+) \(chance", done.stdout)[1])
    assert 0.90 <= auroc <= 0.98


@pytest.mark.slow
def test_it_simulates_200_days_a_second_on_one_core():
    done = subprocess.run([sys.executable, str(SCRIPTS / "simulate.py")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_simulated_and_real_segments_are_alike(real_data, tmp_path):
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
