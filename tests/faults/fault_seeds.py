"""Small recordings in the format of every reader, written anew by each process: the inputs that the campaign damages.

Each is a few kilobytes, so that a mutation hits something that matters, and the same bytes for a given version of the
libraries, so that a mutation's number names the same input again.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import runpy
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Files = dict[str, bytes]
"""Content by path inside the recording; a single path without a folder is a recording of one file."""

BERLIN = "Europe/Berlin"
DAY_MS = 1_709_251_200_000  # 2024-03-01 00:00 UTC


@dataclass(frozen=True)
class Seed:
    """A recording.

    Attributes:
        kind: Source type.
        files: Its files.
        timezone: Time zone to read it with.
        schema: Schema to read it with.
        single: Whether the path to read is the first file rather than its folder.
        mapping: File with the mapping of a table's columns.
        own_schema: File with a schema of one's own, in place of `schema`.
    """

    kind: str
    files: Files
    timezone: str | None = BERLIN
    schema: str = "sensorlm-34"
    single: bool = False
    mapping: str | None = None
    own_schema: str | None = None


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def _zip(files: Files) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 3, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def _tar(files: Files) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(held.getvalue(), mtime=0)


def _database(script: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "seed.db")
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        return path.read_bytes()


def _table_rows(minutes: int = 12) -> list[tuple[str, float, float, int]]:
    return [(f"2024-03-01T08:{m:02}:00+01:00", 60.5 + m, 31.25 + m / 8, 7 * m % 40) for m in range(minutes)]


def _table_csv() -> bytes:
    lines = ["time,HR,wrist_temperatures,steps", *(",".join(map(str, row)) for row in _table_rows())]
    return ("\n".join(lines) + "\n").encode()


def fitbit() -> Seed:
    heart = [{"dateTime": f"03/01/24 07:{m:02}:05", "value": {"bpm": 60 + m, "confidence": 3}} for m in range(8)]
    steps = [{"dateTime": f"03/01/24 07:{m:02}:00", "value": str(10 * m)} for m in range(8)]
    levels = {"data": [{"dateTime": "2024-03-01T00:10:00.000", "level": "light", "seconds": 1200}], "shortData": []}
    sleep = {"logId": 2, "startTime": "2024-03-01T00:10:00.000", "endTime": "2024-03-01T06:40:30.000"}
    sleep |= {"mainSleep": True, "type": "stages", "levels": levels}
    run = {"logId": 1, "activityName": "Run", "startTime": "03/01/24 17:00:00", "duration": 1800000}
    rest = {"dateTime": "03/01/24 00:00:00", "value": {"date": "03/01/24", "value": 55.5, "error": 6.0}}
    tree = "Takeout/Fitbit/Global Export Data"
    return Seed(
        "fitbit",
        {
            f"{tree}/heart_rate-2024-03-01.json": _json(heart),
            f"{tree}/steps-2024-03-01.json": _json(steps),
            f"{tree}/sleep-2024-03-01.json": _json([sleep]),
            f"{tree}/exercise-0.json": _json([{**run, "logType": "auto_detected"}]),
            f"{tree}/resting_heart_rate-2024-03-01.json": _json([rest]),
        },
    )


def fitbit_takeout() -> Seed:
    tree = "Takeout/Fitbit/Physical Activity_GoogleData"
    return Seed(
        "fitbit",
        {
            f"{tree}/heart_rate_2024-03-01.csv": b"timestamp,beats per minute,data source\n"
            b"2024-03-01T10:00:04Z,60.0,Watch\n2024-03-01T10:01:09Z,66,Watch\n2024-03-01T10:02:09Z,68,Watch\n",
            f"{tree}/steps_2024-03-01.csv": b"timestamp,steps,data source\n2024-03-01T10:00:00Z,12,Watch\n"
            b"2024-03-01T10:01:00Z,30,Watch\n",
            f"{tree}/oxygen_saturation_2024-03-01.csv": b"timestamp,oxygen saturation percentage,data source\n"
            b"2024-03-01T01:00:00Z,96.5,Watch\n",
        },
    )


def fitbit_zip() -> Seed:
    return Seed("fitbit", {"export.zip": _zip(fitbit().files)}, single=True)


def fitbit_tar() -> Seed:
    return Seed("fitbit", {"takeout-1.tgz": _tar(fitbit_takeout().files)}, single=True)


def fitbit_parts() -> Seed:
    """Two parts of a Takeout in a folder."""
    first, second = dict(list(fitbit().files.items())[:2]), dict(list(fitbit().files.items())[2:])
    return Seed("fitbit", {"takeout-x-001.zip": _zip(first), "takeout-x-002.zip": _zip(second)})


def mmash() -> Seed:
    rows = [f"{i},9,8,7,{i % 2},70.0,0,13.0,1,10:{i // 20:02}:{3 * (i % 20):02}" for i in range(80)]
    beats = [f"{i},0.8{i % 10},1,10:00:{i % 60:02}" for i in range(60)]
    sleep = "In Bed Date,In Bed Time,Out Bed Date,Out Bed Time,Onset Date,Onset Time"
    moods = ",".join(f"panas_{sign}_{hour}" for sign in ("pos", "neg") for hour in ("10", "14", "18", "22", "9+1"))
    files = {
        "Actigraph": ",Axis1,Axis2,Axis3,Steps,HR,Inclinometer Off,Vector Magnitude,day,time\n" + "\n".join(rows),
        "RR": ",ibi_s,day,time\n" + "\n".join(beats),
        "Activity": ",Activity,Start,End,Day\n0,5,10:00,10:02,1",
        "sleep": f",{sleep}\n0,1,23:10,2,06:40,1,23:30",
        "questionnaire": f",MEQ,STAI1,STAI2,Pittsburgh,Daily_stress,{moods}\n0,52,30,0,7,23,30,30,30,30,30,12,12,12,12,12",  # noqa: E501
        "user_info": ",Gender,Weight,Height,Age\n0,F,60,170,31",
    }
    tree = {f"user_1/{name}.csv": f"{text}\n".encode() for name, text in files.items()}
    return Seed("mmash", tree, timezone="Europe/Rome")


def e4() -> Seed:
    start, seconds = 1_709_280_000.0, 70
    values = {
        "ACC": f"{start:f}, {start:f}, {start:f}\r\n32.000000, 32.000000, 32.000000\r\n"
        + "\r\n".join(f"{i % 7},-{i % 5},{60 + i % 3}" for i in range(seconds * 32)),
        "EDA": f"{start:f}\r\n4.000000\r\n" + "\r\n".join(f"{2 + i / 2400:f}" for i in range(seconds * 4)),
        "TEMP": f"{start:f}\r\n4.000000\r\n" + "\r\n".join(["31.61"] * (seconds * 4)),
        "HR": f"{start:f}\r\n1.000000\r\n" + "\r\n".join(f"{70 + i / 60:.2f}" for i in range(seconds)),
        "IBI": f"{start:f}, IBI\r\n" + "\r\n".join(f"{2 + 0.8 * i:f},0.800000" for i in range(80)),
        "tags": f"{start + 30:.2f}",
    }
    return Seed("e4", {f"s01/{name}.csv": f"{text}\r\n".encode() for name, text in values.items()})


def embraceplus() -> Seed:
    def biomarker(column: str, value: float) -> bytes:
        lines = [f"timestamp_unix,timestamp_iso,participant_full_id,{column},missing_value_reason"]
        for minute in range(600, 612):
            stamp = f"{DAY_MS + 60_000 * minute},2024-03-01T{minute // 60:02}:{minute % 60:02}:00Z"
            lines.append(f"{stamp},1-1-P,{value + minute % 3}," if minute % 5 else f"{stamp},1-1-P,,not_worn")
        return ("\n".join(lines) + "\n").encode()

    tree = "P/2024-03-01"
    return Seed(
        "embraceplus",
        {
            f"{tree}/pulse-rate.csv": biomarker("pulse_rate_bpm", 61),
            f"{tree}/temperature.csv": biomarker("temperature_celsius", 31.5),
            f"{tree}/eda.csv": biomarker("eda_scl_usiemens", 1.5),
            f"{tree}/wearing-detection.csv": biomarker("wearing_detection_percentage", 98),
        },
    )


def apple_health() -> Seed:
    def record(kind: str, value: object, unit: str, clock: str) -> str:
        times = f'startDate="2024-03-01 {clock} +0100" endDate="2024-03-01 {clock} +0100"'
        return (
            f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="Watch" unit="{unit}" {times} value="{value}"/>'
        )

    beats = '<HeartRateVariabilityMetadataList><InstantaneousBeatsPerMinute bpm="60" time="8:00"/></HeartRateVariabilityMetadataList>'  # noqa: E501
    variability = record("HeartRateVariabilitySDNN", 41.5, "ms", "08:02:10").replace("/>", f">{beats}</Record>")
    sleep = (
        ' <Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="Watch" startDate="2024-03-01 00:10:00 +0100"'
        ' endDate="2024-03-01 06:40:00 +0100" value="HKCategoryValueSleepAnalysisAsleepCore">\n'
        '  <MetadataEntry key="HKTimeZone" value="Europe/Berlin"/>\n </Record>'
    )
    run = (
        ' <Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="30" sourceName="Watch"'
        ' startDate="2024-03-01 17:00:00 +0100" endDate="2024-03-01 17:30:00 +0100"></Workout>'
    )
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!DOCTYPE HealthData [",
        "<!ELEMENT HealthData (ExportDate,Me,(Record|Workout)*)>",
        "<!ATTLIST HealthData locale CDATA #REQUIRED>",
        "]>",
        '<HealthData locale="de_DE">',
        ' <ExportDate value="2024-06-01 09:00:00 +0200"/>',
        ' <Me HKCharacteristicTypeIdentifierDateOfBirth="1990-01-01"/>',
        *(record("HeartRate", 60 + m, "count/min", f"08:{m:02}:05") for m in range(8)),
        *(record("StepCount", 10 + m, "count", f"08:{m:02}:05") for m in range(3)),
        record("RestingHeartRate", 55, "count/min", "00:00:00"),
        variability,
        sleep,
        run,
        "</HealthData>",
    ]
    return Seed("apple-health", {"export.xml": ("\n".join(lines) + "\n").encode()})


def apple_health_zip() -> Seed:
    files = {f"apple_health_export/{name}": data for name, data in apple_health().files.items()}
    return Seed("apple-health", {"export.zip": _zip(files)}, single=True)


def garmin() -> Seed:
    held = runpy.run_path(str(Path(__file__).parents[1] / "data" / "readers" / "fit_files.py"))
    message, fit_file = held["message"], held["fit_file"]
    start = DAY_MS // 1000 - held["FIT_EPOCH"] + 7 * 3600
    parts = [message(0, (0, "enum", 32), (4, "uint32", start))]
    for minute in range(6):
        parts.append(message(55, (253, "uint32", start + 60 * minute), (27, "uint8", 60 + minute)))
        parts.append(message(55, (253, "uint32", start + 60 * minute), (5, "enum", 6), (3, "uint32", 40 * minute)))
    return Seed("garmin", {"day.fit": fit_file(*parts)})


def garmin_account() -> Seed:
    sleep = {"calendarDate": "2024-03-01", "sleepStartTimestampGMT": "2024-02-29T23:10:00.0"}
    sleep |= {"sleepEndTimestampGMT": "2024-03-01T05:40:00.0", "deepSleepSeconds": 60}
    tree = "DI_CONNECT"
    return Seed(
        "garmin",
        {
            f"{tree}/DI-Connect-Wellness/2024-02-01_2024-05-01_1_sleepData.json": _json([sleep]),
            "day.fit": garmin().files["day.fit"],
        },
    )


def oura() -> Seed:
    heart = [{"bpm": 57 + m, "source": "rest", "timestamp": f"2024-03-01T12:{m:02}:48+00:00"} for m in range(6)]
    series = {"interval": 300.0, "items": [51.0, None, 53.0], "timestamp": "2024-03-01T06:30:00.000+01:00"}
    night = {
        "bedtime_end": "2024-03-01T07:00:00+01:00",
        "bedtime_start": "2024-03-01T06:30:00+01:00",
        "day": "2024-03-01",
        "heart_rate": series,
        "hrv": {**series, "items": [40.0, 42.0]},
        "sleep_phase_5_min": "421324",
        "type": "long_sleep",
    }
    walk = {"activity": "walking", "start_datetime": "2024-03-01T17:00:00+01:00", "intensity": "easy"}
    walk |= {"end_datetime": "2024-03-01T17:30:00+01:00", "source": "manual"}
    return Seed(
        "oura",
        {
            "hr.json": _json({"data": heart, "next_token": None}),
            "sleep.json": _json({"data": [night]}),
            "workouts.json": _json({"data": [walk]}),
        },
    )


def oura_account() -> Seed:
    night = json.loads(oura().files["sleep.json"])["data"][0]
    cells = [json.dumps(value) if isinstance(value, dict) else str(value) for value in night.values()]
    quoted = ";".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    return Seed(
        "oura",
        {
            "App Data/heartrate.csv": b"timestamp;bpm;source\n2024-03-01T12:19:48.000Z;57;rest\n"
            b"2024-03-01T12:20:48.000Z;58;rest\n",
            "App Data/sleepmodel.csv": f"{';'.join(night)}\n{quoted}\n".encode(),
        },
    )


def polar() -> Seed:
    held = [{"heartRate": 60 + m, "secondsFromDayStart": 28800 + 60 * m, "source": "x"} for m in range(6)]
    steps = [{"localTime": f"08:{m:02}:00", "value": 12 * m} for m in range(4)]
    run = {"startTime": "2024-03-01T18:00:00.000", "stopTime": "2024-03-01T18:30:00.000", "timezoneOffsetMinutes": 60}
    series = [{"type": "SAMPLE_TYPE_HEART_RATE", "intervalMillis": 30000, "values": [100, 110, "NaN", 130]}]
    session = {**run, "name": "Running", "exercises": [{**run, "samples": {"samples": series}}]}
    return Seed(
        "polar",
        {
            "247ohr_1_03-x.json": _json({"deviceDays": [{"userId": 1, "date": "2024-03-01", "samples": held}]}),
            "activity-2024-03-01-x.json": _json({"date": "2024-03-01", "samples": {"steps": steps, "mets": []}}),
            "training-session-a.json": _json(session),
        },
    )


def whoop() -> Seed:
    cycle = "2024-02-29 23:10:00"
    return Seed(
        "whoop",
        {
            "physiological_cycles.csv": "Cycle start time,Cycle end time,Cycle timezone,Recovery score %,"
            "Resting heart rate (bpm),Heart rate variability (ms),Day Strain,Sleep onset,Wake onset\n"
            f"{cycle},2024-03-01 23:30:00,UTC+01:00,67,52,48,10.5,{cycle},2024-03-01 06:40:30\n".encode(),
            "sleeps.csv": "Cycle start time,Cycle timezone,Sleep onset,Wake onset,Nap\n"
            f"{cycle},UTC+01:00,{cycle},2024-03-01 06:40:30,false\n".encode(),
            "workouts.csv": "Cycle start time,Cycle timezone,Workout start time,Workout end time,Activity name\n"
            f"{cycle},UTC+01:00,2024-03-01 18:00:00,2024-03-01 18:45:00,Running\n".encode(),
        },
    )


def samsung() -> Seed:
    name = "com.samsung.shealth.tracker.heart_rate"
    heart = "com.samsung.health.heart_rate."
    columns = f"tag_id,{heart}start_time,{heart}time_offset,{heart}end_time,{heart}heart_rate"
    rows = [f"21312,2024-03-01 08:{m:02}:29.253,UTC+0100,2024-03-01 08:{m:02}:29.253,{61 + m}.0," for m in range(5)]
    bins = [
        {
            "heart_rate": 70.0 + m,
            "start_time": DAY_MS + 32_400_000 + 60_000 * m,
            "end_time": DAY_MS + 32_459_000 + 60_000 * m,
        }
        for m in range(3)
    ]
    return Seed(
        "samsung",
        {
            f"{name}.20240305123456.csv": "\n".join([f"{name},6313007,3", columns, *rows, ""]).encode(),
            f"jsons/a/0a1b.{heart}binning_data.json": _json(bins),
        },
    )


def google_fit() -> Seed:
    def stream(kind: str, name: str, key: str, *values: float) -> bytes:
        points = [
            {
                "fitValue": [{"value": {key: value}}],
                "startTimeNanos": (DAY_MS + 25_200_000 + 60_000 * m) * 1_000_000,
                "endTimeNanos": str((DAY_MS + 25_260_000 + 60_000 * m) * 1_000_000),
                "dataTypeName": f"com.google.{kind}",
            }
            for m, value in enumerate(values)
        ]
        return _json({"Data Source": f"derived:com.google.{kind}:com.google.android.gms:{name}", "Data Points": points})

    tree = "Takeout/Fit"
    session = {"fitnessActivity": "biking", "startTime": "2024-03-01T17:00:00.123Z", "endTime": "2024-03-01T17:30:00Z"}
    return Seed(
        "google-fit",
        {
            f"{tree}/All Data/derived_bpm.json": stream("heart_rate.bpm", "bpm", "fpVal", 61.0, 62.0, 64.0),
            f"{tree}/All Data/derived_steps.json": stream("step_count.delta", "merge_step_deltas", "intVal", 60, 20),
            f"{tree}/All Data/derived_sleep.json": stream("sleep.segment", "segments", "intVal", 4, 5, 6),
            f"{tree}/All Sessions/ride.json": _json({**session, "duration": "1800s"}),
            f"{tree}/Daily activity metrics/2024-03-01.csv": b"Start time,End time,Average heart rate (bpm),Step count\n"  # noqa: E501
            b"08:00:00.000+01:00,08:15:00.000+01:00,71,420\n",
        },
    )


def health_connect() -> Seed:
    at = DAY_MS + 25_200_000
    script = [
        "CREATE TABLE heart_rate_record_series_table (parent_key, beats_per_minute, epoch_millis);",
        *(f"INSERT INTO heart_rate_record_series_table VALUES (1, {60 + m}, {at + 60_000 * m});" for m in range(6)),
        "CREATE TABLE steps_record_table (app_info_id, start_time, end_time, count);",
        f"INSERT INTO steps_record_table VALUES (1, {at}, {at + 120_000}, 60);",
        "CREATE TABLE sleep_session_record_table (row_id, start_time, end_time);",
        f"INSERT INTO sleep_session_record_table VALUES (1, {DAY_MS}, {DAY_MS + 18_000_000});",
        "CREATE TABLE exercise_session_record_table (start_time, end_time, exercise_type, recording_method);",
        f"INSERT INTO exercise_session_record_table VALUES ({at}, {at + 600_000}, 33, 1);",
    ]
    return Seed("health-connect", {"health_connect_export.db": _database("\n".join(script))})


def health_auto_export() -> Seed:
    heart = [{"date": f"2024-03-01 08:{m:02}:05 +0100", "Min": 58, "Max": 64, "Avg": 61 + m} for m in range(5)]
    steps = [{"date": f"2024-03-01 08:{m:02}:00 +0100", "qty": 12.5 + m} for m in range(3)]
    metrics = [{"name": "heart_rate", "units": "count/min", "data": heart}]
    metrics.append({"name": "step_count", "units": "count", "data": steps})
    run = {"name": "Outdoor Run", "start": "2024-03-01 18:00:00 +0100", "end": "2024-03-01 18:30:00 +0100"}
    run["heartRateData"] = [{"date": "2024-03-01 18:00:00 +0100", "Avg": 120}]  # type: ignore[assignment]
    content = _json({"data": {"metrics": metrics, "workouts": [run]}})
    return Seed("health-auto-export", {"HealthAutoExport-2024-03-01.json": content})


def health_auto_export_csv() -> Seed:
    rows = "".join(f"2024-03-01 08:{m:02}:00,58,{61 + m},{12 * m},\n" for m in range(5))
    head = "Date/Time,Heart Rate [Min] (count/min),Heart Rate [Avg] (count/min),Step Count (count),Weight (kg)\n"
    return Seed("health-auto-export", {"HealthAutoExport-2024.csv": (head + rows).encode()})


def withings() -> Seed:
    head = b"start,duration,value\n"
    run = "from,to,Timezone,Activity type,Data\n2024-03-01T18:00:00+01:00,2024-03-01T18:30:00+01:00,x,Running,\n"
    sleep = "from,to,light (s)\n2024-03-01T00:10:00+01:00,2024-03-01T06:40:30+01:00,7200\n"
    return Seed(
        "withings",
        {
            "raw_hr_hr.csv": head
            + b'2024-03-01T08:00:00+01:00,"[60,60]","[61,63]"\n2024-03-01T08:10:00+01:00,[0],[70]\n',
            "raw_tracker_steps.csv": head + b'2024-03-01T08:01:00+01:00,"[120,60]","[60,9]"\n',
            "activities.csv": run.encode(),
            "sleep.csv": sleep.encode(),
        },
    )


def fitabase() -> Seed:
    return Seed(
        "fitabase",
        {
            "heartrate_seconds_merged.csv": b"Id,Time,Value\n1001,4/12/2024 7:21:00 AM,60\n1001,4/12/2024 7:21:05 AM,62\n"  # noqa: E501
            b"1002,4/12/2024 7:22:00 AM,120\n",
            "minuteStepsNarrow_merged.csv": b"Id,ActivityMinute,Steps\n1001,4/12/2024 7:22:00 AM,10\n",
            "minuteSleep_merged.csv": b"Id,date,value,logId\n1001,4/12/2024 12:10:30 AM,1,5\n1001,4/12/2024 12:11:30 AM,2,5\n",  # noqa: E501
        },
        timezone="America/Chicago",
    )


def actigraph() -> Seed:
    line = "------------ Data Table File Created By ActiGraph wGT3XBT ActiLife v6.13.4 date format dd.MM.yyyy -----"
    lines = [
        line,
        "Serial Number: X",
        "Start Time 08:00:00",
        "Start Date 01.03.2024",
        "Epoch Period (hh:mm:ss) 00:01:00",
    ]
    lines += ["Download Time 10:00:00", "Download Date 05.03.2024", "Current Memory Address: 0"]
    lines += ["Current Battery Voltage: 4.0     Mode = 13", "-" * 50, "Date,Time,Axis1,Axis2,Axis3,Steps,HR"]
    lines += [f"01.03.2024,08:{m:02}:00,120,80,60,{12 + m},{61 + m}" for m in range(6)]
    return Seed("actigraph", {"p1.csv": ("\n".join(lines) + "\n").encode()})


def actigraph_database() -> Seed:
    ticks = 638_448_768_000_000_000  # 2024-03-01 08:00 in units of 100 ns since the year 1
    script = [
        "CREATE TABLE settings (settingName TEXT, settingValue TEXT);",
        "INSERT INTO settings VALUES ('epochlength', '60'), ('devicename', 'wGT3XBT');",
        "CREATE TABLE data (dataTimestamp INTEGER, axis1 INTEGER, steps INTEGER, hr INTEGER);",
        *(f"INSERT INTO data VALUES ({ticks + 600_000_000 * m}, 9, {10 + m}, {61 + m});" for m in range(6)),
        "CREATE TABLE sleep (inBedTimestamp INTEGER, outBedTimestamp INTEGER);",
        f"INSERT INTO sleep VALUES ({ticks - 10**11}, {ticks - 10**10});",
    ]
    return Seed("actigraph", {"p1.agd": _database("\n".join(script))})


def workouts() -> Seed:
    points = "".join(
        f"    <Trackpoint><Time>2024-03-01T17:0{m}:05Z</Time><HeartRateBpm><Value>{120 + m}</Value></HeartRateBpm>"
        "</Trackpoint>\n"
        for m in range(4)
    )
    tcx = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<TrainingCenterDatabase'
        ' xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">\n <Activities><Activity Sport="Running">'
        '<Id>2024-03-01T17:00:00Z</Id>\n  <Lap StartTime="2024-03-01T17:00:00.000Z"><Track>\n'
        f"{points}  </Track></Lap>\n </Activity></Activities>\n</TrainingCenterDatabase>\n"
    )
    gpx = (
        '<?xml version="1.0"?>\n<gpx xmlns="http://www.topografix.com/GPX/1/1">\n <trk><type>cycling</type><trkseg>\n'
        '  <trkpt lat="52.5" lon="13.4"><time>2024-03-01T19:00:00+01:00</time><extensions><hr>110</hr></extensions>'
        '</trkpt>\n  <trkpt lat="52.5" lon="13.4"><time>2024-03-01T18:20:00Z</time></trkpt>\n </trkseg></trk>\n</gpx>\n'
    )
    return Seed("workouts", {"run.tcx": tcx.encode(), "ride.gpx": gpx.encode()})


def table_csv() -> Seed:
    return Seed("table", {"days.csv": _table_csv()}, single=True)


def table_semicolons() -> Seed:
    text = "Export of a diary\n\ndate;time;Heart Rate (count/min);steps;subject\n"
    text += "".join(f"01.03.2024;08:{m:02};{60 + m},5;{m * 3};007\n" for m in range(8))
    return Seed("table", {"tables/p1.csv": text.encode("cp1252")})


def table_gzip() -> Seed:
    return Seed("table", {"days.csv.gz": gzip.compress(_table_csv(), mtime=0)}, single=True)


def table_zip() -> Seed:
    return Seed("table", {"tables.zip": _zip({"a/p1.csv": _table_csv(), "a/p2.csv": _table_csv()})}, single=True)


def table_long() -> Seed:
    rows = [f"2024-03-01T08:{m:02}:00,pulse,{1 + m / 10},1/s,a" for m in range(6)]
    rows += [f"2024-03-01T08:{m:02}:20,skin,{305.15 + m},kelvin,a" for m in range(3)]
    mapping = (
        "layout: long\ntime: when\nsubject: who\nvariable: metric\nvalue: reading\nunit: unit\ncolumns:\n"
        "  pulse: {channel: HR, unit: 1/s}\n  skin: wrist_temperatures\n"
    )
    text = "\n".join(["when,metric,reading,unit,who", *rows, ""])
    return Seed(
        "table", {"long.csv": text.encode(), "mapping.yaml": mapping.encode()}, single=True, mapping="mapping.yaml"
    )


def table_own_schema() -> Seed:
    channels = [
        {"key": "hr", "label": "heart rate", "unit": "bpm", "modality": "PPG", "mean": 70.0, "std": 15.0},
        {"key": "steps", "unit": "count/min", "modality": "ACC", "mean": 6.0, "std": 15.0},
    ]
    schema = {"name": "own", "channels": channels}
    rows = "".join(f"2024-03-01T08:{m:02}:00,{60 + m},{3 * m}\n" for m in range(8))
    files = {"days.csv": b"time,hr,steps\n" + rows.encode(), "own.json": _json(schema)}
    return Seed("table", files, single=True, own_schema="own.json")


def table_json() -> Seed:
    names = ("time", "HR", "wrist_temperatures", "steps")
    return Seed(
        "table", {"days.json": _json([dict(zip(names, row, strict=True)) for row in _table_rows()])}, single=True
    )


def table_jsonl() -> Seed:
    names = ("time", "HR", "wrist_temperatures", "steps")
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in _table_rows()]
    return Seed("table", {"days.jsonl": ("\n".join(lines) + "\n").encode()}, single=True)


def table_parquet() -> Seed:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*_table_rows(), strict=True))
    table = pa.table(dict(zip(("time", "HR", "wrist_temperatures", "steps"), columns, strict=True)))
    held = io.BytesIO()
    pq.write_table(table, held)
    return Seed("table", {"days.parquet": held.getvalue()}, single=True)


def table_days() -> Seed:
    """A table of finished days, as the package writes it, but of two channels and 1440 minutes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = np.full((1440, 26), np.nan, dtype=np.float32)
    values[480:540, 0] = np.arange(60, 120)
    row = {"values": [values.tolist()], "start": ["2024-03-01T00:00:00+01:00"], "timezone": [BERLIN]}
    row |= {"subject_id": ["p1"], "schema": ["sensorlm-26"]}
    row["events"] = [[{"kind": "sleep", "label": "nap", "start_minute": 600, "end_minute": 640}]]  # type: ignore[list-item]
    held = io.BytesIO()
    pq.write_table(pa.table(row), held, compression="zstd")
    return Seed("table", {"days.parquet": held.getvalue()}, schema="sensorlm-26", single=True)


