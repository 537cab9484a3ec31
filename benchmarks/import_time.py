"""Import time of `sensorlm_hf` compared with `from transformers import AutoModel, pipeline`, in new processes."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

REFERENCE = "from transformers import AutoModel, pipeline"
OURS = "import sensorlm_hf"
GOAL = 1.2


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="Processes of each kind (default: 7).")
    repeats = parser.parse_args().repeats
    times: dict[str, list[float]] = {REFERENCE: [], OURS: []}
    for code in times:
        seconds(code)  # warm up the file cache
    for _ in range(repeats):
        for code, taken in times.items():
            taken.append(seconds(code))
    medians = {code: statistics.median(taken) for code, taken in times.items()}
    ratio = medians[OURS] / medians[REFERENCE]
    print("| import | median seconds | fastest |")
    print("|---|---|---|")
    for code, taken in times.items():
        print(f"| `{code}` | {medians[code]:.2f} | {min(taken):.2f} |")
    print(f"\nratio of the medians: {ratio:.2f} (target: at most {GOAL})")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
