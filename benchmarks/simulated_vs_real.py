"""Plots simulated next to real days, and compares statistics of their segments.

The real recordings are those of MMASH (Rossi et al. 2020, PhysioNet), read from a folder `mmash/user_*`. Only
plots and aggregates over all people are written. `--out` shows signals of individuals: do not publish it unless the
license permits it. `--people-out` only shows medians and quartiles over people; the plot in the docs is created with

    python benchmarks/simulated_vs_real.py --data FOLDER --out days.png --people-out docs/images/simulated_vs_real.svg
"""

from __future__ import annotations

import argparse
import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from sensorlm_hf.activities import ACTIVITY_BY_NAME
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.io import atomic_write

SEGMENT_OF_CODE = {0: "sleep", 2: "sedentary", 7: "sedentary", 8: "sedentary", 3: "light", 4: "vigorous", 5: "vigorous"}
SEDENTARY = ("office work", "watching television", "reading", "using a phone or computer")
LIGHT = ("housework", "cooking", "shopping", "childcare", "self-care", "walking to work", "gardening")
SEGMENTS = ("sleep", "sedentary", "light", "vigorous")


def _minute(clock: str, day: int) -> int:
    hours, minutes = (int(part) for part in clock.split(":")[:2])
    return hours * 60 + minutes + (0 if day == 1 else 1440)


def read_mmash(folder: Path) -> pd.DataFrame:
    """Returns heart rate, steps and segment of one MMASH recording, by minute from the first midnight."""
    actigraph = pd.read_csv(folder / "Actigraph.csv", index_col=0)
    actigraph["minute"] = [_minute(t, d) for t, d in zip(actigraph["time"], actigraph["day"], strict=True)]
    grouped = actigraph.groupby("minute")
    minutes = pd.DataFrame({"HR": grouped["HR"].mean(), "steps": grouped["Steps"].sum()})
    minutes["segment"] = ""
    diary = pd.read_csv(folder / "Activity.csv", index_col=0)
    spans = [(r.Activity, r.Start, r.Day, r.End, r.Day) for r in diary.itertuples()]
    for night in pd.read_csv(folder / "sleep.csv", index_col=0).itertuples(index=False):
        spans.append((0, night[1], night[0], night[3], night[2]))
    for code, start, start_day, end, end_day in spans:
        if not isinstance(start, str) or not isinstance(end, str) or code not in SEGMENT_OF_CODE:
            continue
        first, last = _minute(start, start_day), _minute(end, end_day)
        last += 1440 if last < first else 0
        minutes.loc[(minutes.index >= first) & (minutes.index < last), "segment"] = SEGMENT_OF_CODE[code]
    return minutes


def simulated_minutes(day: SensorDay) -> pd.DataFrame:
    """Returns the minutes of a simulated day in the same format, with the segments in its log."""
    segment = np.full(len(day), "", object)
    for event in day.events:
        first, last = max(event.start_minute, 0), min(event.end_minute, len(day))
        if event.kind == "sleep":
            segment[first:last] = "sleep"
        elif event.label in SEDENTARY:
            segment[first:last] = "sedentary"
        elif event.label in LIGHT:
            segment[first:last] = "light"
        elif event.kind == "activity" and event.label in ACTIVITY_BY_NAME and ACTIVITY_BY_NAME[event.label].benchmark:
            segment[first:last] = "vigorous"
    return pd.DataFrame({"HR": day.channel("HR"), "steps": day.channel("steps"), "segment": segment})


def summarise(people: list[pd.DataFrame]) -> pd.DataFrame:
    """Returns statistics of each segment, averaged over people."""
    rows = {}
    for segment in SEGMENTS:
        chosen = [p[(p.segment == segment) & p.HR.notna()] for p in people]
        chosen = [p for p in chosen if len(p) >= 20]
        rows[segment] = {
            "people": len(chosen),
            "HR mean": np.mean([p.HR.mean() for p in chosen]),
            "HR sd within": np.mean([p.HR.std() for p in chosen]),
            "HR sd between": np.std([p.HR.mean() for p in chosen]),
            "HR change/min": np.mean([p.HR.diff().std() for p in chosen]),
            "steps/min": np.mean([p.steps.mean() for p in chosen]),
            "minutes with steps": np.mean([(p.steps > 0).mean() for p in chosen]),
        }
    return pd.DataFrame(rows).T.round(2)