def table_array() -> Seed:
    values = np.full((1440, 26), np.nan, dtype=np.float32)
    values[480:540, 0] = np.arange(60, 120)
    held = io.BytesIO()
    np.save(held, values)
    return Seed("table", {"day.npy": held.getvalue()}, schema="sensorlm-26", single=True)


_XLSX = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default'
    ' Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml"'
    ' ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/'
    'vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship'
    ' Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    ' Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://'
    'schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="rId1"/>'
    "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"'
    ' Target="worksheets/sheet1.xml"/></Relationships>',
}


def table_excel() -> Seed:
    rows: list[tuple[Any, ...]] = [("time", "HR", "wrist_temperatures", "steps"), *_table_rows(6)]
    cells = [
        "".join(
            f'<c t="inlineStr"><is><t>{cell}</t></is></c>' if isinstance(cell, str) else f"<c><v>{cell}</v></c>"
            for cell in row
        )
        for row in rows
    ]
    sheet = "".join(f'<row r="{place}">{row}</row>' for place, row in enumerate(cells, 1))
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts = {
        **_XLSX,
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    return Seed("table", {"days.xlsx": _zip({name: text.encode() for name, text in parts.items()})}, single=True)


WRITERS: tuple[Callable[[], Seed], ...] = (
    *(fitbit, fitbit_takeout, fitbit_zip, fitbit_tar, fitbit_parts, mmash, e4, embraceplus),
    *(apple_health, apple_health_zip, garmin, garmin_account, oura, oura_account, polar, whoop, samsung, google_fit),
    *(health_connect, health_auto_export, health_auto_export_csv, withings, fitabase, actigraph, actigraph_database),
    *(workouts, table_csv, table_semicolons, table_gzip, table_zip, table_long, table_own_schema),
    *(table_json, table_jsonl),
    *(table_parquet, table_days, table_array, table_excel),
)
NAMES = tuple(writer.__name__ for writer in WRITERS)
"""Names of the seeds."""


@functools.cache
def seed(name: str) -> Seed:
    """Returns the seed of a name."""
    return next(writer for writer in WRITERS if writer.__name__ == name)()
