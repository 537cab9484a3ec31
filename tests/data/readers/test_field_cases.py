"""Small inputs in the formats that people have, if they are beside the checkout: the value of each, or its message.

Each kind also has a test on a file that it writes itself; this one shows that the kinds are recognised together.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sensorlm_hf.data.readers import ReadReport, read_any

FIELD = Path(os.environ.get("SENSORLM_FIELD_CASES", Path(__file__).resolve().parents[4] / "shared" / "field"))

# Case, path in it, and values `(subject or "", channel, local minute of the first day, value)`.
VALUES: list[tuple[str, str, list[tuple[str, str, int, float]]]] = [
    *(
        (case, path, [("", "HR", 480, 62.0)])
        for case, path in (
            ("01", "apple_health_export"),
            ("02", "export.xml"),
            ("09b", "export.xml"),
            ("16b", "export.xml"),
            ("17", "export.zip"),
            ("19", "Downloads"),
            ("20", "Takeout"),
            ("23", "takeout-20260910T101010Z-001.tgz"),
            ("24", ""),
            ("35", "Takeout.zip"),
        )
    ),
    ("03", "export.xml", [("", "HR", 480, 61.0), ("", "HR", 1200, 90.0)]),
    ("03b", "export.xml", [("", "HR", 480, 61.0), ("", "HR", 1200, 90.0)]),
    ("05", "export.xml", [("", "rmssd0595", 540, 41.5), ("", "sdnn0595", 600, 52.0)]),
    ("09", "export.xml", [("", "HR", 978, 61.0)]),
    ("11", "export.xml", [("", "steps", 480, 100.0)]),
    ("14", "export.xml", [("", "wrist_temperatures", 1410, 35.5)]),
    ("15", "export.xml", [("", "HR", 480, 75.0)]),
    ("04", "export.xml", [("", "HR", 480, 65.0)]),
    ("06", "export.xml", [("", "sleep_stage_rem", 120, 1.0), ("", "sleep_stage_light", 120, 0.0)]),
    ("16", "export.xml", [("", "HR", 480, 61.0), ("", "steps", 480, 12.0)]),
    ("18", "export.xml", [("", "rmssd0595", 600, 22.4136), ("", "sdnn0595", 600, 48.2)]),
    ("25", "heart", [("", "HR", 480, 62.0)]),
    ("25b", "", [("", "HR", 480, 61.0)]),
    ("26", "Takeout", [("", "HR", 480, 61.0), ("", "rmssd0595", 120, 34.5)]),
    ("27", "", [("", "HR", 60, 55.0)]),
    ("33", "Takeout", [("", "steps", 480, 28.0)]),
    ("33b", "Takeout", [("", "HR", 540, 61.0)]),
    ("49", "", [("", "HR", 540, 71.0), ("", "steps", 540, 10.0)]),
    ("50", "data", [("1001", "HR", 441, 60.0), ("1002", "HR", 441, 120.0), ("1002", "steps", 441, 90.0)]),
    ("56", "ggir.csv", [("", "HR", 1439, 60.0)]),
    ("58", "com.samsung.shealth.tracker.heart_rate.20240305.csv", [("", "HR", 540, 61.0)]),
    ("58b", "no_preamble.csv", [("", "HR", 540, 61.0)]),
    ("59b", "heartrate.csv", [("", "HR", 799, 57.0)]),
    ("60", "garmin.csv", [("", "HR", 540, 61.0), ("", "steps", 541, 40.0), ("", "steps", 542, 0.0)]),
    ("62", "HealthMetrics-2024-03-01.csv", [("", "HR", 480, 61.0), ("", "steps", 480, 12.0)]),
    ("62b", "HealthAutoExport.json", [("", "HR", 480, 61.0), ("", "steps", 480, 12.0)]),
    ("64b", "m.csv", [("", "HR", 540, 60.0)]),
    ("65", "m.csv", [("", "HR", 541, 61.0)]),
    ("70", "raw_hr_hr.csv", [("", "HR", 480, 61.0), ("", "HR", 481, 63.0)]),
    ("71", "training-session.json", [("", "HR", 480, 61.0)]),
    ("71b", "polar.csv", [("", "HR", 480, 101.5)]),
    ("73b", "m.csv", [("", "HR", 542, 61.0)]),
    ("76", "m.csv", [("", "HR", 541, 62.0)]),
    ("21", "Takeout", [("", "HR", 480, 61.0)]),
    ("22", "Takeout", [("", "HR", 480, 61.0)]),
    ("22b", "Takeout", [("", "HR", 480, 61.0)]),
    ("22c", "Takeout", [("", "HR", 480, 61.0)]),
    ("29", "Takeout", [("", "HR", 480, 61.0)]),
    ("34", "Takeout", [("", "HR", 480, 61.0)]),
    ("40", "1709280000_A01B2C", [("", "HR", 541, 66.5)]),
    ("42", "1709280000_A01B2C", [("", "eda_level_real", 541, 0.500407)]),
    ("45", "1709280000_A01B2C", [("", "HR", 541, 66.5)]),
    ("47", "study.zip", [("", "HR", 540, 61.0)]),
    ("50b", "data", [("", "HR", 561, 60.0), ("", "steps", 561, 30.0)]),
    ("51", "de.csv", [("", "HR", 480, 61.5), ("", "wrist_temperatures", 480, 33.1)]),
    ("51b", "mixed.csv", [("", "HR", 480, 61.5)]),
    ("52", "hr.csv", [("", "HR", 540, 60.0), ("", "HR", 541, 60.0), ("", "HR", 544, 70.0)]),
    ("53", "steps.csv", [("", "steps", 540, 30.0)]),
    ("54b", "m.csv", [("", "HR", 480, 60.0)]),
    ("55", "acc.csv", [("", "HR", 1201, 60.0)]),
    ("57", "agd60.csv", [("", "HR", 480, 61.0), ("", "steps", 480, 12.0)]),
    ("58c", "trail.csv", [("", "HR", 540, 61.0), ("", "steps", 540, 12.0)]),
    ("59", "heartrate.json", [("", "HR", 799, 57.0)]),
    ("64", "m.csv", [("", "HR", 540, 60.0)]),
    ("65b", "m.csv", [("", "HR", 540, 60.0)]),
    ("65c", "m.csv", [("", "HR", 540, 60.0), ("", "steps", 540, 5.0)]),
    ("66", "hr.json", [("", "HR", 540, 60.0)]),
    ("68b", "m.csv", [("", "HR", 480, 60.0)]),
    ("68d", "m.csv", [("", "HR", 1439, 60.0)]),
    ("68e", "m.csv", [("", "HR", 0, 62.0), ("", "HR", 480, 60.0)]),
    ("69", "m.csv", [("1", "HR", 540, 60.0), ("2", "HR", 540, 70.0)]),
    ("69b", "m.csv", [("1", "HR", 540, 60.0), ("2", "HR", 540, 100.0)]),
    ("72", "m.csv", [("", "steps", 150, 10.0), ("", "steps", 210, 20.0)]),
    ("73", "m.csv", [("", "HR", 541, 61.0)]),
    ("73c", "m.csv", [("", "HR", 540, 61.0)]),
    ("74", "data", [("", "HR", 540, 61.0)]),
    ("78", "data", [("", "wrist_temperatures", 540, 33.1)]),
]

MESSAGES = [
    ("08", "export_cda.xml", "Give the export.xml"),
    ("08b", "apple_health_export", "export_cda.xml is Apple Health's clinical document"),
    ("10", "export.zip", r"export\.zip is empty \(0 bytes\)"),
    ("10b", "export.zip", "The XML file in it is empty"),
    ("10", "", r"export\.zip is empty \(0 bytes\)"),
    ("61", "whoop.csv", "lacks the column Wake onset; .* give physiological_cycles.csv as exported"),
    ("75", "health_connect_export.db", "is not a readable Health Connect database"),
    ("79", "act.fit", "is a damaged or truncated FIT file"),
    ("79", "x.cwa", r"x\.cwa is not a complete \.cwa file: it has 4 bytes"),
    ("79", "x.gt3x", r"x\.gt3x, info\.txt: `Sample Rate` must be a number"),
    ("79", "x.agd", r"is not a readable \.agd database"),
    ("46", "1709280000_A01B2C", "the clock was not set"),
    ("48", "S", "raw EmbracePlus recording"),
    ("66b", "hr.xlsx", "not a readable Excel workbook"),
    ("68", "m.csv", "can be read with the day or the month first"),
    ("68f", "m.csv", "has no date"),
    ("77b", "m.csv", "count from the start of the recording"),
]

pytestmark = pytest.mark.skipif(not FIELD.is_dir(), reason="the small inputs are not beside the checkout")


@pytest.mark.parametrize(("case", "path", "values"), VALUES, ids=[case for case, _, _ in VALUES])
def test_values(case: str, path: str, values: list[tuple[str, str, int, float]]) -> None:
    days = list(read_any(FIELD / case / path, timezone="Europe/Berlin", schema="sensorlm-34", report=ReadReport()))
    for who, channel, minute, value in values:
        day = next(day for day in days if who in ("", day.subject_id))
        assert float(day.channel(channel)[minute]) == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(("case", "path", "message"), MESSAGES, ids=[f"{case} {path}" for case, path, _ in MESSAGES])
def test_messages(case: str, path: str, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        list(read_any(FIELD / case / path, timezone="Europe/Berlin", schema="sensorlm-34", report=ReadReport()))
