"""Compares a run that is killed repeatedly with an uninterrupted run: the loss curves must be bit-identical.

    python benchmarks/kill_and_resume.py --kills 3

`sensorlm-hf train` runs in a separate process that is killed with `kill -9` at random times, during training,
evaluation or checkpointing. After the last kill it runs to completion.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sensorlm_hf.data import write_cohort
from sensorlm_hf.training import last_complete_checkpoint


def command(data: Path, output: Path, steps: int) -> list[str]:
    """Returns the command of the run."""
    words = f"train --objective coca --data {data} --output_dir {output} --resume --max_steps {steps} --batch-size 8"
    words += " --max-text-length 48 --vocab-size 300 --logging_steps 1 --eval_strategy steps --eval_steps 3"
    words += " --save_strategy steps --save_steps 3 --seed 7 --use_cpu --report_to none --disable_tqdm true"
    return [sys.executable, "-m", "sensorlm_hf.cli", *words.split()]


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Starts a run with its output redirected to a file."""
    with log.open("ab") as out:
        return subprocess.Popen(words, stdout=out, stderr=out, env={**os.environ, "OMP_NUM_THREADS": "1"})


def losses(output: Path) -> dict[int, float]:
    """Returns the loss by step from the last checkpoint."""
    checkpoint = last_complete_checkpoint(output)
    if checkpoint is None:
        return {}
    state: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text())
    return {entry["step"]: entry["loss"] for entry in state["log_history"] if "loss" in entry}


def wait_for_work(process: subprocess.Popen[bytes], output: Path, seen: int) -> None:
    """Waits until a run has trained beyond its starting point, so that kills do not only occur during imports."""
    while process.poll() is None and len(losses(output)) <= seen:
        time.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--steps", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        data, reference, killed, log = (Path(folder) / name for name in ("days", "reference", "killed", "log"))
        write_cohort(data, people=60, days_per_person=1, seed=1)
        if start(command(data, reference, options.steps), log).wait():
            sys.stderr.write(log.read_text())
            return 1
        places = []
        for _ in range(options.kills):
            seen = len(losses(killed))
            process = start(command(data, killed, options.steps), log)
            wait_for_work(process, killed, seen)
            time.sleep(moments.uniform(0, 2))
            process.kill()
            process.wait()
            places.append(max(losses(killed), default=0))
        if start(command(data, killed, options.steps), log).wait():
            sys.stderr.write(log.read_text())
            return 1
        expected, found = losses(reference), losses(killed)
    print(f"killed {options.kills} times; resumed from steps {places}")
    print("| step | uninterrupted | killed and resumed | equal |\n|---|---|---|---|")
    for step, loss in expected.items():
        print(f"| {step} | {loss!r} | {found.get(step)!r} | {'yes' if found.get(step) == loss else 'NO'} |")
    return 0 if found == expected else 1


if __name__ == "__main__":
    sys.exit(main())
