"""Apple Health exports: synthetic files in the real format."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.readers import ReadReport, apple_health, apple_health_files, read_apple_health

BERLIN = "Europe/Berlin"
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary)*)>
<!ATTLIST HealthData locale CDATA #REQUIRED>
]>
<HealthData locale="de_DE">
 <ExportDate value="2024-06-01 09:00:00 +0200"/>
 <Me HKCharacteristicTypeIdentifierDateOfBirth="1990-01-01" HKCharacteristicTypeIdentifierBiologicalSex=""/>
"""
TAIL = "</HealthData>\n"


def quantity(kind: str, value: Any, unit: str, start: str, end: str | None = None, source: str = "Anna's Watch") -> str:
    return (
        f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" sourceVersion="10.3" unit="{unit}"'
        f' creationDate="{start} +0200" startDate="{start} +0200" endDate="{end or start} +0200" value="{value}"/>\n'
    )


def heart(value: Any, start: str) -> str:
    return quantity("HeartRate", value, "count/min", start)


def sleep(state: str, start: str, end: str, source: str = "Anna's Watch", zone: str = BERLIN) -> str:
    return (
        f' <Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="{source}" startDate="{start} +0200"'
        f' endDate="{end} +0200" value="HKCategoryValueSleepAnalysis{state}">\n'
        f'  <MetadataEntry key="HKTimeZone" value="{zone}"/>\n </Record>\n'
    )


def workout(kind: str, start: str, end: str, extra: str = "") -> str:
    return (
        f' <Workout workoutActivityType="HKWorkoutActivityType{kind}" duration="1" durationUnit="min"'
        f' sourceName="Anna\'s Watch" startDate="{start} +0200" endDate="{end} +0200">{extra}</Workout>\n'
    )


def write(folder: Path, *records: str, tail: str = TAIL) -> Path:
    path = folder / "export.xml"
    path.write_text(HEAD + "".join(records) + tail, encoding="utf-8")
    return path


def read_one(path: Path, **options: Any) -> SensorDay:
    (day,) = read_apple_health(path, options.pop("timezone", BERLIN), **options)
    return day


def test_records_are_averaged_per_local_minute(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        heart(60, "2024-05-01 08:00:05"),
        heart(66, "2024-05-01 08:00:55"),
        heart(400, "2024-05-01 08:01:00"),
        quantity("HeartRateVariabilitySDNN", 41.5, "ms", "2024-05-01 08:02:10", "2024-05-01 08:03:10"),
        quantity("RestingHeartRate", 55, "count/min", "2024-05-01 00:00:00", "2024-05-01 23:59:00"),
        quantity("BodyMass", 70, "kg", "2024-05-01 08:00:00"),
    )
    report = ReadReport()
    day = read_one(path, subject_id="p1", report=report)
    assert day.sample_id == "p1@2024-05-01T00:00+0200"
    assert day.channel("HR")[480] == 63.0
    assert np.isnan(day.channel("HR")[481])
    assert day.channel("sdnn_percentile_0595")[482:484].tolist() == [41.5, 41.5]
    assert day.labels == {"resting_heart_rate": 55.0}
    assert report.count("implausible-HR") == 1
    assert report.notes["records-unused"].examples == ["1 x BodyMass"]
    assert read_one(path, timezone="America/New_York").channel("HR")[120] == 63.0


