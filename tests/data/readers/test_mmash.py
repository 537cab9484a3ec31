"""MMASH: synthetic subjects in the real format, one per edge case, and real recordings if available."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.readers import ReadReport, read_mmash

SLEEP_COLUMNS = "In Bed Date,In Bed Time,Out Bed Date,Out Bed Time,Onset Date,Onset Time"
PANAS = [f"panas_{sign}_{hour}" for sign in ("pos", "neg") for hour in ("10", "14", "18", "22", "9+1")]


def clock(second: int) -> tuple[int, str]:
    day, rest = divmod(second, 86400)
    return day + 1, f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def person(
    folder: Path,
    *,
    start: int = 10 * 3600,
    seconds: int = 600,
    monitor: list[tuple[int, int, float]] | None = None,
    beats: list[tuple[int, float]] | None = None,
    diary: tuple[str, ...] = (),
    sleep: tuple[str, ...] = (),
    moods: tuple[int, ...] = (30, 30, 30, 30, 30, 12, 12, 12, 12, 12),
    second_day: int = 2,
) -> Path:
    """Writes a user: `monitor` (second, steps, HR), `beats` (second, interval in s), `diary` "code,start,end,day"."""
    folder.mkdir(parents=True)
    name = {1: 1, 2: second_day}
    rows = monitor if monitor is not None else [(start + s, s % 2, 70.0) for s in range(seconds)]
    lines = [",Axis1,Axis2,Axis3,Steps,HR,Inclinometer Off,Vector Magnitude,day,time"]
    for i, (second, count, rate) in enumerate(rows):
        day, time = clock(second)
        lines.append(f"{i},900,800,700,{count},{rate},0,1393.0,{name[day]},{time}")
    (folder / "Actigraph.csv").write_text("\n".join(lines) + "\n")
    lines = [",ibi_s,day,time"]
    for i, (second, interval) in enumerate(beats or []):
        day, time = clock(second)
        lines.append(f"{i},{interval},{name[day]},{time}")
    (folder / "RR.csv").write_text("\n".join(lines) + "\n")
    (folder / "Activity.csv").write_text("\n".join([",Activity,Start,End,Day", *(f"0,{e}" for e in diary)]) + "\n")
    (folder / "sleep.csv").write_text("\n".join([f",{SLEEP_COLUMNS}", *(f"0,{e}" for e in sleep)]) + "\n")
    header = ",MEQ,STAI1,STAI2,Pittsburgh,Daily_stress," + ",".join(PANAS)
    (folder / "questionnaire.csv").write_text(f"{header}\n0,52,30,0,7,23,{','.join(map(str, moods))}\n")
    (folder / "user_info.csv").write_text(",Gender,Weight,Height,Age\n0,F,60,170,31\n")
    return folder


def read_one(folder: Path, **options: Any) -> SensorDay:
    (day,) = read_mmash(folder, **options)
    return day


def activities(day: SensorDay) -> list[tuple[str, int, int]]:
    return [(e.label, e.start_minute, e.end_minute) for e in day.events_of("activity")]


def test_window_starts_with_recording_and_crosses_midnight(tmp_path: Path) -> None:
    start = 10 * 3600 + 7 * 60 + 12
    monitor = [(start + 60 * m + s, 1, 60.0 + m % 7) for m in range(1470) for s in (0, 20)]
    report = ReadReport()
    day = read_one(person(tmp_path / "user_1", monitor=monitor), report=report)
    assert day.start.isoformat() == "2020-01-01T10:07:00+01:00"
    assert day.subject_id == "user_1"
    assert day.channel("HR").tolist() == [60.0 + m % 7 for m in range(1440)]
    assert day.clock(1439).isoformat() == "2020-01-02T10:06:00+01:00"
    assert report.count("after-window") == 30


def test_heart_rate_of_zero_is_missing_and_steps_are_summed(tmp_path: Path) -> None:
    base = 10 * 3600
    monitor = [(base + s, 1 if s % 3 == 0 else 0, 80.0 if s < 30 else 0.0) for s in range(60)]
    monitor += [(base + 60 + s, 2, 0.0) for s in range(40)]
    monitor += [(base + 120 + s, 2, 90.0) for s in range(29)]  # fewer than 30 recorded seconds
    report = ReadReport()
    day = read_one(person(tmp_path / "user_1", monitor=monitor), report=report)
    assert day.channel("HR")[[0, 2]].tolist() == [80.0, 90.0]
    assert np.isnan(day.channel("HR")[1])
    assert day.channel("steps")[:2].tolist() == [20.0, 80.0]
    assert np.isnan(day.channel("steps")[2])
    assert report.count("steps-short-minute") == 1


def test_accelerometer_counts_do_not_fill_device_channels(tmp_path: Path) -> None:
    report = ReadReport()
    day = read_one(person(tmp_path / "user_1"), report=report)
    codes = [i for i, channel in enumerate(day.schema) if channel.unit == "device code"]
    assert len(codes) > 5
    assert not day.mask[:, codes].any()
    assert report.count("accelerometer-scale") == 1


def test_heart_rate_falls_back_to_beats_without_artefacts(tmp_path: Path) -> None:
    base = 10 * 3600
    monitor = [(base + s, 0, 0.0) for s in range(60)]
    beats = [(base + s, 0.8) for s in range(40)] + [(base + 41, 0.2), (base + 44, 2.5), (base + 45, 6.5)]
    report = ReadReport()
    day = read_one(person(tmp_path / "user_1", monitor=monitor, beats=beats), report=report)
    assert day.channel("HR")[0] == pytest.approx(75.0)
    assert report.count("rr-artefact") == 3
    assert day.channel("hrv_percent_good")[0] == pytest.approx(40 * 0.8 / 300)


def test_negative_day_numbers_mean_second_day(tmp_path: Path) -> None:
    monitor = [(s, 0, 70.0) for s in (86390, 86395, 86400, 86465)]
    report = ReadReport()
    day = read_one(person(tmp_path / "user_8", monitor=monitor, second_day=-29), report=report)
    assert day.start.isoformat() == "2020-01-01T23:59:00+01:00"
    assert day.mask[:3, 0].all()
    assert int(day.mask[:, 0].sum()) == 3
    assert report.count("day-number") == 1


def test_diary_edge_cases(tmp_path: Path) -> None:
    diary = (
        "2,10:00,10:25,1",
        "6,10:05,10:35,1",  # overlaps: kept
        "8,22:00,24:00,1",  # 24:00 is midnight
        "10,23:50,00:00,1",  # crosses midnight
        "3,13:20,11:40,1",  # would last 22 hours: dropped
        "9,09:00,09:00,1",  # zero length: dropped
        "0,00:40,,2",  # no end: dropped
        "12,11:00,11:10,1",  # unknown: dropped
        "11,21:00,21:30,1",
    )
    report = ReadReport()
    monitor = [(10 * 3600 + 60 * m, 0, 70.0) for m in range(1400)]
    day = read_one(person(tmp_path / "user_2", monitor=monitor, diary=diary), report=report)
    assert activities(day) == [
        ("sitting", 0, 25),
        ("eating", 5, 35),
        ("alcohol", 660, 690),
        ("large screen use", 720, 840),
        ("smoking", 830, 840),
    ]
    assert {
        code: report.count(code)
        for code in (
            "log-ends-before-start", "log-zero-length", "log-without-end", "activity-unknown", "overlapping-log",
            "log-across-midnight",
        )
    } == {
        "log-ends-before-start": 1,
        "log-zero-length": 1,
        "log-without-end": 1,
        "activity-unknown": 1,
        "overlapping-log": 2,
        "log-across-midnight": 1,
    }  # fmt: skip


def test_night_listed_under_wake_day_is_shifted_back(tmp_path: Path) -> None:
    monitor = [(10 * 3600 + 60 * m, 0, 70.0) for m in range(1380)]  # until 9:00
    report = ReadReport()
    day = read_one(person(tmp_path / "user_9", monitor=monitor, diary=("0,23:40,05:05,2",)), report=report)
    (night,) = day.events_of("sleep")
    assert (night.label, night.start_minute, night.end_minute) == ("sleep", 820, 1145)
    assert report.count("log-day-shifted") == 1


def test_sleep_log_takes_precedence_over_diary(tmp_path: Path) -> None:
    monitor = [(10 * 3600 + 60 * m, 0, 70.0) for m in range(1400)]
    diary = ("0,00:10,07:00,2", "0,14:20,15:10,1")
    report = ReadReport()
    folder = person(tmp_path / "a" / "user_3", monitor=monitor, diary=diary, sleep=("1,22:40,1,06:00,1,22:45",))
    day = read_one(folder, report=report)
    assert [(e.label, e.start_minute, e.end_minute) for e in day.events_of("sleep")] == [
        ("nap", 260, 310),
        ("sleep", 760, 1200),
    ]
    assert report.count("sleep-in-both-logs") == 1
    report = ReadReport()
    day = read_one(person(tmp_path / "b" / "user_11", monitor=monitor, diary=diary), report=report)
    assert [(e.label, e.start_minute) for e in day.events_of("sleep")] == [("nap", 260), ("sleep", 850)]
    assert report.count("no-sleep-log") == 1


def test_moods_compare_affects_and_out_of_scale_scores_are_dropped(tmp_path: Path) -> None:
    monitor = [(10 * 3600 + 60 * m, 0, 70.0) for m in range(1400)]
    moods = (30, 20, 16, 0, 25, 12, 16, 21, 12, 20)
    report = ReadReport()
    day = read_one(person(tmp_path / "user_1", monitor=monitor, moods=moods), report=report)
    assert [(e.label, e.start_minute) for e in day.events_of("mood")] == [
        ("positive", 0),
        ("neutral", 240),
        ("negative", 480),
        ("positive", 1380),
    ]
    assert report.count("mood-missing") == 1
    assert day.labels == {
        "age": 31.0,
        "gender": "female",
        "morningness": 52.0,
        "state_anxiety": 30.0,
        "sleep_quality_index": 7.0,
        "daily_stress": 23.0,
    }
    assert report.count("score-out-of-scale") == 1


def test_subjects_are_sorted_numerically_and_bad_ones_can_be_skipped(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        person(tmp_path / f"user_{number}")
    (tmp_path / "notes").mkdir()
    assert [day.subject_id for day in read_mmash(tmp_path)] == ["user_1", "user_2", "user_10"]
    path = tmp_path / "user_2" / "Actigraph.csv"
    path.write_text(path.read_text().replace("10:00:04", "10:xx:04"))
    with pytest.raises(ValueError, match=r"user_2/Actigraph\.csv, line 6.*10:xx:04"):
        list(read_mmash(tmp_path, skip_bad=False))
    report = ReadReport()
    assert [d.subject_id for d in read_mmash(tmp_path, report=report)] == ["user_1", "user_10"]
    assert report.count("bad-file") == 1


def test_error_reports_file_line_and_column(tmp_path: Path) -> None:
    cases = {
        "RR.csv": (",ibi_s,day\n1,0.8,1\n", r"RR\.csv, line 1: lacks the column time"),
        "Activity.csv": (",Activity,Start,End,Day\n0,2,10:00,10:20,1\n1,14,10:00,10:20,1\n", r"line 3.*0 to 12.*'14'"),
        "sleep.csv": (f",{SLEEP_COLUMNS}\n0,1,25:10,2,05:00,1,23:00\n", r"sleep\.csv, line 2.*'25:10'"),
        "Actigraph.csv": (
            ",Steps,HR,day,time\n0,1,70,1,10:00:05\n1,1,70,1,10:00:04\n",
            r"line 3: time runs backwards",
        ),
    }
    for name, (content, message) in cases.items():
        folder = person(tmp_path / name / "user_1")
        (folder / name).write_text(content)
        with pytest.raises(ValueError, match=message):
            list(read_mmash(folder))


def test_missing_folders_and_subjects_without_minutes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no MMASH folder"):
        read_mmash(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"Actigraph\.csv"):
        read_mmash(tmp_path)
    folder = person(tmp_path / "user_1", monitor=[])
    report = ReadReport()
    assert list(read_mmash(folder, report=report)) == []
    assert report.count("nothing-recorded") == 1
    with pytest.raises(ValueError, match="first_date"):
        read_mmash(folder, first_date="yesterday")


@pytest.fixture(scope="module")
def recordings(real_data: Path) -> Path:
    return real_data / "mmash"


@pytest.fixture(scope="module")
def real(recordings: Path) -> tuple[dict[str, SensorDay], ReadReport]:
    report = ReadReport()
    return {day.subject_id: day for day in read_mmash(recordings, report=report)}, report


@pytest.fixture
def days(real: tuple[dict[str, SensorDay], ReadReport]) -> dict[str, SensorDay]:
    return real[0]


class TestRealRecordings:
    def test_every_subject_has_one_nearly_full_window(self, days: dict[str, SensorDay]) -> None:
        assert list(days) == [f"user_{n}" for n in range(1, 13)]
        for day in days.values():
            assert 9 <= day.start.hour <= 10
            assert day.mask[:, day.schema.index("HR")].sum() > 1200
            assert len(day.events_of("mood")) >= 4  # some began after 10:00

    @pytest.mark.parametrize("who", ["user_1", "user_8"])
    def test_minute_heart_rate_matches_pandas(self, recordings: Path, days: dict[str, SensorDay], who: str) -> None:
        raw = pd.read_csv(recordings / who / "Actigraph.csv")
        raw.index = pd.to_timedelta(raw["time"]) + pd.to_timedelta((raw["day"] != 1).astype(int), unit="D")
        raw = raw[(raw["HR"] >= 25) & (raw["HR"] <= 240)]
        rate = raw["HR"].groupby(raw.index.floor("min")).mean()
        day = days[who]
        grid = pd.timedelta_range(f"{day.start.hour}h{day.start.minute}m", periods=1440, freq="min")
        expected = rate.reindex(grid).to_numpy()
        seen = ~np.isnan(expected)
        np.testing.assert_allclose(day.channel("HR")[seen], expected[seen], rtol=1e-6)
        assert seen.mean() > 0.9

    def test_rmssd_matches_independent_computation(self, recordings: Path, days: dict[str, SensorDay]) -> None:
        raw = pd.read_csv(recordings / "user_1" / "RR.csv")
        seconds = pd.to_timedelta(raw["time"]).dt.total_seconds() + 86400.0 * (raw["day"] != 1)
        raw = pd.DataFrame({"at": seconds, "rr": raw["ibi_s"] * 1000})
        raw["before"], raw["gap"] = raw["rr"].shift(), raw["at"].diff() - raw["rr"] / 1000
        possible = raw[raw["rr"].between(300, 2000)]
        around = possible["rr"].rolling(11, center=True, min_periods=1).median()
        raw["normal"] = ((possible["rr"] - around).abs() <= 0.2 * around).reindex(raw.index, fill_value=False)
        raw["counts"] = (
            raw["normal"]
            & raw["normal"].shift(fill_value=False)
            & (raw["gap"] <= 2.5)
            & ((raw["rr"] - raw["before"]).abs() <= 0.2 * raw["before"])
        )
        day = days["user_1"]
        origin = day.start.hour * 3600 + day.start.minute * 60
        checked = 0
        for minute in range(30, 1400, 97):
            low = origin + 60 * (minute - 2)
            window = raw[(raw["at"] >= low) & (raw["at"] < low + 300)]
            if window["rr"][window["normal"]].sum() < 60_000:
                continue
            steps = (window["rr"] - window["before"])[window["counts"]]
            steps = steps[steps.index != window.index[0]]
            expected = float(np.sqrt((steps**2).mean()))
            assert day.channel("rmssd_percentile_0595")[minute] == pytest.approx(expected, rel=1e-5)
            assert day.channel("hrv_rr_median")[minute] == pytest.approx(window["rr"][window["normal"]].median())
            checked += 1
        assert checked >= 10

    def test_heart_rate_and_movement_are_lower_in_sleep(self, days: dict[str, SensorDay]) -> None:
        for day in days.values():
            for event in day.events_of("sleep"):
                low, high = event.start_minute, min(event.end_minute, 1440)
                if high - low < 120:
                    continue
                awake = np.delete(day.channel("HR"), slice(low, high))
                assert np.nanmean(day.channel("HR")[low:high]) < np.nanmean(awake)
                still = np.nanmean(day.channel("steps")[low:high])
                assert still < 0.4 * np.nanmean(np.delete(day.channel("steps"), slice(low, high)))

    def test_edge_cases_are_reported(self, real: tuple[dict[str, SensorDay], ReadReport]) -> None:
        days, report = real
        assert report.count("day-number") == 4  # two subjects, RR and Actigraph
        assert report.count("no-sleep-log") == 1
        assert report.count("log-without-end") == 2
        assert report.count("log-ends-before-start") == 3
        assert report.count("log-zero-length") == 1
        assert days["user_11"].events_of("sleep")
        assert max(e.duration for day in days.values() for e in day.events) <= 12 * 60
