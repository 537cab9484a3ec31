"""Damages recordings of every kind, reads them in processes with limits, and prints what came of it.

    python tests/faults/campaign.py --inputs 10000 --jobs 2

Exits with 1 if an input ends in anything but a clear error or days.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from fault_seeds import NAMES  # noqa: E402 - the campaign is run as a script and by pytest
from outcomes import FAILURES, OUTCOMES, Outcome  # noqa: E402

SECONDS = 20.0
"""Time limit of one input; the slowest takes about two seconds on a busy machine."""


class Worker:
    """A process that reads damaged recordings; it is started again after it hangs or dies."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.log: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `close`
        self._start()

    def _start(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "fault_worker.py"), str(self.seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process.stdout, self.answers), daemon=True).start()

    @staticmethod
    def _listen(stream: IO[str], answers: queue.Queue[str]) -> None:
        for line in stream:
            answers.put(line)
        answers.put("")

    def run(self, name: str, number: int) -> Outcome:
        """Runs one input; the process has a minute more for its start."""
        assert self.process.stdin is not None
        self.log.seek(0)
        self.log.truncate()
        self.process.stdin.write(json.dumps([name, number]) + "\n")
        self.process.stdin.flush()
        began = time.monotonic()
        while True:
            try:
                line = self.answers.get(timeout=1)
                break
            except queue.Empty:
                self.log.seek(0)
                trace = self.log.read()
                if "Timeout (" in trace or time.monotonic() - began > self.seconds + 120:
                    self.close()
                    self._start()
                    return Outcome(name, number, "", "hang", trace[-1500:])
        if line:
            return Outcome(**json.loads(line))
        self.log.seek(0)
        trace = self.log.read()[-1500:]
        status = self.process.wait()
        self._start()
        return Outcome(name, number, "", "memory" if status == -9 else "traceback", f"exit {status}: {trace}")

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()


def inputs(count: int, start: int = 0, seeds: Sequence[str] = NAMES) -> Iterable[tuple[str, int]]:
    """Yields seeds in turn, each with its next mutation."""
    return itertools.islice(((name, number) for number in itertools.count(start) for name in seeds), count)


def run_all(cases: Iterable[tuple[str, int]], jobs: int, seconds: float = SECONDS) -> list[Outcome]:
    """Runs inputs in processes."""
    waiting: queue.Queue[tuple[str, int]] = queue.Queue()
    for case in cases:
        waiting.put(case)
    outcomes: list[Outcome] = []

    def serve() -> None:
        worker = Worker(seconds)
        try:
            while True:
                outcomes.append(worker.run(*waiting.get_nowait()))
        except queue.Empty:
            pass
        finally:
            worker.close()

    threads = [threading.Thread(target=serve) for _ in range(min(jobs, max(waiting.qsize(), 1)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes, key=lambda outcome: (NAMES.index(outcome.seed), outcome.number))


def table(outcomes: Sequence[Outcome]) -> str:
    """Returns the outcomes by recording, with the largest memory that reading took."""
    width = max(map(len, NAMES))
    lines = [f"{'':{width}}" + "".join(f"{name:>14}" for name in ("tried", *OUTCOMES, "peak MB"))]
    for name in (*NAMES, "all"):
        held = [outcome for outcome in outcomes if name in (outcome.seed, "all")]
        if held:
            counts = Counter(outcome.outcome for outcome in held)
            numbers = [len(held), *(counts[kind] for kind in OUTCOMES), max(outcome.peak_mb for outcome in held)]
            lines.append(f"{name:{width}}" + "".join(f"{number:>14}" for number in numbers))
    return "\n".join(lines)


def main() -> int:
    """Runs the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0, help="First number of the mutations.")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--output", type=Path, help="Write all outcomes as JSON lines.")
    options = parser.parse_args()
    began = time.monotonic()
    outcomes = run_all(inputs(options.inputs, options.start, options.seeds), options.jobs)
    if options.output:
        options.output.write_text("".join(json.dumps(outcome.to_dict()) + "\n" for outcome in outcomes))
    failed = [outcome for outcome in outcomes if outcome.outcome in FAILURES]
    for outcome in failed[:50]:
        print(f"{outcome.outcome}: {outcome.seed} {outcome.number} ({outcome.what})\n  {outcome.detail[-700:]}")
    print(table(outcomes))
    print(f"{len(outcomes)} inputs in {time.monotonic() - began:.0f} s, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