def test_steps_are_spread_over_minutes_and_not_double_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        *(heart(70, f"2024-05-01 08:{minute:02d}:00") for minute in (0, 5, 10, 40)),
        quantity("StepCount", 90, "count", "2024-05-01 08:01:30", "2024-05-01 08:03:00"),
        quantity("StepCount", 90, "count", "2024-05-01 08:01:30", "2024-05-01 08:03:00"),
        quantity("StepCount", 45, "count", "2024-05-01 08:02:00", "2024-05-01 08:03:00", source="Anna's iPhone"),
        quantity("StepCount", 20, "count", "2024-05-01 08:50:00", "2024-05-01 08:50:00", source="Anna's iPhone"),
        quantity("StepCount", 900, "count", "2024-05-01 09:00:00", "2024-05-01 13:00:00"),
        quantity("StepCount", 5000, "count", "2024-05-01 14:00:00", "2024-05-01 14:01:00"),
    )
    report = ReadReport()
    steps = read_one(path, report=report).channel("steps")
    assert steps[480:491].tolist() == [0, 30, 60, 0, 0, 0, 0, 0, 0, 0, 0]
    assert steps[530] == 20.0
    assert np.isnan(steps[500])  # 30 minutes without a heart rate: assumed not worn
    counted = {code: report.count(code) for code in report.notes}
    assert counted == {
        "steps-listed-twice": 1,
        "steps-long-record": 1,
        "implausible-steps": 1,
        "steps-two-trackers": 1,
    }


def test_sleep_is_merged_across_devices_and_includes_in_bed(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        heart(50, "2024-05-02 03:00:00"),
        sleep("InBed", "2024-05-01 22:30:00", "2024-05-02 07:00:00", "Anna's iPhone"),
        sleep("AsleepCore", "2024-05-01 23:00:00", "2024-05-02 02:00:00"),
        sleep("AsleepUnspecified", "2024-05-02 01:00:00", "2024-05-02 03:00:00", "Ring"),
        sleep("Awake", "2024-05-02 02:00:00", "2024-05-02 02:10:00"),
        sleep("AsleepREM", "2024-05-02 02:10:00", "2024-05-02 06:30:00"),
        sleep("InBed", "2024-05-02 13:00:00", "2024-05-02 14:00:00", "Anna's iPhone"),
        sleep("AsleepCore", "2024-05-02 06:00:00", "2024-05-02 05:00:00"),
    )
    report = ReadReport()
    before, day = read_apple_health(path, BERLIN, report=report, schema="sensorlm-34")
    assert before.channel("sleep_stage_light")[1380:].tolist() == [1.0] * 60
    assert [(e.label, e.start_minute, e.end_minute) for e in day.events] == [("sleep", -60, 390), ("nap", 780, 840)]
    assert (report.count("overlapping-sleep"), report.count("sleep-impossible")) == (3, 1)
    light, awake, rem = (day.channel(f"sleep_stage_{name}") for name in ("light", "awake", "rem"))
    assert (light[119], light[120], awake[120], rem[130]) == (1.0, 0.0, 1.0, 1.0)
    assert np.isnan(light[500])


def test_workouts_follow_log_rules(tmp_path: Path) -> None:
    entered = '<MetadataEntry key="HKWasUserEntered" value="1"/>'
    path = write(
        tmp_path,
        heart(90, "2024-05-01 10:00:00"),
        workout("Running", "2024-05-01 10:00:00", "2024-05-01 10:30:30"),
        workout("TraditionalStrengthTraining", "2024-05-01 12:00:00", "2024-05-01 15:45:00", entered),
        workout("Cycling", "2024-05-01 11:00:00", "2024-05-01 11:00:00"),
        workout("Walking", "2024-05-01 11:00:00", "2024-05-02 11:01:00"),
    )
    report = ReadReport()
    day = read_one(path, report=report)
    assert [(e.label, e.start_minute, e.end_minute) for e in day.events] == [
        ("running", 600, 631),
        ("weight lifting", 720, 945),
    ]
    assert [report.count(f"exercise-{code}") for code in ("zero-length", "over-a-day", "manual")] == [1, 1, 1]


NEW_YORK, TOKYO = "America/New_York", "Asia/Tokyo"


