"""Speed and memory of reading large exports: writes an export of the size of a real one, and converts it.

The Fitbit export has the files of one person who wore a watch for years: heart rates every five to fifteen seconds in a
JSON file a day, steps, calories and altitude in JSON files a month, sleeps and exercises; about 1.1 MB a day. The Apple
export is one `export.xml`, three quarters of whose records are heart rates. All values are random.

    python benchmarks/export_speed.py --days 881 --megabytes 100
    python benchmarks/export_speed.py --days 90 --old ../old-checkout/src   # also with another version, in the same run
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

START = datetime(2021, 3, 1)
MEMORY_MB = {"fitbit": 1000, "apple-health": 500}
"""Targets of the peak memory."""


def write_fitbit(folder: Path, days: int, seed: int = 0) -> int:
    """Writes a Fitbit export of some days; returns its size in bytes."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    months: dict[str, dict[str, list[str]]] = {}
    sleeps, exercises = [], []
    for day in range(days):
        date = START + timedelta(days=day)
        text = f"{date:%m/%d/%y}"
        times = np.cumsum(rng.choice((5, 10, 15), size=12_000))
        times = times[times < 86_400]
        bpm = 60 + np.cumsum(rng.integers(-1, 2, len(times))) % 60
        entries = [
            f'{{\n  "dateTime" : "{text} {at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}",\n  "value" : {{\n'
            f'    "bpm" : {rate},\n    "confidence" : {sure}\n  }}\n}}'
            for at, rate, sure in zip(
                times.tolist(), bpm.tolist(), rng.integers(0, 4, len(times)).tolist(), strict=True
            )
        ]
        (folder / f"heart_rate-{date:%Y-%m-%d}.json").write_text(f"[{','.join(entries)}]")
        month = months.setdefault(f"{date:%Y-%m}-01", {"steps": [], "calories": [], "altitude": []})
        for name, share in (("steps", 0.4), ("calories", 1.0), ("altitude", 0.02)):
            for minute in np.flatnonzero(rng.random(1440) < share).tolist():
                when = f"{text} {minute // 60:02}:{minute % 60:02}:00"
                month[name].append(f'{{\n  "dateTime" : "{when}",\n  "value" : "{rng.integers(1, 100)}"\n}}')
        sleeps.append(_sleep(date, day))
        start = f"{text} 17:00:00"
        exercises.append(
            {"activityName": "Walk", "startTime": start, "duration": 1_800_000, "logType": "auto_detected"}
        )
    for month, kinds in months.items():
        for name, held in kinds.items():
            (folder / f"{name}-{month}.json").write_text(f"[{','.join(held)}]")
    (folder / "sleep-2021-03-01.json").write_text(json.dumps(sleeps, indent=2))
    (folder / "exercise-0.json").write_text(json.dumps(exercises, indent=2))
    return sum(path.stat().st_size for path in folder.iterdir())


def _sleep(date: datetime, number: int) -> dict:
    levels = [
        {
            "dateTime": (date + timedelta(minutes=10 * part)).isoformat(timespec="milliseconds"),
            "level": ("light", "deep", "rem")[part % 3],
            "seconds": 600,
        }
        for part in range(42)
    ]
    return {
        "logId": number,
        "dateOfSleep": f"{date:%Y-%m-%d}",
        "startTime": date.isoformat(timespec="milliseconds"),
        "endTime": (date + timedelta(hours=7)).isoformat(timespec="milliseconds"),
        "type": "stages",
        "mainSleep": True,
        "levels": {"data": levels, "shortData": []},
    }


def write_apple(path: Path, megabytes: float, seed: int = 0) -> int:
    """Writes an `export.xml` of about a size; returns its size in bytes."""
    rng = np.random.default_rng(seed)
    source = quoteattr("Somebody's Apple\u00a0Watch")
    device = quoteattr("<<HKDevice: 0x2816e7e80>, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:5>")
    kinds = {
        "HeartRate": ("count/min", 300, 0, (50, 150)),
        "StepCount": ("count", 600, 300, (5, 500)),
        "ActiveEnergyBurned": ("kcal", 600, 60, (1, 9)),
        "HeartRateVariabilitySDNN": ("ms", 14_400, 60, (20, 90)),
    }
    written = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n')
        share = {"HeartRate": 0.7, "StepCount": 0.15, "ActiveEnergyBurned": 0.14, "HeartRateVariabilitySDNN": 0.01}
        for kind, (unit, every, length, (low, high)) in kinds.items():
            moment, size = START, 0
            while size < share[kind] * megabytes * 1e6:
                lines = []
                for step, value in zip(rng.integers(1, every, 2000), rng.integers(low, high, 2000), strict=True):
                    moment += timedelta(seconds=int(step) + length)
                    end = moment + timedelta(seconds=length)
                    lines.append(
                        f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName={source} sourceVersion="10.1"'
                        f' device={device} unit="{unit}" creationDate="{end} +0100" startDate="{moment} +0100"'
                        f' endDate="{end} +0100" value="{value}"/>\n'
                    )
                size += stream.write("".join(lines))
            written += size
        stream.write("</HealthData>\n")
    return path.stat().st_size


def measure(source: Path, kind: str, src: Path) -> dict[str, float]:
    """Runs `sensorlm-hf convert` with the package in a folder; start and imports of the process count."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "days")
        options = ["--timezone", "Europe/Berlin", "--keep-ids", "--json"]
        command = [sys.executable, "-m", "sensorlm_hf.cli", "convert", kind, str(source), str(output), *options]
        environment = {**os.environ, "PYTHONPATH": str(src), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        printed = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        if status:
            raise RuntimeError(f"convert {kind} ended with status {status}.")
    return {
        "days": sum(json.loads(printed)["days"].values()),
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory_mb": usage.ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=120, help="Days of the Fitbit export; 0: none.")
    parser.add_argument("--megabytes", type=float, default=100.0, help="Size of the Apple export; 0: none.")
    parser.add_argument("--old", type=Path, help="Folder `src` of another version, measured in the same run.")
    parser.add_argument("--folder", type=Path, help="Where to write the exports (default: a temporary folder).")
    arguments = parser.parse_args()
    here = Path(__file__).resolve().parents[1] / "src"
    runs = [("old", arguments.old)] if arguments.old else []
    runs.append(("this", here))
    missed = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        exports = []
        if arguments.days:
            exports.append(("fitbit", Path(folder, "fitbit"), write_fitbit(Path(folder, "fitbit"), arguments.days)))
        if arguments.megabytes:
            path = Path(folder, "export.xml")
            exports.append(("apple-health", path, write_apple(path, arguments.megabytes)))
        print("| export | MB | version | days | seconds | CPU seconds | peak MB |\n|---|---|---|---|---|---|---|")
        for kind, path, size in exports:
            for name, src in runs:
                found = measure(path, kind, src)
                print(
                    f"| {kind} | {size / 1e6:.0f} | {name} | {found['days']:.0f} | {found['seconds']:.1f} |"
                    f" {found['cpu']:.1f} | {found['memory_mb']:.0f} |",
                    flush=True,
                )
                if src == here and found["memory_mb"] > MEMORY_MB[kind]:
                    missed.append(f"{kind} takes {found['memory_mb']:.0f} MB, more than {MEMORY_MB[kind]}")
    if missed:
        sys.exit("; ".join(missed))


if __name__ == "__main__":
    main()
