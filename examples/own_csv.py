"""Your own CSV: from a file with any sampling rate and column names to labels, a caption and a plot.

python examples/own_csv.py                                   # with a generated example file
python examples/own_csv.py my.csv --timezone Europe/Berlin --columns pulse=HR,temp=wrist_temperatures
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from transformers import pipeline

import sensorlm_hf
from sensorlm_hf.data.readers import ReadReport, read_table
from sensorlm_hf.plotting import plot_day


def example_file(path: Path) -> Path:
    """Writes a day as a device might export it: a sample every 30 seconds, custom column names, and a gap."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-03-01", periods=2880, freq="30s")
    hour = np.arange(2880) / 120
    run = (hour > 18) & (hour < 18.75)
    awake = (hour > 7) & (hour < 23)
    table = pd.DataFrame(
        {
            "when": times,
            "pulse": (52 + 18 * awake + 75 * run + rng.normal(0, 3, 2880)).round(),
            "strides": np.where(run, 80, np.where(awake, rng.poisson(1.5, 2880), 0)),
            "temp": (34 - 2 * awake + rng.normal(0, 0.1, 2880)).round(2),
        }
    )
    table.loc[(hour > 9) & (hour < 9.5), ["pulse", "temp"]] = np.nan  # charging
    table.to_csv(path, index=False)
    return path


def main() -> None:
    """Reads a table, reports what was skipped, and plots the first day."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="CSV or Parquet file; by default an example is generated.")
    parser.add_argument("--timezone", default="Europe/Berlin", help="Time zone of the recording.")
    parser.add_argument("--time_column", help="Time column, if its name is not recognized.")
    parser.add_argument("--columns", default="", help="column=channel,...; see the documentation for channel names.")
    parser.add_argument("--output", type=Path, default=Path("my_day.svg"), help="Output file of the plot.")
    options = parser.parse_args()

    columns = dict(pair.split("=", 1) for pair in options.columns.split(",") if pair)
    if options.file is None:
        options.file = example_file(options.output.with_suffix(".csv"))
        options.time_column, columns = "when", {"pulse": "HR", "strides": "steps", "temp": "wrist_temperatures"}

    report = ReadReport()
    days = list(
        read_table(
            options.file,
            timezone=options.timezone,
            time_column=options.time_column,
            columns=columns or None,
            report=report,
        )
    )
    if not days:
        parser.error(f"{options.file} contains no values of any channel")
    day = days[0]
    sys.stdout.write(f"{report.summary()}\nFirst day: {day.sample_id}\n")
    for channel, seen in zip(day.schema, day.mask.mean(axis=0), strict=True):
        if seen:
            sys.stdout.write(f"  {channel.label}: {seen:.0%} of the minutes\n")
    classify = pipeline("zero-shot-sensor-classification")
    for item in classify(day, candidate_labels=["running", "swimming", "yoga", "a day without exercise"]):
        sys.stdout.write(f"  {item['score']:.2f} {item['label']}\n")
    sys.stdout.write(sensorlm_hf.CaptionBuilder(key="middle_level_caption", time_format="clock")(day) + "\n")
    plot_day(day).savefig(options.output)
    sys.stdout.write(f"Plot: {options.output}\n")


if __name__ == "__main__":
    main()