def trip(folder: Path) -> Path:
    """Nights in Berlin, New York (from 2 May) and Tokyo (from 5 May), with dates as exported by a phone in Berlin."""
    hours = [f"2024-05-{day:02d} {hour:02d}:30:00" for day in range(1, 8) for hour in range(24)]
    return write(
        folder,
        *(heart(50 + int(hour[8:10]), hour) for hour in hours),
        quantity("RestingHeartRate", 61, "count/min", "2024-05-04 05:00:00"),  # 3 May, 23:00 in New York
        sleep("AsleepCore", "2024-05-05 17:00:00", "2024-05-05 23:00:00", zone=TOKYO),  # the file is not sorted
        sleep("AsleepCore", "2024-05-01 00:00:00", "2024-05-01 07:00:00"),
        sleep("AsleepCore", "2024-05-03 05:00:00", "2024-05-03 12:00:00", zone=NEW_YORK),
        workout("Running", "2024-05-04 13:00:00", "2024-05-04 13:30:00", zoned(NEW_YORK)),
        workout("Yoga", "2024-05-04 15:00:00", "2024-05-04 15:30:00", zoned("Mars/Olympus")),
    )


def zoned(zone: str, *, typed: bool = False) -> str:
    entered = '<MetadataEntry key="HKWasUserEntered" value="1"/>' if typed else ""
    return f'<MetadataEntry key="HKTimeZone" value="{zone}"/>{entered}'


def test_days_follow_time_zones_in_records(tmp_path: Path) -> None:
    report = ReadReport()
    days = list(read_apple_health(trip(tmp_path), BERLIN, report=report))
    starts = [day.start.isoformat(timespec="minutes") for day in days]
    assert starts == [
        "2024-05-01T00:00+02:00",
        "2024-05-02T00:00+02:00",
        "2024-05-03T00:00-04:00",  # six hours later: the first night in New York began at 23:00 on 2 May
        "2024-05-04T00:00-04:00",
        "2024-05-05T00:00-04:00",
        "2024-05-06T00:00+09:00",  # eleven hours after the previous one
        "2024-05-07T00:00+09:00",
        "2024-05-08T00:00+09:00",
    ]
    assert [day.start.tzinfo.key for day in days] == [BERLIN] * 2 + [NEW_YORK] * 3 + [TOKYO] * 3  # type: ignore[union-attr]
    nights = [[(e.label, e.start_minute) for e in day.events_of("sleep")] for day in days]
    assert nights[2] == [("sleep", -60)]  # 23:00 the evening before
    assert nights[5] == [("sleep", 0)]  # midnight in Tokyo
    assert [day.labels for day in days if day.labels] == [{"resting_heart_rate": 61.0}]
    assert days[2].labels  # the date in New York
    assert days[3].channel("HR")[30] == 54.0  # 00:30 in New York is 06:30 in Berlin on the same day
    assert report.notes["zone-changes"].examples == [f"2024-05-02T23:00 {NEW_YORK}", f"2024-05-06T00:00 {TOKYO}"]
    assert report.notes["zone-unknown"].examples == ["Mars/Olympus"]


def test_timezone_is_inferred_or_overridden(tmp_path: Path) -> None:
    path = trip(tmp_path)
    named = list(read_apple_health(path, BERLIN, subject_id="p"))
    assert list(read_apple_health(path, subject_id="p")) == named
    report = ReadReport()
    told = list(read_apple_health(path, f"{BERLIN}, 2024-05-06T00:00 {TOKYO}", report=report))
    assert [day.start.isoformat()[-6:] for day in told] == ["+02:00"] * 5 + ["+09:00"] * 3
    assert report.count("zone-contradicts") == 2
    yoga = workout("Yoga", "2024-05-01 09:00:00", "2024-05-01 10:00:00", zoned(TOKYO, typed=True))
    typed = write(tmp_path, heart(60, "2024-05-01 08:00:05"), yoga)
    assert read_one(typed).start.isoformat() == "2024-05-01T00:00:00+02:00"
    with pytest.raises(ValueError, match=r"no sleep or workout in this file contains the time zone.*IANA name"):
        list(read_apple_health(typed))