def draw(real: list[pd.DataFrame], simulated: list[SensorDay], out: Path) -> None:
    """Plots heart rate and steps of real people on the left and of synthetic subjects on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = min(len(real), len(simulated))
    figure, axes = plt.subplots(2 * rows, 2, figsize=(15, 3.2 * rows), sharex="col", squeeze=False)
    colours = {"sleep": "#c6d4ea", "sedentary": "#eeeeee", "light": "#e3f0d3", "vigorous": "#f8d0c4"}
    for row in range(rows):
        day = simulated[row]
        offset = day.start.hour * 60 + day.start.minute
        right = simulated_minutes(day).set_axis(np.arange(offset, offset + len(day)))
        for column, minutes in enumerate((real[row], right)):
            title = (
                "real (MMASH)" if column == 0 else f"SIMULATED: {day.labels['main_activity']}, {day.labels['device']}"
            )
            hours = minutes.index.to_numpy() / 60
            heart, steps = axes[2 * row][column], axes[2 * row + 1][column]
            heart.plot(hours, minutes.HR, lw=0.6, color="#b3202a")
            heart.set(ylim=(35, 190), ylabel="bpm")
            heart.set_title(title, fontsize=9)
            steps.bar(hours, minutes.steps, width=1 / 60, color="#274a78")
            steps.set(ylim=(0, 180), ylabel="steps/min")
            for segment, colour in colours.items():
                inside = (minutes.segment == segment).to_numpy()
                for axis in (heart, steps):
                    axis.fill_between(hours, 0, 200, where=inside, color=colour, step="mid", lw=0, zorder=0)
    for axis in axes[-1]:
        axis.set_xlabel("hour of the first day")
    figure.tight_layout()
    with atomic_write(out) as partial:
        figure.savefig(partial, format=out.suffix[1:], dpi=80)
    plt.close(figure)


def _profile(people: list[pd.DataFrame], column: str) -> pd.DataFrame:
    """Returns quartiles over people of the means in 30-minute bins of the clock, from 10:00 to 10:00."""
    bins = [p[column].groupby((p.index.to_numpy() % 1440 - 600) % 1440 // 30).mean() for p in people]
    return pd.concat(bins, axis=1).reindex(range(48)).quantile([0.25, 0.5, 0.75], axis=1).T


def draw_people(real: list[pd.DataFrame], simulated: list[SensorDay], out: Path) -> None:
    """Plots medians and quartiles of real people on the left and of as many synthetic subjects on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams.update({"svg.hashsalt": "sensorlm", "font.size": 9})
    sides = {f"real: MMASH, {len(real)} people": real, f"SIMULATED: chest strap, {len(simulated)} people": []}
    for day in simulated:
        minutes = simulated_minutes(day)
        offset = day.start.hour * 60 + day.start.minute
        list(sides.values())[1].append(minutes.set_axis(np.arange(offset, offset + len(minutes))))
    figure, axes = plt.subplots(2, 2, figsize=(9, 4), sharex=True, sharey="row")
    hours = 10.25 + np.arange(48) / 2
    for column, (title, people) in enumerate(sides.items()):
        axes[0][column].set_title(title, loc="left")
        for row, (name, label, colour) in enumerate((("HR", "bpm", "#d55e00"), ("steps", "steps/min", "#0072b2"))):
            profile = _profile(people, name)
            axis = axes[row][column]
            axis.fill_between(hours, profile[0.25], profile[0.75], color=colour, alpha=0.25, lw=0)
            axis.plot(hours, profile[0.5], color=colour, lw=1.4)
            axis.grid(color="#dddddd", lw=0.6)
            axis.spines[["top", "right"]].set_visible(False)
            if column == 0:
                axis.set_ylabel(label)
            axis.set_xticks(range(12, 35, 4), [f"{hour % 24:02d}:00" for hour in range(12, 35, 4)])
            axis.margins(x=0.01)
    axes[1][0].set_ylim(bottom=0)
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as partial:
        figure.savefig(partial, format=out.suffix[1:], metadata={"Date": None} if out.suffix == ".svg" else None)
    plt.close(figure)


def draw_channels(day: SensorDay, out: Path) -> None:
    """Plots every channel of a simulated day with its events."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(day.schema), 1, figsize=(14, 1.1 * len(day.schema)), sharex=True)
    hours = np.arange(len(day)) / 60
    colours = {"sleep": "#c6d4ea", "activity": "#f8d0c4", "mood": "#ffdf80"}
    for axis, channel in zip(axes, day.schema, strict=True):
        axis.plot(hours, day.channel(channel.key), lw=0.6)
        axis.set_ylabel(channel.key[:16], rotation=0, ha="right", fontsize=7)
        axis.tick_params(labelsize=6)
        for event in day.events:
            last = max(event.end_minute, event.start_minute + 4)
            axis.axvspan(event.start_minute / 60, last / 60, color=colours[event.kind], lw=0, zorder=0)
    names = ", ".join(f"{e.label} {(day.start + timedelta(minutes=e.start_minute)):%H:%M}" for e in day.events)
    axes[0].set_title(f"SIMULATED {day.sample_id}: {names}", fontsize=7)
    axes[-1].set_xlim(0, 24)
    figure.tight_layout(h_pad=0)
    with atomic_write(out) as partial:
        figure.savefig(partial, format=out.suffix[1:], dpi=75)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder that contains mmash/")
    parser.add_argument("--out", type=Path, default=Path("simulated_vs_real.png"))
    parser.add_argument("--people-out", type=Path, help="plot of medians over people, without data of individuals")
    parser.add_argument("--rows", type=int, default=4, help="number of days to plot")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folders = sorted(Path(arguments.data or "").glob("mmash/user_*"))
    if arguments.data is None or not folders:
        print("No real recordings: set --data or SENSORLM_REAL_DATA to a folder that contains mmash/user_*. Skipped.")
        return
    days = [d for d in iter_simulated_days(1200, arguments.seed, days_per_person=1) if d.mask[:, 0].mean() > 0.8]
    strap = [day for day in days if "strap" in str(day.labels["device"])]
    watch = [day for day in days if day.labels["device"] == "multi-sensor watch" and day.labels["exercises"]]
    real = [read_mmash(folder) for folder in folders]
    draw(real, [d for pair in zip(strap, watch, strict=False) for d in pair][: arguments.rows], arguments.out)
    draw_channels(watch[0], arguments.out.with_name(f"{arguments.out.stem}_channels{arguments.out.suffix}"))
    if arguments.people_out is not None:
        draw_people(real, strap, arguments.people_out)
    with pd.option_context("display.width", 160):
        print(f"{datetime.now():%Y-%m-%d} MMASH, {len(real)} people, mean over people")
        print(summarise(real).to_string())
        for name, chosen in (("chest strap and movement counter", strap), ("all other devices", watch)):
            diaries = [simulated_minutes(day) for day in chosen]
            print(f"simulated, {name}, {len(diaries)} people")
            print(summarise(diaries).to_string())


if __name__ == "__main__":
    main()
