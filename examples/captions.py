"""Caption days at three levels, inspect the facts behind a caption, and caption a folder of Parquet files.

    python examples/captions.py [--table my_day.csv] [--output captioned]

Without `--table` (a `time` column and one column per channel, see `sensorlm_hf.data.readers.read_table`), a
**simulated** day is used.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import datasets

from sensorlm_hf import CaptionBuilder, SensorDay
from sensorlm_hf.data import caption_folder, write_days
from sensorlm_hf.data.readers import read_table
from sensorlm_hf.data.simulate import simulate_days

datasets.disable_progress_bars()


def show_levels(day: SensorDay) -> None:
    """Prints captions of a day at three levels, and in German."""
    build = CaptionBuilder(day.schema, time_format="clock", units=True)
    for level, key in (
        ("activities", "high_level_all_caption"),
        ("trends", "middle_level_caption"),
        ("statistics", "low_level_caption"),
    ):
        print(f"{level}:\n  {build(day, key=key)}\n")
    print(f"auf Deutsch:\n  {CaptionBuilder(day.schema, language='de', time_format='clock')(day)}\n")


def show_facts(day: SensorDay) -> None:
    """Prints the facts behind a caption, which contain every number in it."""
    facts = CaptionBuilder(day.schema).facts(day)
    channel = next(key for key, fact in facts.items() if fact["mean"] is not None)
    fact = facts[channel]
    print(f"{channel}: mean {fact['mean']:.1f}, from {fact['min']:.1f} to {fact['max']:.1f}")
    print(f"  trends {fact['trends']}, anomalies {fact['anomalies']}")
    print(f"  not observed {fact['missing']}\n")


def show_folder(folder: Path) -> None:
    """Captions a folder of days; when interrupted, it resumes on the next call."""
    write_days(simulate_days(64, seed=1), folder / "days", days_per_shard=16)
    keys = ["high_level_summary_caption", "low_level_caption"]
    summary = caption_folder(folder / "days", folder / "captioned", keys=keys, progress=True)
    print(f"{summary.days} days in {summary.shards} files, captioned in {summary.seconds:.1f} s")
    again = caption_folder(folder / "days", folder / "captioned", keys=keys)
    print(f"a second run skips {again.resumed} finished days")
    rows = datasets.load_dataset(str(folder / "captioned"), split="train", cache_dir=str(folder / "cache"))
    print(f"{rows.column_names}\n  {rows[0]['high_level_summary_caption']}")


def main() -> None:
    """Runs the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", help="CSV, Parquet or npy file of minute-level signals.")
    parser.add_argument("--output", type=Path, help="Folder for the captioned days; a temporary one by default.")
    arguments = parser.parse_args()
    day = next(iter(read_table(arguments.table))) if arguments.table else simulate_days(2, seed=0)[1]
    print(f"{day.sample_id}, {len(day)} minutes of {len(day.schema)} channels\n")
    show_levels(day)
    show_facts(day)
    if arguments.output:
        show_folder(arguments.output)
    else:
        with tempfile.TemporaryDirectory() as folder:
            show_folder(Path(folder))


if __name__ == "__main__":
    main()