def test_units_are_converted(tmp_path: Path) -> None:
    pytest.importorskip("pint")
    path = write(
        tmp_path,
        quantity("HeartRate", 1.25, "count/s", "2024-05-01 08:00:00"),
        quantity("OxygenSaturation", 0.97, "%", "2024-05-01 08:01:00"),
        quantity("ElectrodermalActivity", 0.000004, "S", "2024-05-01 08:02:00"),
    )
    day = read_one(path, schema="sensorlm-34")
    assert day.channel("HR")[480] == 75.0
    assert day.channel("spo2")[481] == 97.0
    assert day.channel("eda_level_real")[482] == 4.0


def test_folder_and_zip_match_in_any_language(tmp_path: Path) -> None:
    folder = tmp_path / "apple_health_export"
    folder.mkdir()
    path = write(folder, heart(60, "2024-05-01 08:00:05"))
    (folder / "export_cda.xml").write_text("<?xml version='1.0'?><ClinicalDocument/>")
    days = list(read_apple_health(path, BERLIN))
    assert list(read_apple_health(folder, BERLIN)) == list(read_apple_health(tmp_path, BERLIN)) == days
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(path, "apple_health_export/Exportación.xml")
    assert list(read_apple_health(tmp_path / "export.zip", BERLIN)) == days
    assert days[0].subject_id.startswith("apple-")
    assert "Anna" not in repr(days)


@pytest.mark.parametrize(
    ("records", "tail", "message"),
    [
        (heart("fast", "2024-05-01 08:00:00"), TAIL, r"export\.xml, line 9: `value` must be a number, got 'fast'"),
        (heart(60, "05/01/2024 08:00 AM"), TAIL, r"line 9: `startDate` must be a time YYYY-MM-DD"),
        (heart(60, "2024-13-01 08:00:00"), TAIL, r"line 9: `startDate` is not a date"),
        (
            heart(60, "2024-05-01 08:00:00"),
            "",
            r"line 10: not valid XML: no element found\. The file seems to be truncated",
        ),
        (" <Record type=", "", r"line 9: not valid XML"),
        (" <Record></Workout>\n", TAIL, r"line 9: not valid XML: mismatched tag"),
    ],
)
def test_error_reports_file_and_line(tmp_path: Path, records: str, tail: str, message: str) -> None:
    path = write(tmp_path, records, tail=tail)
    with pytest.raises(ValueError, match=message):
        list(read_apple_health(path, BERLIN))


def test_non_export_input_raises(tmp_path: Path) -> None:
    (tmp_path / "other.xml").write_text("<Other/>")
    with pytest.raises(FileNotFoundError, match="No Apple Health export"):
        read_apple_health(tmp_path, BERLIN)
    with pytest.raises(ValueError, match=r"line 1: not an Apple Health export: it starts with <Other>"):
        list(read_apple_health(tmp_path / "other.xml", BERLIN))
    with pytest.raises(ValueError, match="the phone's offset at the time of the export"):
        list(read_apple_health(write(tmp_path)))
    archive = tmp_path / "cut.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("export.xml", HEAD + heart(60, "2024-05-01 08:00:05") * 5000 + TAIL)
    data = bytearray(archive.read_bytes())
    data[600:900] = bytes(300)
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"cut\.zip:export\.xml"):
        list(read_apple_health(archive, BERLIN))


def test_memory_is_independent_of_file_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apple_health, "_BATCH", 500)
    monkeypatch.setattr(apple_health_files, "_CHUNK_BYTES", 1 << 14)

    def peak(days: int, repeats: int) -> int:
        path = write(
            tmp_path,
            *(
                heart(60 + second, f"2024-05-{day + 1:02d} 08:{minute:02d}:{second:02d}")
                for _ in range(repeats)
                for day in range(days)
                for minute in range(60)
                for second in range(0, 60, 5)
            ),
        )
        tracemalloc.start()
        list(read_apple_health(path, BERLIN))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(1, 9) < 1.3 * peak(1, 3)
