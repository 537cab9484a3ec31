"""Apple Health exports: synthetic files in the real format."""

from __future__ import annotations

import re
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


def damaged(tmp_path: Path, *records: str, tail: str = TAIL) -> tuple[list[SensorDay], ReadReport]:
    report = ReadReport()
    return list(read_apple_health(write(tmp_path, *records, tail=tail), BERLIN, report=report)), report


def test_damaged_parts_are_read_around(tmp_path: Path) -> None:
    good = heart(61, "2024-05-01 08:00:10"), heart(63, "2024-05-01 08:00:40")
    bad = ' <Record type="HKQuantityTypeIdentifierHeartRate" App Version="2" value="1"/>\n'
    for records, tail in (
        ((good[0], bad, good[1]), TAIL),
        ((good[0], good[1].replace("Record ", 'Record app="a\x0bb" ')), TAIL),
        ((*good, heart("", "2024-05-01 09:00:00")), TAIL),
        (good, ""),
        ((*good, " <Record type="), ""),
    ):
        days, report = damaged(tmp_path, *records, tail=tail)
        assert days[0].channel("HR")[480] == 62.0
        assert int(days[0].mask.sum()) == 1
        assert report.count("damaged-xml") + report.count("bad-record") == 1


def test_wrong_document_types_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, heart(61, "2024-05-01 08:00:10"))
    dtd = "<!DOCTYPE HealthData [\n<!ATTLIST A\n>\n  device CDATA #IMPLIED\n>\n]>\n"
    text = path.read_text(encoding="utf-8")
    start = text.index("<HealthData")
    head = text[:start].split("<!DOCTYPE")[0]
    path.write_text(head + dtd + text[start:], encoding="utf-8")
    (day,) = read_apple_health(path, BERLIN)
    assert day.channel("HR")[480] == 61.0


@pytest.mark.parametrize(
    "date", ["20240501080010+0200", "2024-05-01 8:00:10 AM +0200", "2024-05-01 8:00:10\u202fAM +0200"]
)
def test_other_forms_of_dates(tmp_path: Path, date: str) -> None:
    record = heart(61, "2024-05-01 08:00:10")
    record = re.sub(r'(\w+Date)="[^"]*"', rf'\1="{date}"', record)
    (day,) = read_apple_health(write(tmp_path, record), BERLIN)
    assert np.flatnonzero(day.mask[:, 0]).tolist() == [480]


def measured(kind: str, value: float, start: str, end: str, unit: str, source: str = "Watch", inner: str = "") -> str:
    return (
        f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" unit="{unit}"'
        f' startDate="{start} +0200" endDate="{end} +0200" value="{value}">{inner}</Record>\n'
    )


def test_samples_of_several_sources_count_once(tmp_path: Path) -> None:
    records = [
        measured("HeartRate", bpm, f"2024-05-01 08:00:{second}", f"2024-05-01 08:00:{second}", "count/min", source)
        for bpm, second, source in (
            (60, 30, "Watch"),
            (60, 30, "Watch"),
            (90, 40, "Watch"),
            (60, 31, "App"),
        )
    ]
    days, report = damaged(tmp_path, *records)
    assert days[0].channel("HR")[480] == 75.0
    assert report.count("sample-listed-twice") == 1
    assert report.count("other-source") == 1
    steps = [
        measured("StepCount", count, f"2024-05-01 08:00:{at:02d}", f"2024-05-01 08:01:{at:02d}", "count", source)
        for count, at, source in ((100, 0, "Watch"), (98, 5, "Phone"), (100, 0, "App"))
    ]
    days, report = damaged(tmp_path, *steps)
    assert np.nansum(days[0].channel("steps")) == 100.0
    assert report.count("steps-listed-twice") == 2


def test_newer_quantities(tmp_path: Path) -> None:
    beats = "".join(f'<InstantaneousBeatsPerMinute bpm="{bpm}" time="10:00:00.00"/>' for bpm in (60, 61) * 10)
    listed = f"<HeartRateVariabilityMetadataList>{beats}</HeartRateVariabilityMetadataList>"
    (day,), _ = damaged(
        tmp_path,
        measured("HeartRateVariabilityRMSSD", 41.5, "2024-05-01 09:00:00", "2024-05-01 09:01:00", "ms"),
        measured("HeartRateVariabilitySDNN", 52, "2024-05-01 10:00:00", "2024-05-01 10:01:00", "ms", inner=listed),
        measured("AppleSleepingWristTemperature", 35.5, "2024-05-01 01:00:00", "2024-05-01 06:30:00", "degC"),
    )
    rmssd = day.channel("rmssd_percentile_0595")
    assert rmssd[540] == 41.5
    assert rmssd[600] == pytest.approx(60_000 / 60 - 60_000 / 61)
    temperature = day.channel("wrist_temperatures")
    assert np.flatnonzero(~np.isnan(temperature)).tolist() == list(range(60, 390))
    assert set(temperature[60:390].tolist()) == {35.5}


def test_light_sleep_of_the_whole_night_is_not_counted_with_other_stages(tmp_path: Path) -> None:
    def stage(name: str, start: str, end: str) -> str:
        return (
            f' <Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="{name}"'
            f' startDate="2024-05-01 {start} +0200" endDate="2024-05-01 {end} +0200"'
            f' value="HKCategoryValueSleepAnalysisAsleep{name}"/>\n'
        )

    path = write(
        tmp_path,
        heart(61, "2024-05-01 08:00:10"),
        stage("Core", "01:00:00", "05:00:00"),
        stage("REM", "02:00:00", "02:30:00"),
        stage("Deep", "03:00:00", "03:40:00"),
    )
    (day,) = read_apple_health(path, BERLIN, schema="sensorlm-34")
    minutes = {key: float(np.nansum(day.channel(f"sleep_stage_{key}"))) for key in ("light", "rem", "deep", "awake")}
    assert minutes == {"light": 170.0, "rem": 30.0, "deep": 40.0, "awake": 0.0}
